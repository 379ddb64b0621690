//! The journal: every durable fact of the daemon, in one SQLite database with one writer.
//!
//! # Theory of operation
//!
//! Rooms hand [`Op`]s to a [`Writer`]: a message accepted, a delivery moved on, an event, a document. One thread takes
//! whatever has queued up while its last commit ran, writes it as one transaction, and calls the submitters back in
//! order; what a completion has reported is on disk. Each change appends its event in the same transaction, so the
//! `event` table is the whole history and is read by cursor.
//!
//! Questions go to a [`Reader`] (or, from asynchronous code, to the [`Desk`]) on a connection of its own.
//! `docs/journal.md` describes the tables, the guarantees and what they cost.

mod apply;
mod commit;
mod desk;
mod document;
mod error;
mod event;
mod json;
mod lock;
mod lookup;
mod message;
mod op;
mod prune;
mod read;
mod retention;
mod schema;
mod wal;
mod writer;

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::sync::watch;

pub use desk::Desk;
pub use document::{Document, DocumentKey, DocumentKind};
pub use error::{OpenError, ReadError, SubmitError, WriteError};
pub use event::{Event, EventKind, NewEvent, Seq, Subject};
pub use json::{BoundedJson, DocumentValue, EventData, JsonError};
pub use lock::{LOCK_FILE, LockError, StateLock};
pub use lookup::DEDUPE_MS;
pub use message::{Advance, Delivery, MAX_REASON, Message, MessageId, NewDelivery};
pub use op::{Committed, Durability, Op, Refused};
pub use read::{
    EventFilter, InboxQuery, MessageQuery, Open, OpenTotal, Order, Page, Reader, Receipts, Stored,
};
pub use retention::Retention;
pub use writer::{CommitError, Done, Outcome, Writer};

/// Name of the database in the state directory.
pub const JOURNAL_FILE: &str = "journal.db";

/// How a journal is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How much history is kept.
    pub retention: Retention,
    /// The file never grows beyond this many bytes: then writes fail as if the disk were full. None: no such bound.
    pub max_bytes: Option<u64>,
}

/// The open journal. Dropping it commits what is queued and ends the writer.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    writer: Writer,
    desk: Desk,
    thread: Option<JoinHandle<()>>,
    _lock: StateLock,
}

impl Journal {
    /// Opens the journal of the state directory `dir`, which must exist, making it if there is none. Refuses, by name,
    /// a directory on which another daemon lives, a file that is damaged or another program's, and a newer schema.
    pub fn open(dir: &Path, options: Options) -> Result<Self, OpenError> {
        let lock = StateLock::take(dir)?;
        let path = dir.join(JOURNAL_FILE);
        let io = |source| OpenError::Io { path: path.clone(), source };
        make_private(&path).map_err(io)?;
        let db = schema::open_writer(&path, options.max_bytes)?;
        // A new database's name must survive a power cut as well as its content.
        std::fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(io)?;
        if let Err(error) = wal::make_room(&path) {
            tracing::warn!(%error, "no room made for the journal's log; flushes will take longer");
        }
        let copier = schema::open_copier(&path).map_err(|e| OpenError::sqlite(&path, e))?;
        let copier = wal::Copier::start(copier).map_err(io)?;

        let (jobs, queue) = mpsc::sync_channel(writer::MAX_QUEUED);
        let (committed, seen) = watch::channel(Seq(0));
        let (ready, started) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("journal-writer".to_owned())
            .spawn(move || {
                let ready = |outcome| drop(ready.send(outcome));
                commit::run(&db, &copier, options.retention, &queue, &committed, ready);
                copier.stop();
            })
            .map_err(io)?;
        let writer = Writer::new(jobs, seen);
        match started.recv() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(OpenError::sqlite(&path, error)),
            Err(_) => return Err(io(std::io::Error::other("the writer thread ended"))),
        }
        let desk = Desk::open(&path).map_err(|e| io(std::io::Error::other(e)))?;
        Ok(Self { path, writer, desk, thread: Some(thread), _lock: lock })
    }

    /// The handle that changes are submitted with.
    pub fn writer(&self) -> Writer {
        self.writer.clone()
    }

    /// The handle that asynchronous code asks with.
    pub fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// One more reader, for a thread that may block: recovery at start reads with this.
    pub fn reader(&self) -> Result<Reader, ReadError> {
        Reader::open(&self.path)
    }

    /// Commits what is queued, ends the writer and gives the state directory back.
    pub fn close(self) {}
}

/// Makes the database's file if there is none, and closes it to others. SQLite gives its log the same mode.
fn make_private(path: &Path) -> std::io::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.writer.close();
        if let Some(thread) = self.thread.take() {
            // A panic there has already been reported by its thread.
            let _ = thread.join();
        }
    }
}
