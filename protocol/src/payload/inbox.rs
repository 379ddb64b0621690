//! Messages that are kept.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{Json, Later, ReceiptState};

/// Asks for the messages kept for the own name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Inbox {
    /// Another name (operators only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Most messages to list, newest last; absent means 50, never more than 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only what has not been delivered.
    #[serde(rename = "unreadOnly", default, skip_serializing_if = "Option::is_none")]
    pub unread_only: Option<bool>,
    /// Only from this sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Only of this channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Answer once there is a message that is listed, or after this many milliseconds; absent means at once.
    #[serde(default, skip_serializing_if = "Later::is_none")]
    pub wait_ms: Later<u64>,
    /// Leave out the messages with these ids; at most 500.
    #[serde(default, skip_serializing_if = "Later::is_none")]
    pub except: Later<Vec<String>>,
}

/// One kept message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct InboxMessage {
    /// The daemon's id.
    pub id: String,
    /// Who sent it.
    pub from: String,
    /// The text.
    pub body: String,
    /// The channel it came by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Its conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// When it was accepted, Unix milliseconds.
    pub timestamp: u64,
    /// How far it has come for this recipient.
    pub state: ReceiptState,
    /// Why it waits or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The messages, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct InboxResponse {
    /// As many as fit a frame.
    #[serde(default)]
    pub messages: Vec<InboxMessage>,
    /// Whether older ones were left out.
    #[serde(default)]
    pub truncated: bool,
}

/// Asks for messages the caller sent or received; an operator sees all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct MessagesQuery {
    /// Most messages to list; absent means 50, never more than 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only accepted at or after, Unix milliseconds.
    #[serde(rename = "sinceTs", default, skip_serializing_if = "Option::is_none")]
    pub since_ts: Option<u64>,
    /// Only from this sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Only to this recipient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Only of this conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// `asc` or `desc` (the default) by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
}

/// One message of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct StoredMessage {
    /// The daemon's id.
    pub id: String,
    /// Who sent it.
    pub from: String,
    /// Whom it was addressed to.
    pub to: String,
    /// The text.
    pub body: String,
    /// The channel it came by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Its conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// When it was accepted, Unix milliseconds.
    pub timestamp: u64,
    /// How far it has come, where it has one recipient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Whether it went to several.
    #[serde(rename = "isBroadcast", default, skip_serializing_if = "Option::is_none")]
    pub is_broadcast: Option<bool>,
    /// What the sender attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Json>,
}

/// The messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct MessagesResponse {
    /// As many as fit a frame.
    #[serde(default)]
    pub messages: Vec<StoredMessage>,
}
