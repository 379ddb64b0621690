//! The writer thread: takes whatever queued up while the last commit ran, commits it as one transaction, and tells
//! the submitters. There is no timer and no fixed batch: a lone submission is committed at once, and under load the
//! batches grow as large as one flush takes time.

use std::sync::mpsc::Receiver;

use rusqlite::Connection;
use tokio::sync::watch;

use super::apply::Rows;
use super::prune::{Pruner, Written};
use super::wal::Copier;
use super::writer::{Job, Submission};
use super::{Committed, Durability, Op, Retention, Seq, WriteError};
use crate::fail_point::{self, Point};

/// Most submissions in one transaction, so that the first of them need not wait for an endless last.
const MAX_BATCH: usize = 4096;

/// Events after which the log is worth copying back; a quarter of its room, by rule of thumb.
const COPY_EVENTS: u64 = 2048;

/// Bytes of operations after which it is worth it as well.
const COPY_BYTES: u64 = 2 * 1024 * 1024;

/// The thread's state. The statements borrow the connection, so both live on the thread's stack.
struct Thread<'db> {
    db: &'db Connection,
    rows: Rows<'db>,
    pruner: Pruner<'db>,
    /// Whether commits are flushed to disk, as the connection is set now.
    flushing: bool,
    copier: &'db Copier,
    /// Written since the copier was last woken.
    uncopied: Written,
}

/// Runs until told to close or until every handle is gone. `ready` hears whether it could start.
pub(super) fn run(
    db: &Connection,
    copier: &Copier,
    retention: Retention,
    jobs: &Receiver<Job>,
    committed: &watch::Sender<Seq>,
    ready: impl FnOnce(rusqlite::Result<()>),
) {
    let mut thread = match Thread::start(db, copier, retention) {
        Ok(thread) => thread,
        Err(error) => return ready(Err(error)),
    };
    committed.send_replace(thread.last());
    ready(Ok(()));

    let mut batch = Vec::new();
    loop {
        let more = Thread::gather(jobs, &mut batch);
        thread.commit(&mut batch, committed);
        if !more {
            break;
        }
    }
}

/// What a full disk says.
fn full() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None)
}

impl<'db> Thread<'db> {
    fn start(db: &'db Connection, copier: &'db Copier, retention: Retention) -> rusqlite::Result<Self> {
        let (rows, pruner) = (Rows::prepare(db)?, Pruner::prepare(db, retention)?);
        Ok(Self { db, rows, pruner, flushing: true, copier, uncopied: Written::default() })
    }

    fn last(&self) -> Seq {
        Seq(self.rows.next() - 1)
    }

    /// Waits for one job and takes all that are queued; false when there will be no more.
    fn gather(jobs: &Receiver<Job>, batch: &mut Vec<Submission>) -> bool {
        let mut next = jobs.recv().unwrap_or(Job::Close);
        loop {
            match next {
                Job::Submission(submission) => batch.push(submission),
                Job::Close => return false,
            }
            if batch.len() == MAX_BATCH {
                return true;
            }
            match jobs.try_recv() {
                Ok(job) => next = job,
                Err(_) => return true,
            }
        }
    }

    /// Commits the batch and completes its submissions in order. If SQLite refuses one of them, each is tried alone, so
    /// that only the one at fault fails; if the storage fails, all fail alike and the next batch tries afresh.
    fn commit(&mut self, batch: &mut Vec<Submission>, committed: &watch::Sender<Seq>) {
        match self.transaction(batch) {
            Ok(outcomes) => {
                committed.send_replace(self.last());
                for (submission, outcome) in batch.drain(..).zip(outcomes) {
                    submission.complete(Ok(outcome));
                }
            }
            Err(error) if error.is_storage() || batch.len() < 2 => {
                tracing::error!(%error, submissions = batch.len(), "journal write failed");
                for submission in batch.drain(..) {
                    submission.complete(Err(error.clone()));
                }
            }
            Err(_) => {
                for submission in std::mem::take(batch) {
                    self.commit(&mut vec![submission], committed);
                }
            }
        }
    }

    fn transaction(&mut self, batch: &[Submission]) -> Result<Vec<Committed>, WriteError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let before = self.rows.next();
        let outcomes = self.try_transaction(batch);
        if outcomes.is_ok() {
            self.rows.committed();
            self.pruner.committed();
        } else {
            self.rows.rolled_back(before);
            // After some errors SQLite has rolled back by itself.
            if !self.db.is_autocommit()
                && let Err(error) = self.db.execute_batch("ROLLBACK")
            {
                tracing::error!(%error, "journal rollback failed");
            }
        }
        outcomes.map_err(WriteError::from)
    }

    fn try_transaction(&mut self, batch: &[Submission]) -> rusqlite::Result<Vec<Committed>> {
        self.set_flushing(batch.iter().any(|s| s.durability == Durability::Durable))?;
        self.db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let before = self.rows.next();
        let mut outcomes = Vec::with_capacity(batch.len());
        for submission in batch {
            outcomes.push(self.rows.apply(&submission.ops)?);
        }
        self.rows.settle()?;
        self.pruner.begin();
        let mut written = Written::default();
        for op in batch.iter().flat_map(|s| &s.ops) {
            written.bytes += op.weight() as u64;
            if let Op::Prune { now_ms } = op {
                self.pruner.sweep(*now_ms, self.rows.next(), self.rows.settled())?;
            }
        }
        written.receipts = self.rows.take_receipts();
        written.events = (self.rows.next() - before).unsigned_abs();
        self.pruner.after_batch(written, self.rows.now_ms(), self.rows.next(), self.rows.settled())?;
        fail_point::reach(Point::JournalBefore).map_err(|_| full())?;
        self.db.prepare_cached("COMMIT")?.execute([])?;
        fail_point::pass(Point::JournalAfter);
        self.copy_back(written);
        Ok(outcomes)
    }

    /// With `FULL` a commit is flushed before it returns; with `NORMAL` it reaches the page cache, which outlives us but
    /// not the machine.
    fn set_flushing(&mut self, flushing: bool) -> rusqlite::Result<()> {
        if self.flushing != flushing {
            self.db.pragma_update(None, "synchronous", if flushing { "FULL" } else { "NORMAL" })?;
            self.flushing = flushing;
        }
        Ok(())
    }

    /// Wakes the copier when enough has been written.
    fn copy_back(&mut self, written: Written) {
        self.uncopied.events += written.events;
        self.uncopied.bytes += written.bytes;
        if self.uncopied.events >= COPY_EVENTS || self.uncopied.bytes >= COPY_BYTES {
            self.uncopied = Written::default();
            self.copier.wake();
        }
    }
}
