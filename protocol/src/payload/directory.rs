//! Who is there.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// A name became reachable. Sent to every other client of the Agent Relay dialect (no version range in its HELLO), and to
/// those that subscribed to the topic `posthouse.arrivals`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct AgentReady {
    /// The name.
    pub name: String,
    /// Its harness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cli: Option<String>,
    /// What it works on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Since when, Unix milliseconds.
    #[serde(rename = "connectedAt")]
    pub connected_at: u64,
}

/// Asks for every known name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct ListAgents {
    /// Absent names too; absent means yes.
    #[serde(rename = "includeIdle", default, skip_serializing_if = "Option::is_none")]
    pub include_idle: Option<bool>,
    /// Kept for compatibility.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// One name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct AgentInfo {
    /// The name.
    pub name: String,
    /// Its harness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cli: Option<String>,
    /// Known but not reachable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<bool>,
    /// Who spawned it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Its group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Whether the daemon owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<bool>,
}

/// The names, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct ListAgentsResponse {
    /// Every one.
    #[serde(default)]
    pub agents: Vec<AgentInfo>,
}

/// Asks for every reachable name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct ListConnectedAgents {
    /// Kept for compatibility.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// The names, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct ListConnectedAgentsResponse {
    /// Every one.
    #[serde(default)]
    pub agents: Vec<AgentInfo>,
}

/// Forgets an absent name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct RemoveAgent {
    /// The name.
    pub name: String,
    /// Its inbox too.
    #[serde(rename = "removeMessages", default, skip_serializing_if = "Option::is_none")]
    pub remove_messages: Option<bool>,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct RemoveAgentResponse {
    /// Whether the request was carried out.
    pub success: bool,
    /// Whether there was such a name.
    pub removed: bool,
    /// A sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
