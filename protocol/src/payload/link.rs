//! The connection itself.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::ErrorCode;

/// Heartbeat of the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Ping {
    /// To be sent back.
    pub nonce: String,
}

/// Answer to PING.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Pong {
    /// From the PING.
    pub nonce: String,
}

/// A refusal or fault. The envelope id is that of the frame at fault, where there is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Error {
    /// For programs.
    pub code: ErrorCode,
    /// For people: what failed and what to do.
    pub message: String,
    /// Whether the connection is closed after it.
    pub fatal: bool,
}

/// The sender is about to close.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Bye {}

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Log {
    /// The line.
    pub data: String,
    /// The sender's clock, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<u64>,
}
