//! Routes that have names, and why a session runs where it runs.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{Json, payload::Trouble};

/// Reads or changes routes that have names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Route {
    /// Lists all.
    List,
    /// Makes one, or changes it.
    Set {
        /// Its name.
        name: String,
        /// `harness@provider/alias[:model]`, with commas between; left out, they stay as they are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mounts: Option<String>,
        /// `ask` or `allow`; left out, it is as it was, or `ask`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cost: Option<String>,
    },
    /// Forgets one on which no session runs.
    Remove {
        /// Its name.
        name: String,
    },
    /// Lets one session go on where it is billed by use.
    Allow {
        /// The session.
        session: String,
    },
}

/// One route that has a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct RouteInfo {
    /// Its name.
    pub name: String,
    /// Its mounts in order.
    pub mounts: Vec<String>,
    /// `ask` or `allow`.
    pub cost: String,
    /// Sessions that run on it.
    #[serde(default)]
    pub sessions: Vec<String>,
}

/// The routes there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct RouteResponse {
    /// All of them, by name.
    #[serde(default)]
    pub routes: Vec<RouteInfo>,
    /// What was done, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

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
