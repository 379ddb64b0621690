//! Sessions.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{RestartPolicy, Restarts};
use crate::{Blob, Later};

/// Starts a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Spawn {
    /// Its name.
    pub name: String,
    /// The harness, optionally followed by arguments; `harness` goes before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cli: Option<String>,
    /// The first prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Its group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Where it works; absent means the caller's own directory or the user's home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The model to ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Kept for compatibility; the daemon knows who asks.
    #[serde(rename = "spawnerName", default, skip_serializing_if = "Option::is_none")]
    pub spawner_name: Option<String>,
    /// Kept for compatibility.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interactive: Option<bool>,
    /// The harness definition to use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub harness: Option<String>,
    /// Mounts in order of preference: `harness@provider/alias[:model], …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// For `generic`, the command; for others, extra arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Variables to set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,
    /// The user's word that the folder is trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<bool>,
    /// Rights for the agent inside: `spawn`, `release`, `credentials`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// Terminal size while nobody is attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<WindowSize>,
    /// Answer once it is ready for input, or after this many milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ready_ms: Option<u64>,
    /// Whether it is started again when its harness ends; absent means `never`.
    #[serde(default, skip_serializing_if = "Later::is_none")]
    pub restart: Later<RestartPolicy>,
    /// Do the task without the harness's terminal interface, and be over then; OUTCOME tells what became of it.
    #[serde(default, skip_serializing_if = "Later::is_none")]
    pub one_shot: Later<bool>,
}

impl Spawn {
    /// A session of that name, with nothing else said.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            cli: None,
            task: None,
            team: None,
            cwd: None,
            model: None,
            spawner_name: None,
            interactive: None,
            harness: None,
            route: None,
            args: Vec::new(),
            env: Vec::new(),
            trust: None,
            allow: Vec::new(),
            size: None,
            wait_ready_ms: None,
            restart: Later(None),
            one_shot: Later(None),
        }
    }
}

/// One environment variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct EnvVar {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A terminal's size in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct WindowSize {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
}

/// What became of SPAWN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct SpawnResult {
    /// Id of the SPAWN.
    #[serde(rename = "replyTo")]
    pub reply_to: String,
    /// Whether the process runs.
    pub success: bool,
    /// The session.
    pub name: String,
    /// The harness process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount: Option<String>,
    /// The run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The error code, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Ends a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Release {
    /// Its name.
    pub name: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Time the harness has to end by itself; absent means 5,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_ms: Option<u64>,
}

/// What became of RELEASE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct ReleaseResult {
    /// Id of the RELEASE.
    #[serde(rename = "replyTo")]
    pub reply_to: String,
    /// Whether every process of it is proven gone.
    pub success: bool,
    /// The session.
    pub name: String,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The error code, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Raw keys for a session (operators only).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct SendInput {
    /// The session.
    pub name: String,
    /// Keys, as the terminal would send them.
    pub data: String,
}

/// What became of SEND_INPUT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct SendInputResult {
    /// Id of the SEND_INPUT.
    #[serde(rename = "replyTo")]
    pub reply_to: String,
    /// Whether the terminal has them.
    pub success: bool,
    /// The session.
    pub name: String,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Asks for sessions in the words of Agent Relay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct ListWorkers {}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct WorkerInfo {
    /// Its name.
    pub name: String,
    /// Its harness.
    pub cli: String,
    /// Its first prompt.
    pub task: String,
    /// Its group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Who spawned it.
    #[serde(rename = "spawnerName", default, skip_serializing_if = "Option::is_none")]
    pub spawner_name: Option<String>,
    /// When, Unix milliseconds.
    #[serde(rename = "spawnedAt")]
    pub spawned_at: u64,
    /// Its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Its model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// The sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct ListWorkersResult {
    /// Id of the LIST_WORKERS.
    #[serde(rename = "replyTo")]
    pub reply_to: String,
    /// Every one.
    #[serde(default)]
    pub workers: Vec<WorkerInfo>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Asks for sessions with everything known of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct ListSessions {
    /// Only this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What a session waits for a person to decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Blocked {
    /// `permission`, `trust`, `login`, `auth`, `dialog` or another word of the harness definition.
    pub kind: String,
    /// Ties an answer to the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What can be answered, where it is known.
    #[serde(default)]
    pub options: Vec<String>,
    /// What the harness says about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The last failure that still matters, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Trouble {
    /// Its class.
    pub class: String,
    /// `provider/alias` it is charged to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// What failed, why and what runs instead.
    pub message: String,
    /// Until when, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The exact command that repairs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<String>,
    /// On what it rests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// When, Unix milliseconds.
    pub at: u64,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct SessionInfo {
    /// Its name.
    pub name: String,
    /// `starting`, `ready`, `busy`, `blocked`, `running` (readiness unknown), `moving`, `restarting`,
    /// `parked`, `ending`, `exited` or `failed`.
    pub state: String,
    /// The harness process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The harness definition.
    pub harness: String,
    /// What it runs on: `harness@provider/alias[:model]`, or the harness alone.
    pub mount: String,
    /// Its mounts in order of preference.
    #[serde(default)]
    pub route: Vec<String>,
    /// The current or last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Where it works.
    pub cwd: String,
    /// Its first prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The model asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Who spawned it.
    pub spawned_by: String,
    /// When, Unix milliseconds.
    pub spawned_at: u64,
    /// When the run started, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_started_at: Option<u64>,
    /// Since when it is in this state, Unix milliseconds.
    pub state_since: u64,
    /// The harness's own id of the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// Messages waiting for it.
    pub queued: u32,
    /// Attached terminals.
    pub viewers: u32,
    /// Whether someone's unsent line is in the composer.
    pub drafting: bool,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Blocked>,
    /// Until when it is parked, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// How the last run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<String>,
    /// The last failure that still matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// How it is kept going; absent where it never is.
    #[serde(default, skip_serializing_if = "Later::is_none")]
    pub restarts: Later<Restarts>,
}

/// The sessions, sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct ListSessionsResponse {
    /// Every one.
    #[serde(default)]
    pub sessions: Vec<SessionInfo>,
}

/// Asks for the current screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Screen {
    /// The session.
    pub name: String,
    /// With colours and attributes as escape sequences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ansi: Option<bool>,
}

/// The screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct ScreenResponse {
    /// The session.
    pub name: String,
    /// Its size.
    pub size: WindowSize,
    /// Its rows, top first, without trailing blanks.
    #[serde(default)]
    pub rows: Vec<String>,
    /// From 0.
    pub cursor_row: u16,
    /// From 0.
    pub cursor_col: u16,
    /// The window title.
    pub title: String,
    /// Whether the alternate screen is shown.
    pub alternate: bool,
    /// Bytes that draw it on an empty terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ansi: Option<Blob>,
}

/// Asks for raw output within the ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Logs {
    /// The session.
    pub name: String,
    /// From this offset on; absent means from the oldest kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Most bytes; absent means 512 KiB, never more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Raw output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct LogsResponse {
    /// The session.
    pub name: String,
    /// The run.
    pub run: String,
    /// Of the first byte.
    pub offset: u64,
    /// Offset after the newest byte there is.
    pub end: u64,
    /// The bytes.
    pub data: Blob,
}
