//! A journaled message, its deliveries, and how they move on.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use posthouse_protocol::{Evidence, ReceiptState, When};
use uuid::Uuid;

use super::Seq;

/// The daemon's id of a message: a UUIDv7.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub Uuid);

impl MessageId {
    /// Reads the hyphenated or plain hexadecimal form.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A message: its body is stored once, however many recipients it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The daemon's id.
    pub id: MessageId,
    /// The sender's uid.
    pub owner: u32,
    /// The sending principal, as the daemon names it; with `client_id` the dedupe key.
    pub sender: Arc<str>,
    /// Whom the sender addressed: a name, `*`, `@users` or `#channel`.
    pub target: Arc<str>,
    /// Number of the frame type it arrived as.
    pub kind: u16,
    /// The sender's own id of it; none switches dedupe off for this message.
    pub client_id: Option<Arc<str>>,
    /// Thread it belongs to.
    pub thread: Option<Arc<str>>,
    /// What it answers, in the sender's words.
    pub reply_to: Option<Arc<str>>,
    /// When it may be put into a harness; one FIFO lane per (sender, recipient, when).
    pub when: When,
    /// Wall clock at which it expires, Unix milliseconds.
    pub deadline_ms: Option<u64>,
    /// Whether the sender asked for an answer: then `delivered` is not the end.
    pub expects_answer: bool,
    /// Number of the encoding of `payload`.
    pub encoding: u8,
    /// The body, opaque.
    pub payload: Bytes,
    /// What else of the envelope is needed to deliver it later, opaque.
    pub meta: Bytes,
    /// Wall clock of acceptance, Unix milliseconds.
    pub accepted_ms: u64,
}

impl Message {
    /// Bytes it counts for in its recipients' inboxes.
    pub fn size(&self) -> usize {
        self.payload.len() + self.meta.len()
    }
}

/// Where a delivery starts: one per recipient of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    /// The recipient's uid.
    pub owner: u32,
    /// The recipient's name.
    pub recipient: Arc<str>,
    /// First state, `accepted` or already `queued`.
    pub state: ReceiptState,
    /// Why it waits, for people; at most [`MAX_REASON`] bytes are kept.
    pub reason: Option<Arc<str>>,
}

/// One step of one message for one recipient. A delivery that has ended takes no further step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advance {
    /// The message.
    pub message: MessageId,
    /// The recipient's uid.
    pub owner: u32,
    /// The recipient's name.
    pub recipient: Arc<str>,
    /// How far it has come now.
    pub state: ReceiptState,
    /// Why, for people; at most [`MAX_REASON`] bytes are kept.
    pub reason: Option<Arc<str>>,
    /// On what the step rests.
    pub evidence: Option<Evidence>,
    /// 1 for the first submission or delivery.
    pub attempt: u32,
    /// The run it concerns.
    pub run: Option<Arc<str>>,
    /// The event that led to it.
    pub cause: Option<Seq>,
    /// Who moved it (a principal); none for the daemon itself.
    pub actor: Option<Arc<str>>,
    /// Wall clock of the step, Unix milliseconds.
    pub at_ms: u64,
}

/// Longest reason kept, in bytes; the rest is cut at a character.
pub const MAX_REASON: usize = 1024;

/// A delivery as read back: the receipt so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The message.
    pub message: MessageId,
    /// When it was accepted, relative to others.
    pub seq: Seq,
    /// The recipient's uid.
    pub owner: u32,
    /// The recipient's name.
    pub recipient: Arc<str>,
    /// How far it has come.
    pub state: ReceiptState,
    /// Whether that is the end.
    pub ended: bool,
    /// Why it waits or ended so.
    pub reason: Option<Arc<str>>,
    /// On what the state rests.
    pub evidence: Option<Evidence>,
    /// Submissions or deliveries so far.
    pub attempt: u32,
    /// The run it was last written to.
    pub run: Option<Arc<str>>,
    /// Bytes it counts for in the inbox.
    pub size: u32,
    /// Wall clock of the last step, Unix milliseconds.
    pub updated_ms: u64,
}
