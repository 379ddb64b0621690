//! What goes along to the next mount. Kept in the session's record until the new run has it, so that a daemon that dies
//! in the middle of a move leaves nothing behind.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::brief::{SCREEN_LENGTH, last};
use super::spec::RunRecord;
use super::turn::{self, Open};

/// What goes along.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Luggage {
    /// What the failed turn was asked.
    #[serde(default, serialize_with = "turn::store")]
    pub open: Vec<Open>,
    /// The message among them, or before them, whose receipt has not ended: post still has it.
    #[serde(default)]
    pub under_way: Option<Uuid>,
    /// What was running.
    pub from: String,
    /// Why it no longer is.
    pub why: String,
    /// What its screen showed last.
    #[serde(default)]
    pub screen: String,
    /// The run that is left.
    pub left: Option<RunRecord>,
    /// Nothing failed: the session goes back, between turns, to what its route prefers.
    #[serde(default)]
    pub returning: bool,
    /// Nobody knows what the last turn was asked.
    #[serde(default)]
    pub unsure: bool,
}

impl Luggage {
    /// Packs what a run leaves; its account of the turn is in `open`.
    pub fn pack(left: RunRecord, open: Vec<Open>, why: String, screen: &str) -> Self {
        Self {
            unsure: open.is_empty(),
            open,
            under_way: None,
            from: left.mount_name(),
            why,
            screen: last(screen, SCREEN_LENGTH),
            returning: false,
            left: Some(RunRecord { turn: Default::default(), ..left }),
        }
    }

    /// Whether a tool may have run for any of it.
    pub fn worked(&self) -> bool {
        self.open.iter().any(|open| open.worked)
    }

    /// Whether a tool may have run for this message.
    pub fn worked_on(&self, message: Uuid) -> bool {
        self.open.iter().any(|open| open.prompt.id == message && open.worked)
    }

    /// What can be submitted again: nothing was begun of it.
    pub fn untouched(&self) -> impl Iterator<Item = &Open> {
        self.open.iter().filter(|open| !open.worked)
    }
}

/// A run that a session moved away from, for messages that were on their way into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departed {
    /// The run; it is proven gone.
    pub run: Uuid,
    /// The message whose receipt had not ended.
    pub message: Uuid,
    /// Whether a tool may have run for it.
    pub worked: bool,
}
