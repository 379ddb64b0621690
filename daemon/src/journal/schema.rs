//! The database file: opening it safely, and bringing its schema up to date one version at a time.
//!
//! `PRAGMA user_version` is the schema's version and `PRAGMA application_id` says that the file is ours. Version 0 is a
//! file that no journal has been made in yet. Each migration runs in one transaction with its version number.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{OpenError, wal};
use crate::fail_point::{self, Point};

/// "PHSE": marks the database as a Posthouse journal.
const APPLICATION_ID: i64 = 0x5048_5345;

/// Entry `n` brings a journal from version `n` to `n + 1`. Entries are never changed once released.
const MIGRATIONS: &[&str] = &[include_str!("schema/v1.sql")];

/// The schema version this program writes.
#[allow(clippy::cast_possible_wrap, reason = "a handful of migrations")]
pub const VERSION: i64 = MIGRATIONS.len() as i64;

/// Opens the writer's connection, creating or migrating the database.
pub(super) fn open_writer(path: &Path, max_bytes: Option<u64>) -> Result<Connection, OpenError> {
    let connect = || -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        // Reads the first page, so that a file which is no database is refused before anything is changed.
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(db)
    };
    make_private(path).map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
    let mut db = connect().map_err(|e| OpenError::sqlite(path, e))?;
    let version = check(&db, path)?;
    configure(&db, max_bytes).map_err(|e| OpenError::sqlite(path, e))?;
    for (step, sql) in MIGRATIONS.iter().enumerate() {
        #[allow(clippy::cast_possible_wrap, reason = "a handful of migrations")]
        let from = step as i64;
        if from >= version {
            migrate(&mut db, from, sql).map_err(|source| OpenError::Migrate {
                path: path.to_owned(),
                from,
                source,
            })?;
        }
    }
    Ok(db)
}

/// Opens a connection for copying the log back into the database.
pub(super) fn open_copier(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    db.pragma_update(None, "synchronous", "FULL")?;
    Ok(db)
}

/// Opens one more connection that can only read.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

/// Messages are nobody else's to read: SQLite gives the files beside the database the mode that it has.
fn make_private(path: &Path) -> std::io::Result<()> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))
}

/// Says which version the file has, and refuses what is not ours or not ours yet.
fn check(db: &Connection, path: &Path) -> Result<i64, OpenError> {
    let read =
        |sql| db.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(|e| OpenError::sqlite(path, e));
    let tables = read("SELECT count(*) FROM sqlite_schema")?;
    let application = read("PRAGMA application_id")?;
    let version = read("PRAGMA user_version")?;
    if application != APPLICATION_ID && (tables > 0 || application != 0) {
        return Err(OpenError::Foreign { path: path.to_owned(), found: application });
    }
    if version > VERSION {
        return Err(OpenError::Newer { path: path.to_owned(), found: version, known: VERSION });
    }
    Ok(version)
}

fn configure(db: &Connection, max_bytes: Option<u64>) -> rusqlite::Result<()> {
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "wal_autocheckpoint", wal::PAGES)?;
    db.pragma_update(None, "foreign_keys", false)?;
    db.pragma_update(None, "cache_size", -16 * 1024)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    if let Some(bytes) = max_bytes {
        let page: u64 = db.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0))?.unsigned_abs();
        let pages = i64::try_from(bytes / page.max(1)).unwrap_or(i64::MAX);
        db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    }
    db.set_prepared_statement_cache_capacity(32);
    Ok(())
}

fn migrate(db: &mut Connection, from: i64, sql: &str) -> rusqlite::Result<()> {
    let step = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    step.execute_batch(sql)?;
    step.pragma_update(None, "application_id", APPLICATION_ID)?;
    step.pragma_update(None, "user_version", from + 1)?;
    fail_point::pass(Point::MigrateBefore);
    step.commit()?;
    fail_point::pass(Point::MigrateAfter);
    Ok(())
}
