//! Whether and how a session whose harness ended is started again.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

crate::codes! {
    /// When a session is started again.
    pub enum RestartPolicy {
        /// Never: it rests as `exited`.
        Never = 1 => "never",
        /// When it ended badly: a code that is not 0, a signal, a holder that died, a reboot.
        OnFailure = 2 => "on-failure",
        /// However it ended, unless somebody released it.
        Always = 3 => "always",
    }
}

/// How a session is kept going.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Restarts {
    /// When it is started again.
    pub policy: RestartPolicy,
    /// How often it was since it last proved healthy by ending a turn well.
    pub attempts: u32,
    /// Most attempts in a row.
    pub budget: u32,
    /// When the next attempt is due, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<u64>,
    /// The last end that nobody asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Crash>,
}

/// An end that nobody asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Crash {
    /// When, Unix milliseconds.
    pub at: u64,
    /// How, for people: `code 1`, `signal 9 (out of memory)`, `its holder died`, `the machine was restarted`.
    pub how: String,
    /// The last lines of its screen, without trailing blanks; at most 30.
    #[serde(default)]
    pub screen: Vec<String>,
}
