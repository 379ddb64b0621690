//! Failures that no rule knew.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::Json;

/// Asks for the failures that no rule knew, or for one of them whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Failures {
    /// Which one to give whole: its id, or the beginning of it that fits no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// One of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct FailureInfo {
    /// Its name.
    pub id: String,
    /// When it was seen last, in Unix milliseconds.
    pub at: u64,
    /// The harness.
    pub harness: String,
    /// The harness's version, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How it was seen.
    pub channel: String,
    /// The harness's exit code, if it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// The session that saw it first.
    pub session: String,
    /// How often it was seen.
    pub count: u32,
    /// The end of what was said.
    pub seen: String,
}

/// The failures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct FailuresResponse {
    /// Those asked for, the oldest first.
    #[serde(default)]
    pub failures: Vec<FailureInfo>,
    /// The one that was named, as a line of a case file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<Json>,
}
