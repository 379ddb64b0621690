//! What becomes of a one-shot task.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::Trouble;

/// Asks what became of a one-shot session's task. Answered once it is over, once the session's state or mount is not what
/// the caller knows, or after a while.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Outcome {
    /// The session.
    pub name: String,
    /// `state@mount` of the last answer; absent is answered at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
    /// How long to wait at most, in milliseconds; a daemon may wait less. Absent: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// How far the task is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct OutcomeResponse {
    /// The session.
    pub name: String,
    /// Its state, as lists show it.
    pub state: String,
    /// What it runs on.
    pub mount: String,
    /// Whether the task was done; absent while it is not over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<bool>,
    /// What the harness answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// There was more of the answer than is kept.
    #[serde(default)]
    pub cut: bool,
    /// How the harness ended, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
    /// Until when it is parked, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// The harness's own id of the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
}

impl OutcomeResponse {
    /// What the next [`Outcome`] says that it knows.
    pub fn known(&self) -> String {
        format!("{}@{}", self.state, self.mount)
    }
}
