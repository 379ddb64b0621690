//! What a session is apart from its life: the spec it was spawned with, its current run, and how it rests. Kept in
//! the journal as one document per session, without secrets.

use std::path::PathBuf;

use posthouse_protocol::payload::Trouble;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::brief::Heard;
use super::injection::prompt::Prompt;
use super::kept::within_budget;
use super::luggage::{Departed, Luggage};
use super::restart::Restarting;
use super::turn::Turn;
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
    /// It does its task without the harness's terminal interface, and is over then.
    #[serde(default)]
    pub one_shot: bool,
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
    /// The boot of the machine that it was started in.
    #[serde(default)]
    pub boot: Option<String>,
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
    /// How often its login or key was made anew before it was given to the run: what fails under an earlier one says nothing
    /// of the present one.
    #[serde(default)]
    pub renewals: u64,
    /// Whether its harness asks for its key, so that another one can take its place.
    #[serde(default)]
    pub asks: bool,
    /// Whether its harness prints and takes nothing that is typed.
    #[serde(default)]
    pub prints: bool,
    /// The account of its turn.
    #[serde(default)]
    pub turn: Turn,
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

/// A session as the journal keeps it: all that the next daemon needs to go on as this one would have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// What it was spawned as.
    pub spec: SessionSpec,
    /// Its current or last run.
    #[serde(default)]
    pub run: Option<RunRecord>,
    /// How it rests.
    pub rest: Rest,
    /// How it is kept going.
    #[serde(default)]
    pub restarting: Restarting,
    /// What is still to be typed that post does not know of, in order: the first task, a brief, a word to go on, messages
    /// that are submitted again.
    #[serde(default, serialize_with = "store_owed")]
    pub owed: Vec<Prompt>,
    /// What goes along to the next mount, while the session moves.
    #[serde(default)]
    pub luggage: Option<Luggage>,
    /// The run it moved away from last, if a message was on its way into it.
    #[serde(default)]
    pub departed: Option<Departed>,
    /// What it was told, for whoever takes over.
    #[serde(default)]
    pub heard: Heard,
    /// A turn of it ended well, so that a successor has to be told something.
    #[serde(default)]
    pub has_past: bool,
    /// Its turn failed, nothing else was usable, and it goes on once something is.
    #[serde(default)]
    pub stuck: bool,
    /// The last failure that still matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// What became of the task of a one-shot session.
    #[serde(default)]
    pub outcome: Option<Outcome>,
}

/// What became of the task of a one-shot session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Whether it was done.
    pub done: bool,
    /// What the harness answered.
    #[serde(default)]
    pub answer: Option<String>,
    /// There was more of the answer.
    #[serde(default)]
    pub cut: bool,
}

impl SessionRecord {
    /// A session that is about to be started for the first time.
    pub fn new(spec: SessionSpec) -> Self {
        Self {
            spec,
            run: None,
            rest: Rest::Live,
            restarting: Restarting::default(),
            owed: Vec::new(),
            luggage: None,
            departed: None,
            heard: Heard::default(),
            has_past: false,
            stuck: false,
            trouble: None,
            outcome: None,
        }
    }
}

/// What is too long is left out.
fn store_owed<S: serde::Serializer>(owed: &[Prompt], serializer: S) -> Result<S::Ok, S::Error> {
    let kept = within_budget(owed, |prompt| &prompt.text);
    serializer.collect_seq(owed.iter().zip(kept).filter_map(|(prompt, fits)| fits.then_some(prompt)))
}

/// How a session rests when no daemon is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Rest {
    /// Its run lives, or was about to.
    Live,
    /// Its run is being ended, and it goes on elsewhere.
    Moving,
    /// No mount is usable.
    Parked {
        /// Until when, if anything is known.
        until: Option<jiff::Timestamp>,
        /// Why, for people.
        why: String,
    },
    /// Its harness ended, and it is started again.
    Restarting {
        /// When, Unix milliseconds.
        at: u64,
        /// How the harness ended, for people.
        how: String,
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
    use crate::session::turn::Open;

    #[test]
    fn the_stored_shape_is_stable() {
        let run = RunRecord {
            run: Uuid::from_u128(7),
            socket: "/run/h-1".into(),
            harness: "codex".into(),
            mount: Some("codex@openai/work".parse().unwrap()),
            started_at: 2,
            boot: Some("b-1".into()),
            home: Some("/homes/work".into()),
            conversation: Some("c-1".into()),
            resumed: true,
            conversation_from: 9,
            renewals: 0,
            asks: false,
            prints: false,
            turn: Turn::given(Prompt::of_house(Uuid::from_u128(1), "fix it".into())),
        };
        let asked = Prompt::of_house(Uuid::from_u128(2), "go on".into());
        let mut heard = Heard::default();
        heard.add(&asked);
        let spec = SessionSpec {
            name: "alice".into(),
            harness: "codex".into(),
            route: Some("codex@openai/work".parse().unwrap()),
            args: vec![],
            cwd: "/work".into(),
            task: Some("fix it".into()),
            team: None,
            model: None,
            trust: true,
            one_shot: false,
            allow: vec!["spawn".into()],
            size: Cells { cols: 100, rows: 30 },
            spawned_by: "bob".into(),
            spawned_at: 1,
        };
        let open = vec![Open { prompt: asked.clone(), worked: true }];
        let mut luggage = Luggage::pack(run.clone(), open, "revoked".into(), "its screen");
        luggage.under_way = Some(Uuid::from_u128(3));
        let record = SessionRecord {
            run: Some(run),
            rest: Rest::Exited { how: "code 1".into() },
            owed: vec![asked],
            luggage: Some(luggage),
            departed: Some(Departed { run: Uuid::from_u128(8), message: Uuid::from_u128(3), worked: false }),
            heard,
            has_past: true,
            ..SessionRecord::new(spec)
        };
        insta::assert_json_snapshot!(record);
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<SessionRecord>(&text).unwrap(), record);
    }

    #[test]
    fn a_record_of_the_first_daemons_is_read() {
        let text = r#"{"spec":{"name":"a","harness":"codex","cwd":"/w","size":{"cols":100,"rows":30},"spawned_by":"b",
            "spawned_at":1},"run":{"run":"00000000-0000-0000-0000-000000000007","socket":"/s","harness":"codex",
            "mount":null,"started_at":2},"rest":{"state":"live"}}"#;
        let record: SessionRecord = serde_json::from_str(text).unwrap();
        assert!(record.owed.is_empty() && record.luggage.is_none() && !record.has_past);
    }
}
