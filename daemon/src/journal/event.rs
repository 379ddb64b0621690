//! Events: the one append-only history of what happened, why and by whom.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::{EventData, MessageId};

/// Position in the journal. Counts up from 1 without reuse, also over restarts; also the order of acceptance.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Seq(pub i64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Schema version of the `data` of the events this program writes.
pub const EVENT_VERSION: u16 = 1;

/// What sort of thing happened. Open, because kinds are added by rooms and read by scripts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventKind(Cow<'static, str>);

impl EventKind {
    /// A message was accepted; written by [`super::Op::Accept`] itself.
    pub const ACCEPTED: Self = Self::new("accepted");
    /// A receipt moved; written by [`super::Op::Advance`] itself.
    pub const RECEIPT: Self = Self::new("receipt");

    /// A credential was registered, charged, proven, changed or removed.
    pub const CREDENTIAL: Self = Self::new("credential");

    /// What was decided about something a session saw, "no move" included.
    pub const DECISION: Self = Self::new("decision");

    /// A kind by its word: lower case, dots between levels, as `session.state`.
    pub const fn new(word: &'static str) -> Self {
        Self(Cow::Borrowed(word))
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for EventKind {
    fn from(word: String) -> Self {
        Self(Cow::Owned(word))
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// One message.
    Message(MessageId),
    /// A session, name, credential or channel, in its own words (`session/alice`, `credential/openai/work`).
    Named(Arc<str>),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(id) => id.fmt(f),
            Self::Named(name) => f.pad(name),
        }
    }
}

/// An event to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Whose it is.
    pub owner: u32,
    /// What sort.
    pub kind: EventKind,
    /// About what.
    pub subject: Subject,
    /// The event that led to this one.
    pub cause: Option<Seq>,
    /// Who did it (a principal); none for the daemon itself.
    pub actor: Option<Arc<str>>,
    /// The particulars.
    pub data: EventData,
    /// Wall clock, Unix milliseconds.
    pub at_ms: u64,
}

/// An event as read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its position.
    pub seq: Seq,
    /// Version of its data's shape.
    pub version: u16,
    /// What happened.
    pub what: NewEvent,
}
