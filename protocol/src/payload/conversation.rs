//! The conversation in a session: what was said, as its harness records it, and stopping what goes on.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Asks for what was said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Conversation {
    /// The session.
    pub name: String,
    /// The `next` of an earlier answer; absent means from the beginning of the current conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Only the place where the conversation ends now, to read on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_end: Option<bool>,
}

/// One thing that was said or done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Said {
    /// `user`, `agent` or `tool`.
    pub role: String,
    /// The text; of a tool, its name and what it was used on, as far as that fits a line.
    pub text: String,
}

/// What was said, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct ConversationResponse {
    /// The session.
    pub name: String,
    /// The harness's own id of the conversation; absent where there is none, or it is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// As much as fits a frame.
    #[serde(default)]
    pub said: Vec<Said>,
    /// Where to read on; absent where the harness keeps no conversation that can be read. After a move it leads to
    /// what is said in the next run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// More can be read at once.
    #[serde(default)]
    pub more: bool,
}

/// Stops the turn that a session is in, by the keys its harness has for that (operators only).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Interrupt {
    /// The session.
    pub name: String,
}

/// The keys were pressed; the turn ends when its harness sees fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct InterruptResponse {
    /// The session.
    pub name: String,
}
