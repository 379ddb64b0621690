//! Why a session runs where it runs.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{Json, payload::Trouble};

/// Asks for the reasoning behind the last move, or behind a move that might come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct RouteExplain {
    /// The session.
    pub name: String,
    /// A failure class to suppose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// One mount of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct MountInfo {
    /// `harness@provider/alias[:model]`.
    pub mount: String,
    /// Whether the session runs on it.
    pub current: bool,
    /// Whether it could be used now.
    pub usable: bool,
    /// Why or why not.
    pub reason: String,
    /// Until when not, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// The reasoning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct RouteExplainResponse {
    /// The session.
    pub name: String,
    /// The route in order.
    #[serde(default)]
    pub mounts: Vec<MountInfo>,
    /// The last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// The decision it led to, as in its event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Json>,
    /// The same for people.
    #[serde(default)]
    pub lines: Vec<String>,
}
