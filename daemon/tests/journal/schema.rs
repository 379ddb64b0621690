//! Opening what is there: an older schema is migrated, anything that is not ours to write is left as it is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use posthouse_protocol::ReceiptState;
use posthoused::journal::*;
use rusqlite::Connection;

use crate::build::*;

fn database(dir: &Path) -> std::path::PathBuf {
    dir.join(JOURNAL_FILE)
}

fn refusal(dir: &Path) -> OpenError {
    Journal::open(dir, Options::default()).expect_err("must be refused")
}

/// A dump of a journal as each released schema version wrote it; the test of every later version opens it.
#[test]
fn a_journal_of_version_1_is_read_and_written() {
    let dir = tempfile::tempdir().unwrap();
    let dump = include_str!("../../../tests/data/journal-v1.sql");
    Connection::open(database(dir.path())).unwrap().execute_batch(dump).unwrap();

    let journal = open(dir.path());
    let reader = journal.reader().unwrap();
    let open = reader.unfinished(Seq(0), 10).unwrap().rows;
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].stored.message.payload, "still waiting");
    assert_eq!((&*open[0].delivery.recipient, open[0].delivery.state), ("bob", ReceiptState::Queued));
    assert_eq!(open[0].delivery.reason.as_deref(), Some("bob is away"));
    let ended = reader.receipts(MessageId::parse("01900000-0000-7000-8000-000000000001").unwrap()).unwrap();
    assert_eq!(ended.unwrap().deliveries[0].state, ReceiptState::Answered);
    let sessions = reader.documents(DocumentKind::Session).unwrap();
    assert_eq!(sessions[0].value.as_str(), r#"{"harness":"codex"}"#);
    assert_eq!(commit(&journal.writer(), vec![accept(9)]).unwrap().first, Seq(6));
}

#[test]
fn an_empty_file_becomes_a_journal() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(database(dir.path()), b"").unwrap();
    commit(&open(dir.path()).writer(), vec![accept(1)]).unwrap();
}

#[test]
fn opening_twice_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    commit(&open(dir.path()).writer(), vec![accept(1)]).unwrap();
    let before = fs::read(database(dir.path())).unwrap();
    open(dir.path()).close();
    assert!(before == fs::read(database(dir.path())).unwrap());
}

#[test]
fn a_newer_schema_is_refused_by_name_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).close();
    Connection::open(database(dir.path())).unwrap().pragma_update(None, "user_version", 1000).unwrap();
    let before = fs::read(database(dir.path())).unwrap();
    let error = refusal(dir.path());
    assert!(matches!(error, OpenError::Newer { found: 1000, .. }), "{error}");
    assert!(error.to_string().contains("upgrade posthoused"), "{error}");
    assert!(before == fs::read(database(dir.path())).unwrap());
}

#[test]
fn another_programs_database_is_refused_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    Connection::open(database(dir.path())).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let before = fs::read(database(dir.path())).unwrap();
    let error = refusal(dir.path());
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    assert!(before == fs::read(database(dir.path())).unwrap());
}

#[test]
fn a_damaged_file_is_refused_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let noise = b"this is not a database at all, and it is longer than a header".repeat(20);
    fs::write(database(dir.path()), &noise).unwrap();
    let error = refusal(dir.path());
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
    assert!(noise == fs::read(database(dir.path())).unwrap());
}

#[test]
fn a_file_cut_short_is_refused_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    commit(&journal.writer(), (0..3000).map(accept).collect()).unwrap();
    journal.close();
    let _ = fs::remove_file(dir.path().join(format!("{JOURNAL_FILE}-wal")));
    let whole = fs::read(database(dir.path())).unwrap();
    let half = &whole[..whole.len() / 2];
    fs::write(database(dir.path()), half).unwrap();
    let error = refusal(dir.path());
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
    assert!(half == fs::read(database(dir.path())).unwrap());
}

#[test]
fn the_files_are_the_users_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(database(dir.path()), b"").unwrap();
    fs::set_permissions(database(dir.path()), fs::Permissions::from_mode(0o644)).unwrap();
    let journal = open(dir.path());
    commit(&journal.writer(), vec![accept(1)]).unwrap();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
}

#[test]
fn two_daemons_refuse_each_other_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let error = refusal(dir.path());
    let pid = std::process::id().to_string();
    assert!(matches!(error, OpenError::Locked(LockError::Held { .. })), "{error}");
    assert!(error.to_string().contains(&pid), "{error}");
    first.close();
    open(dir.path());
}
