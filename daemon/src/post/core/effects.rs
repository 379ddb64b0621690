//! What the core wants done: nothing here has happened yet.

use bytes::Bytes;

use crate::journal::{Durability, MessageId, Op};
use crate::post::command::{ConnId, Injection, Intent};

use super::{NameId, Slot};

/// Everything one turn asks for. The shell carries it out in the order of the fields.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Changes for the journal; each is answered by one `committed` with its ticket, in this order.
    pub submissions: Vec<Submission>,
    /// Whole frames, one chunk per connection.
    pub frames: Vec<(ConnId, Bytes)>,
    /// Messages that are delivered once the connection's frames so far are written, because it acknowledges none.
    pub given: Vec<(ConnId, Vec<Given>)>,
    /// The last frames of connections that are over.
    pub ends: Vec<(ConnId, Bytes)>,
    /// Messages for sessions.
    pub injections: Vec<(NameId, Injection)>,
    /// Answers to intents.
    pub intents: Vec<(Intent, Result<(), String>)>,
    /// Bodies to be read back.
    pub fetches: Vec<Fetch>,
    /// Receipts to be looked up for a message that was sent before.
    pub recalls: Vec<Recall>,
}

/// A message in the hands of a connection, for a name.
pub(crate) type Given = (NameId, MessageId);

/// Changes to be committed together.
#[derive(Debug)]
pub(crate) struct Submission {
    pub ticket: u64,
    pub ops: Vec<Op>,
    pub durability: Durability,
}

/// Bodies to be read back for one name.
#[derive(Debug)]
pub(crate) struct Fetch {
    pub name: NameId,
    pub ids: Vec<MessageId>,
}

/// A repeated SEND: what became of the first one.
#[derive(Clone, Debug)]
pub(crate) struct Recall {
    pub conn: Slot,
    pub first: MessageId,
    pub client_id: std::sync::Arc<str>,
    pub asks: bool,
}
