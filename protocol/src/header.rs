//! The part of a frame that routers read.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::FrameType;

/// The envelope around a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the frame is.
    pub kind: FrameType,
    /// The sender's id of the frame, at most [`crate::limits::MAX_ID`] bytes.
    pub id: String,
    /// Unix milliseconds by the sender's clock: its claim, nothing more.
    pub ts: u64,
    /// Who sent it; set by the daemon, ignored from clients.
    pub from: Option<String>,
    /// Whom it is for.
    pub to: Option<String>,
    /// Topic of a broadcast.
    pub topic: Option<String>,
    /// How a SEND wants to be treated.
    pub meta: Option<SendMeta>,
    /// Where a DELIVER stands in its stream.
    pub delivery: Option<Delivery>,
}

impl Header {
    /// A header with only type, id and time.
    pub fn new(kind: FrameType, id: impl Into<String>, ts: u64) -> Self {
        Self { kind, id: id.into(), ts, from: None, to: None, topic: None, meta: None, delivery: None }
    }
}

crate::codes! {
    /// When a message may be put into a harness.
    pub enum When {
        /// Once it is ready for input.
        Idle = 1 => "idle",
        /// At once, in the harness's own mid-turn way; fails while it is blocked or someone is drafting.
        Now = 2 => "now",
        /// Once the turn that is running has ended.
        TurnEnd = 3 => "turn-end",
    }
}

crate::codes! {
    /// What `accepted` is worth.
    pub enum Durability {
        /// Accepted means on disk.
        Durable = 1 => "durable",
        /// For connected clients only: never journaled, no `accepted`, ends `delivered` or `failed`.
        Volatile = 2 => "volatile",
    }
}

/// `payload_meta`: how the sender wants a message treated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct SendMeta {
    /// Accepted for compatibility; every delivery wants an ACK.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requires_ack: Option<bool>,
    /// Give up this many milliseconds after acceptance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// 0 to 100, shown to the recipient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub importance: Option<u8>,
    /// The message this one answers.
    #[serde(rename = "replyTo", skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// A blocking send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync: Option<Sync>,
    /// When a session may take it; absent means `idle`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// Absent means durable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub durability: Option<Durability>,
    /// An operator's text, typed without the daemon's header line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plain: Option<bool>,
    /// Which attempt a DELIVER is, from 2 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
}

/// A blocking send: the answer comes back as an ACK with the same correlation id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Sync {
    /// Ties the answer to the question; unique among the sender's open ones.
    #[serde(rename = "correlationId")]
    pub correlation_id: String,
    /// How long the caller waits, in milliseconds. Not a deadline of the message.
    #[serde(rename = "timeoutMs", skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Whether the caller waits.
    #[serde(default)]
    pub blocking: bool,
}

/// Where a DELIVER stands in its stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Delivery {
    /// Counts from 1 per (recipient, topic, sender).
    pub seq: u64,
    /// The recipient's session id from WELCOME.
    pub session_id: String,
    /// The `to` of the SEND where it was not the recipient's name.
    #[serde(rename = "originalTo", skip_serializing_if = "Option::is_none")]
    pub original_to: Option<String>,
}
