//! Copies of another agent's messages.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Asks for copies of what one agent sends and receives. A second bind replaces the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct ShadowBind {
    /// Whose messages.
    #[serde(rename = "primaryAgent")]
    pub primary_agent: String,
    /// Kept for compatibility.
    #[serde(rename = "speakOn", default, skip_serializing_if = "Vec::is_empty")]
    pub speak_on: Vec<String>,
    /// Copies of what it receives; absent means yes.
    #[serde(rename = "receiveIncoming", default, skip_serializing_if = "Option::is_none")]
    pub receive_incoming: Option<bool>,
    /// Copies of what it sends; absent means yes.
    #[serde(rename = "receiveOutgoing", default, skip_serializing_if = "Option::is_none")]
    pub receive_outgoing: Option<bool>,
}

/// Stops them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct ShadowUnbind {
    /// Whose messages.
    #[serde(rename = "primaryAgent")]
    pub primary_agent: String,
}
