//! What a session is apart from its life: the spec it was spawned with, its current run, and how it rests. Kept in
//! the journal as one document per session, without secrets.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::failover::route::{Mount, Route};
use crate::holder::run::{RunId, Size};

/// What was asked for at spawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSpec {
    /// Its name.
    pub name: String,
    /// The definition it started with; a route may lead to others.
    pub harness: String,
    /// Its mounts in order of preference; `None` for a harness on whatever login it finds.
    #[serde(default)]
    pub route: Option<Route>,
    /// The command of a definition without a program; further arguments for others.
    #[serde(default)]
    pub args: Vec<String>,
    /// Where it works, absolute.
    pub cwd: PathBuf,
    /// The first prompt.
    #[serde(default)]
    pub task: Option<String>,
    /// Its group.
    #[serde(default)]
    pub team: Option<String>,
    /// The model asked for, where the mount says none.
    #[serde(default)]
    pub model: Option<String>,
    /// The user's word that the folder is trusted.
    #[serde(default)]
    pub trust: bool,
    /// Rights of the agent inside.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Terminal size while nobody is attached.
    pub size: Cells,
    /// Who spawned it.
    pub spawned_by: String,
    /// When, Unix milliseconds.
    pub spawned_at: u64,
}

/// A terminal's size as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cells {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
}

impl From<Cells> for Size {
    fn from(cells: Cells) -> Self {
        Self { rows: cells.rows, cols: cells.cols }
    }
}

impl From<Size> for Cells {
    fn from(size: Size) -> Self {
        Self { rows: size.rows, cols: size.cols }
    }
}

/// One run, as the next daemon needs to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Its id.
    pub run: Uuid,
    /// Where its holder listens.
    pub socket: PathBuf,
    /// The definition it runs under.
    pub harness: String,
    /// What it runs on; `None` for whatever login the harness finds.
    pub mount: Option<Mount>,
    /// When it was started, Unix milliseconds.
    pub started_at: u64,
    /// The harness's home directory in this run.
    #[serde(default)]
    pub home: Option<PathBuf>,
    /// The harness's own id of the conversation, once it is known.
    #[serde(default)]
    pub conversation: Option<String>,
    /// Whether it went on with an earlier conversation.
    #[serde(default)]
    pub resumed: bool,
    /// Where in the conversation's file this run begins, in bytes.
    #[serde(default)]
    pub conversation_from: u64,
    /// What the house itself still has to type.
    #[serde(default)]
    pub opening: Option<Opening>,
}

impl RunRecord {
    /// The run's id.
    pub fn id(&self) -> RunId {
        RunId::new(self.run)
    }

    /// How lists show what it runs on.
    pub fn mount_name(&self) -> String {
        self.mount.as_ref().map_or_else(|| self.harness.clone(), Mount::to_string)
    }
}

/// A prompt of the house's own: the first task, a handover brief, a word to go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Names it, so that it is typed once.
    pub id: Uuid,
    /// What is typed.
    pub text: String,
}

/// A session as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// What it was spawned as.
    pub spec: SessionSpec,
    /// Its current or last run.
    #[serde(default)]
    pub run: Option<RunRecord>,
    /// How it rests.
    pub rest: Rest,
}

/// How a session rests when no daemon is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Rest {
    /// Its run lives, or was about to.
    Live,
    /// No mount is usable.
    Parked {
        /// Until when, if anything is known.
        until: Option<jiff::Timestamp>,
        /// Why, for people.
        why: String,
    },
    /// Its harness ended.
    Exited {
        /// How, for people.
        how: String,
    },
    /// It could not go on.
    Failed {
        /// Why, for people.
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_shape_is_stable() {
        let record = SessionRecord {
            spec: SessionSpec {
                name: "alice".into(),
                harness: "codex".into(),
                route: Some("codex@openai/work".parse().unwrap()),
                args: vec![],
                cwd: "/work".into(),
                task: Some("fix it".into()),
                team: None,
                model: None,
                trust: true,
                allow: vec!["spawn".into()],
                size: Cells { cols: 100, rows: 30 },
                spawned_by: "bob".into(),
                spawned_at: 1,
            },
            run: Some(RunRecord {
                run: Uuid::from_u128(7),
                socket: "/run/h-1".into(),
                harness: "codex".into(),
                mount: Some("codex@openai/work".parse().unwrap()),
                started_at: 2,
                home: Some("/homes/work".into()),
                conversation: Some("c-1".into()),
                resumed: true,
                conversation_from: 9,
                opening: None,
            }),
            rest: Rest::Exited { how: "code 1".into() },
        };
        insta::assert_json_snapshot!(record);
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<SessionRecord>(&text).unwrap(), record);
    }
}
