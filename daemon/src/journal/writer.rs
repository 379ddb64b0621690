//! The handle that rooms submit changes with: a bounded queue in front of the one writer thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};

use tokio::sync::{oneshot, watch};

use super::{Committed, Durability, Op, Seq, SubmitError, WriteError};

/// Most submissions that may wait for the disk.
pub const MAX_QUEUED: usize = 16 * 1024;

/// Most bytes that may wait for the disk; one larger submission is taken when nothing else waits.
pub const MAX_QUEUED_BYTES: usize = 64 * 1024 * 1024;

/// What a completion is told.
pub type Outcome = Result<Committed, WriteError>;

/// How the submitter learns that its changes are committed. Completions run in the order of submission.
pub enum Done {
    /// It does not care.
    None,
    /// It waits in a task.
    Oneshot(oneshot::Sender<Outcome>),
    /// This is called on the writer's thread: it must hand the news on and return at once.
    Notify(Box<dyn FnOnce(Outcome) + Send>),
}

impl Done {
    /// A completion that calls `notify` on the writer's thread.
    pub fn notify(notify: impl FnOnce(Outcome) + Send + 'static) -> Self {
        Self::Notify(Box::new(notify))
    }

    fn complete(self, outcome: Outcome) {
        match self {
            Self::None => {}
            // The receiver may have lost interest; the commit stands.
            Self::Oneshot(to) => drop(to.send(outcome)),
            Self::Notify(call) => call(outcome),
        }
    }
}

impl std::fmt::Debug for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Oneshot(_) => "Oneshot",
            Self::Notify(_) => "Notify",
        })
    }
}

/// Changes on their way to the disk. If it is dropped on the way, its completion still hears of it.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) ops: Vec<Op>,
    pub(super) durability: Durability,
    done: Option<Done>,
    ticket: Ticket,
}

impl Submission {
    /// Tells the submitter.
    pub(super) fn complete(mut self, outcome: Outcome) {
        self.ticket.give_back();
        if let Some(done) = self.done.take() {
            done.complete(outcome);
        }
    }
}

impl Drop for Submission {
    fn drop(&mut self) {
        self.ticket.give_back();
        if let Some(done) = self.done.take() {
            done.complete(Err(WriteError::Closed));
        }
    }
}

/// What the writer's thread is sent.
#[derive(Debug)]
pub(super) enum Job {
    /// Changes.
    Submission(Submission),
    /// Finish what came before and end.
    Close,
}

/// Counts what is waiting.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    submissions: AtomicUsize,
    bytes: AtomicUsize,
}

/// A share of what is waiting, given back once.
#[derive(Debug)]
struct Ticket {
    waiting: Arc<Waiting>,
    bytes: Option<usize>,
}

impl Ticket {
    fn take(waiting: &Arc<Waiting>, bytes: usize) -> Result<Self, SubmitError> {
        let queued = waiting.submissions.fetch_add(1, Ordering::Relaxed);
        let before = waiting.bytes.fetch_add(bytes, Ordering::Relaxed);
        let mut ticket = Self { waiting: Arc::clone(waiting), bytes: Some(bytes) };
        if queued >= MAX_QUEUED || (before > 0 && before + bytes > MAX_QUEUED_BYTES) {
            ticket.give_back();
            return Err(SubmitError::Full { queued, bytes: before });
        }
        Ok(ticket)
    }

    fn give_back(&mut self) {
        if let Some(bytes) = self.bytes.take() {
            self.waiting.submissions.fetch_sub(1, Ordering::Relaxed);
            self.waiting.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

/// Submits changes to the journal. Cheap to clone; never blocks.
#[derive(Clone, Debug)]
pub struct Writer {
    jobs: SyncSender<Job>,
    waiting: Arc<Waiting>,
    committed: watch::Receiver<Seq>,
}

impl Writer {
    pub(super) fn new(jobs: SyncSender<Job>, committed: watch::Receiver<Seq>) -> Self {
        Self { jobs, waiting: Arc::default(), committed }
    }

    /// Queues `ops` to be committed together, after everything submitted before. `done` is called when they are.
    ///
    /// On an error nothing was queued and `done` is not called.
    pub fn submit(&self, ops: Vec<Op>, durability: Durability, done: Done) -> Result<(), SubmitError> {
        let ticket = Ticket::take(&self.waiting, ops.iter().map(Op::weight).sum())?;
        let submission = Submission { ops, durability, done: Some(done), ticket };
        self.jobs.try_send(Job::Submission(submission)).map_err(|refused| {
            let (job, error) = match refused {
                TrySendError::Full(job) => {
                    let bytes = self.waiting.bytes.load(Ordering::Relaxed);
                    (job, SubmitError::Full { queued: MAX_QUEUED, bytes })
                }
                TrySendError::Disconnected(job) => (job, SubmitError::Closed),
            };
            if let Job::Submission(mut submission) = job {
                submission.done = None;
            }
            error
        })
    }

    /// Queues `ops` and waits until they are on disk.
    pub async fn commit(&self, ops: Vec<Op>) -> Result<Committed, CommitError> {
        let (done, committed) = oneshot::channel();
        self.submit(ops, Durability::Durable, Done::Oneshot(done))?;
        Ok(committed.await.unwrap_or(Err(WriteError::Closed))?)
    }

    /// The position of the last committed event, and a way to await the next.
    pub fn committed(&self) -> watch::Receiver<Seq> {
        self.committed.clone()
    }

    pub(super) fn close(&self) {
        // Waits for room in the queue; an error means that the thread has ended already.
        let _ = self.jobs.send(Job::Close);
    }
}

/// Why [`Writer::commit`] did not commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// It was not queued.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// It was queued and not written.
    #[error(transparent)]
    Write(#[from] WriteError),
}
