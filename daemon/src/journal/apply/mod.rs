//! Turns operations into rows. Statements are prepared once and the number of trees touched per message is kept small,
//! because this thread's time is the ceiling of every durable send.

mod documents;
mod events;
mod messages;

use rusqlite::Connection;

use self::documents::Documents;
use self::events::Events;
use self::messages::Messages;
use super::lookup::Lookup;
use super::{Committed, Op, Refused, Seq};

/// The writer's prepared statements and what it counts.
pub(super) struct Rows<'db> {
    events: Events<'db>,
    messages: Messages<'db>,
    documents: Documents<'db>,
    lookup: Lookup<'db>,
}

impl<'db> Rows<'db> {
    pub(super) fn prepare(db: &'db Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            events: Events::prepare(db)?,
            messages: Messages::prepare(db)?,
            documents: Documents::prepare(db)?,
            lookup: Lookup::prepare(db)?,
        })
    }

    /// The position that the next event gets.
    pub(super) fn next(&self) -> i64 {
        self.events.next()
    }

    /// Wall clock of the last event, Unix milliseconds.
    pub(super) fn now_ms(&self) -> u64 {
        self.events.now_ms()
    }

    /// The last message that is in the look-up tables.
    pub(super) fn settled(&self) -> i64 {
        self.lookup.settled()
    }

    /// Deliveries added since this was last asked.
    pub(super) fn take_receipts(&mut self) -> u64 {
        self.messages.take_receipts()
    }

    /// Applies the operations of one submission.
    pub(super) fn apply(&mut self, ops: &[Op]) -> rusqlite::Result<Committed> {
        let first = self.next();
        let mut refused = Vec::new();
        for (index, op) in ops.iter().enumerate() {
            let outcome = match op {
                Op::Accept { message, recipients } => match self.lookup.claim(message)? {
                    Some(first) => Some(Refused::Duplicate { op: index, first }),
                    None => self.messages.accept(&mut self.events, message, recipients).map(|()| None)?,
                },
                Op::Advance(step) => self.messages.advance(&mut self.events, index, step)?,
                Op::Event(event) => self.events.append(event).map(|()| None)?,
                Op::Put(document) => self.documents.put(document).map(|()| None)?,
                Op::Delete(key) => self.documents.delete(key).map(|()| None)?,
                Op::Prune { .. } => None,
            };
            refused.extend(outcome);
        }
        Ok(Committed { first: Seq(first), last: Seq(self.next() - 1), refused })
    }

    /// Called at the end of each transaction: brings the look-up tables up to date if they lag far enough.
    pub(super) fn settle(&mut self) -> rusqlite::Result<()> {
        self.lookup.settle(self.next() - 1)
    }

    /// The transaction is committed.
    pub(super) fn committed(&mut self) {
        self.lookup.committed();
    }

    /// The transaction was rolled back to where `next` was the next position.
    pub(super) fn rolled_back(&mut self, next: i64) {
        self.events.rewind(next);
        self.messages.take_receipts();
        self.lookup.rolled_back();
    }
}

/// SQLite's integers are signed; wall time fits for 292 million years.
pub(super) fn millis(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
