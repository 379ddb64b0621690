//! What can go wrong in the journal. Every message completes "failed to …".

use std::path::PathBuf;

/// Why the journal did not open. The file is never changed or replaced by a failed open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another daemon lives on this state directory.
    #[error(transparent)]
    Locked(#[from] super::LockError),
    /// A newer Posthouse wrote this journal.
    #[error(
        "open journal {path}: its schema is version {found} and this daemon knows up to {known}; \
         upgrade posthoused, or point it at another state directory"
    )]
    Newer {
        /// The database file.
        path: PathBuf,
        /// The schema version in the file.
        found: i64,
        /// The newest schema this program knows.
        known: i64,
    },
    /// The file is SQLite, but not a journal of ours.
    #[error(
        "open journal {path}: this is another program's SQLite database (application id {found:#x}); it was left as it is"
    )]
    Foreign {
        /// The database file.
        path: PathBuf,
        /// Its application id.
        found: i64,
    },
    /// The file can't be read as a database.
    #[error(
        "open journal {path}: the file is damaged ({why}); it was left as it is: move it away or restore a copy"
    )]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// What SQLite found.
        why: String,
    },
    /// One step of a schema migration failed; the database is still at the version before.
    #[error("migrate journal {path} from schema {from}")]
    Migrate {
        /// The database file.
        path: PathBuf,
        /// The version the file is still at.
        from: i64,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Anything else from SQLite.
    #[error("open journal {path}")]
    Sqlite {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file system refused.
    #[error("prepare journal {path}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl OpenError {
    /// Wraps what SQLite said about `path`, telling damage from the rest.
    pub(super) fn sqlite(path: &std::path::Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                Self::Corrupt { path, why: source.to_string() }
            }
            _ => Self::Sqlite { path, source },
        }
    }
}

/// Why a submission was not taken. Nothing of it is or will be written, and its completion is never called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The bounded queue is full: the disk is slower than the callers.
    #[error("queue for the journal: {queued} submissions ({bytes} bytes) are already waiting for the disk")]
    Full {
        /// Submissions waiting.
        queued: usize,
        /// Bytes waiting.
        bytes: usize,
    },
    /// The writer has been closed.
    #[error("queue for the journal: it is closed")]
    Closed,
}

/// Why a submission was not committed. Nothing of it is on disk; the writer goes on with the next batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// No space left on the device, or the journal's own size bound.
    #[error("write the journal: the disk is full")]
    DiskFull,
    /// The device or file system failed, or another program holds the database.
    #[error("write the journal: {0}")]
    Io(String),
    /// The database file is damaged.
    #[error("write the journal: the file is damaged ({0})")]
    Corrupt(String),
    /// SQLite refused this submission, for instance a second message under one id.
    #[error("write the journal: {0}")]
    Refused(String),
    /// The writer ended first.
    #[error("write the journal: it is closed")]
    Closed,
}

impl WriteError {
    /// Whether the fault lies with the storage, so that every submission of the batch shares it.
    pub(super) fn is_storage(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        match error.sqlite_error_code() {
            Some(Code::DiskFull) => Self::DiskFull,
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => Self::Corrupt(error.to_string()),
            None | Some(Code::ConstraintViolation | Code::TypeMismatch | Code::TooBig) => {
                Self::Refused(error.to_string())
            }
            Some(_) => Self::Io(error.to_string()),
        }
    }
}

/// Why a query gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// SQLite refused.
    #[error("read the journal")]
    Sqlite(#[from] rusqlite::Error),
    /// A row holds what this version can't read.
    #[error("read the journal: {0}")]
    Row(String),
    /// Too many questions are waiting already.
    #[error("read the journal: {waiting} queries are already waiting")]
    Busy {
        /// Queries waiting.
        waiting: usize,
    },
    /// The query thread is gone.
    #[error("read the journal: it is closed")]
    Closed,
}
