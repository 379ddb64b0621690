//! What waits for the journal, and what follows once it has answered. Commits come back in the order of submission.

use std::collections::VecDeque;
use std::sync::Arc;

use super::effects::Submission;
use super::letter::{Label, Letter};
use super::receipt::Step;
use super::{NameId, Slot};
use crate::journal::{Durability, MessageId, Op};
use crate::post::command::Intent;

/// Bytes of messages that may wait for the disk before senders are refused.
const MAX_PENDING: usize = 32 * 1024 * 1024;

/// What a commit was waited for with.
#[derive(Debug)]
pub(crate) enum Then {
    /// A message is accepted.
    Accepted(Accepted),
    /// A volatile message that must not overtake the durable ones before it.
    Passenger { letter: Arc<Letter>, to: NameId, seq: u64 },
    /// A receipt may be shown, if anyone wants to see it.
    Receipt(Noted),
    /// A name is in the journal as it was.
    Kept(NameId),
    /// A session may write.
    Intent { session: NameId, message: MessageId, intent: Intent },
}

/// A step on its way to the journal.
#[derive(Debug)]
pub(crate) struct Noted {
    /// Who is told.
    pub conn: Option<Slot>,
    pub label: Label,
    pub owner: u32,
    pub recipient: Arc<str>,
    pub step: Step,
}

/// A message with its recipients.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// Index of its operation in the submission.
    pub op: usize,
    pub conn: Slot,
    pub letter: Arc<Letter>,
    pub recipients: Vec<Addressee>,
}

/// One recipient of a message.
#[derive(Clone, Debug)]
pub(crate) struct Addressee {
    pub id: NameId,
    pub name: Arc<str>,
    pub seq: u64,
    /// Why it fails for this recipient alone.
    pub refused: Option<Arc<str>>,
}

/// The two submissions that this turn fills, and those that are out.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    relaxed: Batch,
    durable: Batch,
    out: VecDeque<Out>,
    next: u64,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Batch {
    ops: Vec<Op>,
    then: Vec<Then>,
    bytes: usize,
}

#[derive(Debug)]
struct Out {
    ticket: u64,
    durability: Durability,
    then: Vec<Then>,
    bytes: usize,
}

impl Commits {
    /// Whether `more` bytes may be added to what waits for the disk.
    pub fn has_room(&self, more: usize) -> bool {
        self.bytes == 0 || self.bytes + more <= MAX_PENDING
    }

    /// A change that must survive the daemon, and what follows it.
    pub fn note(&mut self, op: Op, then: Option<Then>) {
        self.relaxed.ops.push(op);
        self.relaxed.then.extend(then);
    }

    /// A message that must survive the machine. `then` is told the index of its operation; `more` is committed with it.
    pub fn accept(&mut self, op: Op, size: usize, more: Vec<Op>, then: impl FnOnce(usize) -> Accepted) {
        let accepted = then(self.durable.ops.len());
        self.durable.ops.push(op);
        self.durable.ops.extend(more);
        self.durable.then.push(Then::Accepted(accepted));
        self.durable.bytes += size;
        self.bytes += size;
    }

    /// Sends a volatile message after every durable one that was submitted before it.
    pub fn follow(&mut self, letter: Arc<Letter>, to: NameId, seq: u64) {
        let passenger = Then::Passenger { letter, to, seq };
        let durable = |out: &&mut Out| out.durability == Durability::Durable;
        match self.out.iter_mut().rev().find(durable) {
            Some(out) if self.durable.then.is_empty() => out.then.push(passenger),
            _ => self.durable.then.push(passenger),
        }
    }

    /// Whether this turn has filled anything.
    pub fn has_news(&self) -> bool {
        !self.relaxed.ops.is_empty() || !self.durable.ops.is_empty()
    }

    /// Ends the turn: what it filled is on its way now.
    pub fn seal(&mut self) -> Vec<Submission> {
        let batches = [
            (std::mem::take(&mut self.relaxed), Durability::Relaxed),
            (std::mem::take(&mut self.durable), Durability::Durable),
        ];
        let mut submissions = Vec::new();
        for (batch, durability) in batches {
            if batch.ops.is_empty() && batch.then.is_empty() {
                continue;
            }
            self.next += 1;
            let (ticket, Batch { ops, then, bytes }) = (self.next, batch);
            self.out.push_back(Out { ticket, durability, then, bytes });
            submissions.push(Submission { ticket, ops, durability });
        }
        submissions
    }

    /// What follows the submission `ticket`.
    pub fn settle(&mut self, ticket: u64) -> Vec<Then> {
        let Some(at) = self.out.iter().position(|out| out.ticket == ticket) else { return Vec::new() };
        let Some(out) = self.out.remove(at) else { return Vec::new() };
        self.bytes = self.bytes.saturating_sub(out.bytes);
        out.then
    }
}

impl Commits {
    /// Submissions that the journal has not answered.
    pub fn waiting(&self) -> u64 {
        self.out.len() as u64
    }
}
