//! Channels and topics.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::Json;

/// Asks for broadcasts of the envelope's topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Subscribe {
    /// The topic, where the envelope has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
}

/// Stops them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Unsubscribe {
    /// The topic, where the envelope has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
}

/// Becomes a member; to members, tells who did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct ChannelJoin {
    /// The channel, with or without `#`.
    pub channel: String,
    /// A name for people.
    #[serde(rename = "displayName", default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Someone else to be made a member (operators only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
}

/// Leaves; to members, tells who did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct ChannelLeave {
    /// The channel.
    pub channel: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Someone else to be removed (operators only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
}

/// A message for every member but the sender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct ChannelMessage {
    /// The channel.
    pub channel: String,
    /// The text.
    pub body: String,
    /// The conversation it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// Names it mentions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<String>,
    /// Files that go with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachments: Option<Json>,
    /// Anything else the sender attaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Json>,
}
