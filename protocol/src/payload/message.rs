//! Messages and what becomes of them.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{Json, Receipt};

/// Body of SEND and DELIVER.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Message {
    /// `message`, `action`, `state` or `thinking`; absent means `message`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The text.
    pub body: String,
    /// Anything else the sender attaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Json>,
    /// The conversation it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
}

impl Message {
    /// A plain message.
    pub fn text(body: impl Into<String>) -> Self {
        Self { kind: None, body: body.into(), data: None, thread: None }
    }
}

/// A client took a delivery; with a correlation id, its answer to a blocking send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Ack {
    /// Id of the DELIVER.
    pub ack_id: String,
    /// Its sequence number; 0 where the correlation id says enough.
    #[serde(default)]
    pub seq: u64,
    /// From the DELIVER's `payload_meta.sync`.
    #[serde(rename = "correlationId", default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// The answer; `ERROR` where the call failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
    /// Whatever goes with the answer.
    #[serde(rename = "responseData", default, skip_serializing_if = "Option::is_none")]
    pub response_data: Option<Json>,
}

/// A client refuses a delivery: it fails with this reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Nack {
    /// Id of the DELIVER.
    pub ack_id: String,
    /// A word for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The frame named in the envelope id was not accepted: come back later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Busy {
    /// When, in milliseconds.
    pub retry_after_ms: u64,
    /// How much is waiting.
    pub queue_depth: u64,
}

/// Asks for the receipts of one message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Receipts {
    /// The daemon's id of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The id of the own SEND, where the daemon's is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

/// Every step so far, oldest first; the current state is the last step of a recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct ReceiptsResponse {
    /// Steps of all recipients.
    #[serde(default)]
    pub receipts: Vec<Receipt>,
}

/// Takes one queued message of the own name for this connection alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Claim {
    /// The daemon's id of it.
    pub message: String,
}

/// Whether it is ours; a DELIVER follows if so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct ClaimResult {
    /// The message.
    pub message: String,
    /// Whether this connection has it now.
    pub claimed: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Makes this auxiliary the delivery path of its name until it disconnects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Lease {}

/// Whether deliveries come here now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct LeaseResult {
    /// Whether this connection is the delivery path.
    pub granted: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
