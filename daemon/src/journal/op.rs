//! What can be asked of the journal, and what comes back once it is on disk.

use super::{Advance, Document, DocumentKey, Message, MessageId, NewDelivery, NewEvent, Seq};
use posthouse_protocol::ReceiptState;

/// One change. The operations of one submission are committed together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Stores a message once and a delivery per recipient, and appends an `accepted` event. If the sender used this
    /// client id in the last 24 hours nothing is stored, and the commit says so in [`Committed::refused`].
    Accept {
        /// The message.
        message: Box<Message>,
        /// Its recipients: each at most once, and at least one for the message to be found by its id.
        recipients: Vec<NewDelivery>,
    },
    /// Moves one delivery on and appends a `receipt` event.
    Advance(Advance),
    /// Appends an event.
    Event(NewEvent),
    /// Stores a document, in place of the one under the same key.
    Put(Document),
    /// Removes a document; none there is no error.
    Delete(DocumentKey),
    /// Applies a larger step of retention now. The writer also prunes by itself as it writes.
    Prune {
        /// Wall clock, Unix milliseconds.
        now_ms: u64,
    },
}

impl Op {
    /// Roughly what it costs to keep it queued, in bytes.
    pub(super) fn weight(&self) -> usize {
        const ROW: usize = 160;
        match self {
            Self::Accept { message, recipients } => ROW * (1 + recipients.len()) + message.size(),
            Self::Event(event) => ROW + event.data.as_str().len(),
            Self::Put(document) => ROW + document.value.as_str().len(),
            Self::Advance(_) | Self::Delete(_) | Self::Prune { .. } => ROW,
        }
    }
}

/// What a submission must survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// The death of the daemon, by any signal, but not of the machine: no flush to disk. For notes of intent that only
    /// matter to the next daemon on a machine that is still up.
    Relaxed,
    /// Loss of power: the commit is flushed before the completion is called.
    Durable,
}

/// A submission is committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Position of its first event.
    pub first: Seq,
    /// Position of its last event; one less than `first` if it wrote none.
    pub last: Seq,
    /// Operations that changed nothing, and why; usually empty.
    pub refused: Vec<Refused>,
}

/// An operation that was valid but changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The sender sent this client id before: here is the message it became.
    Duplicate {
        /// Index of the operation in its submission.
        op: usize,
        /// The message first accepted.
        first: MessageId,
    },
    /// The delivery has ended; endings are final.
    Ended {
        /// Index of the operation in its submission.
        op: usize,
        /// How it ended.
        state: ReceiptState,
    },
    /// There is no such delivery, or no longer.
    NoDelivery {
        /// Index of the operation in its submission.
        op: usize,
    },
}
