//! The append-only log of everything that happened.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::Json;

/// Asks for events from a cursor on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Events {
    /// Only with a higher sequence number; absent means from the oldest kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Most events; absent means 200, never more than 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only these kinds; a kind ending in `.` means all that start so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// Only about this session, name, message or credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The newest `limit` events instead of the oldest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<bool>,
    /// Push an EVENT frame for every later one on this connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow: Option<bool>,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Event {
    /// Its number; grows by at least one.
    pub seq: u64,
    /// Version of the kind's data.
    pub version: u16,
    /// What happened, such as `session.state` or `decision`.
    pub kind: String,
    /// To what.
    pub subject: String,
    /// What led to it: an event, message or request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Who did it.
    pub actor: String,
    /// When, Unix milliseconds.
    pub at: u64,
    /// The rest, by kind and version.
    pub data: Json,
}

/// Events in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct EventsResponse {
    /// As many as fit a frame.
    #[serde(default)]
    pub events: Vec<Event>,
    /// Cursor for the next question.
    pub next: u64,
}
