//! Moments at which something has to be looked at again. One heap for all, looked at lazily: an entry that no longer
//! matters does nothing when it is due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::NameId;
use crate::journal::MessageId;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Something waiting for this name may have expired.
    Sweep(NameId),
    /// The caller of this message's blocking send stops waiting.
    Call(MessageId),
    /// Something of this name that could not be handed over then may be now.
    Pump(NameId),
    /// Endings could not be journaled; try again.
    Rewrite,
    /// Names that came in wait for the journal.
    Keep,
}

/// The heap.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<Entry>>,
    made: u64,
}

#[derive(Debug)]
struct Entry {
    at: u64,
    number: u64,
    due: Due,
}

impl Timers {
    /// Asks for `due` at the monotonic moment `at`.
    pub fn set(&mut self, at: u64, due: Due) {
        self.made += 1;
        self.heap.push(Reverse(Entry { at, number: self.made, due }));
    }

    /// The next moment at which something is due.
    pub fn next(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    /// Takes the first thing that is due at `mono`.
    pub fn pop(&mut self, mono: u64) -> Option<Due> {
        if self.next()? > mono {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry.due)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}
