//! What we know of one harness, as read from its definition file.
//!
//! Every section is plain data with defaults that suit a program we have never seen. What the sections mean to
//! the screen is in [`rules`](super::rules); how files are found and layered in [`catalog`](super::catalog).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use super::login_file::LoginFile;
use super::pattern::Template;
use super::rules::{ComposerRules, LoginScreen, Marker, NoticeRule};

/// One harness.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The name that mounts and `--harness` use.
    pub name: String,
    /// Whose accounts it runs on, for its simple cases; `None` where any command may be run.
    #[serde(default)]
    pub provider: Option<String>,
    /// The version of the program that this was measured with; one that never ran here is then announced.
    #[serde(default)]
    pub measured: Option<String>,
    /// The command line.
    #[serde(default)]
    pub launch: LaunchLine,
    /// How it learns of Posthouse's MCP server where no argument of the command line tells it.
    #[serde(default)]
    pub bridge: Option<BridgeSettings>,
    /// What of the outer environment gets through, and what is set.
    #[serde(default)]
    pub environment: Environment,
    /// How a credential is handed over.
    #[serde(default)]
    pub credential: CredentialUse,
    /// The harness's reports about itself.
    #[serde(default)]
    pub status: Option<StatusProtocol>,
    /// Whether a session counts as ready whatever it shows.
    #[serde(default)]
    pub always_ready: bool,
    /// Signs of the harness's state on its screen, tried in order.
    #[serde(default, rename = "marker")]
    pub markers: Vec<Marker>,
    /// How to find what is being typed.
    #[serde(default)]
    pub composer: Option<ComposerRules>,
    /// Screens that ask for a login.
    #[serde(default, rename = "login_screen")]
    pub login_screens: Vec<LoginScreen>,
    /// Lines by which the harness itself tells of a failure.
    #[serde(default, rename = "notice")]
    pub notices: Vec<NoticeRule>,
    /// How text is typed.
    #[serde(default)]
    pub injection: Injection,
    /// How a run is ended, step by step; the run is killed after the last one.
    #[serde(default)]
    pub end: Vec<EndStep>,
    /// What kind of conversation files it keeps.
    #[serde(default)]
    pub transcript: TranscriptKind,
    /// How a person logs in.
    #[serde(default)]
    pub login: Option<Login>,
    /// How it does one task without its terminal interface.
    #[serde(default)]
    pub one_shot: Option<OneShot>,
    /// Whether this is that form of it: it prints frames, takes nothing that is typed, and ends by itself.
    #[serde(skip)]
    pub prints: bool,
}

impl Definition {
    /// The form that does one task and ends: nothing is read off a screen, and nothing typed.
    pub fn one_shot(&self) -> Option<Self> {
        let one_shot = self.one_shot.clone()?;
        Some(Self {
            launch: one_shot.launch.clone(),
            status: None,
            always_ready: false,
            markers: Vec::new(),
            composer: None,
            login_screens: Vec::new(),
            notices: Vec::new(),
            injection: Injection { mid_turn: MidTurn::None, ..self.injection.clone() },
            one_shot: Some(one_shot),
            prints: true,
            ..self.clone()
        })
    }
}

/// A harness that is given its prompt on the command line, prints a JSON object per line, and ends.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneShot {
    /// Its command line in place of the other one.
    pub launch: LaunchLine,
    /// Where in what it prints the answer is; the last one counts.
    #[serde(default, rename = "answer")]
    pub answers: Vec<AnswerRule>,
}

/// A printed object that holds the answer, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerRule {
    /// Values that the object must have, each under its keys with dots between.
    pub when: BTreeMap<String, String>,
    /// Where the text is, as keys with dots between.
    pub at: String,
    /// Whether the text goes on where the one before it ended.
    #[serde(default)]
    pub joins: bool,
}

/// The command line, in this order: program, `resume`, or `new` and `session_id`, `args`, `bridge`, `model`, `trust`,
/// the credential's arguments, the caller's arguments, `prompt`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaunchLine {
    /// The program, looked up in the run's `PATH`. Without one, the caller's arguments are the command.
    #[serde(default)]
    pub program: Option<String>,
    /// Always given.
    #[serde(default)]
    pub args: Vec<Template>,
    /// Given where the command line is installed beside the daemon: they make the harness start Posthouse's MCP server.
    #[serde(default)]
    pub bridge: Vec<Template>,
    /// Given with a model.
    #[serde(default)]
    pub model: Vec<Template>,
    /// Given with a first prompt. Empty: the harness takes none, and the prompt must be typed.
    #[serde(default)]
    pub prompt: Vec<Template>,
    /// Given to resume a conversation by its id. Empty: it can't.
    #[serde(default)]
    pub resume: Vec<Template>,
    /// Given to begin a new conversation.
    #[serde(default)]
    pub new: Vec<Template>,
    /// Given to choose the id of a new conversation. Empty: the harness chooses.
    #[serde(default)]
    pub session_id: Vec<Template>,
    /// Given when the user trusts the folder.
    #[serde(default)]
    pub trust: Vec<Template>,
}

/// A variable with settings that the harness adds to its user's, in which Posthouse's MCP server is. Like the arguments
/// for it, it is given where the command line is installed beside the daemon; what a user has in it stays.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BridgeSettings {
    /// The variable.
    pub env: String,
    /// The settings.
    pub settings: Template,
}

/// The run's environment besides what every run gets.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Further names that pass from the outer environment; a trailing `*` stands for any rest.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Names that pass only to a run without a credential: the harness's own keys and homes.
    #[serde(default)]
    pub ambient: Vec<String>,
    /// Names that never pass, stronger than `allow`.
    #[serde(default)]
    pub scrub: Vec<String>,
    /// Fixed variables.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
}

/// How a credential reaches the harness.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialUse {
    /// The variable that names the harness's home directory.
    #[serde(default)]
    pub home_env: Option<String>,
    /// Where that directory is when the variable isn't set, relative to `HOME`.
    #[serde(default)]
    pub default_home: Option<PathBuf>,
    /// The files that hold a login, relative to that directory: when one is written anew, so is the login.
    #[serde(default)]
    pub login_files: Vec<String>,
    /// How the login in those files is read, and the provider asked about it.
    #[serde(default)]
    pub login: Option<LoginFile>,
    /// Where the harness by itself looks for a login or key, in its order: the first that is there wins.
    #[serde(default, rename = "source")]
    pub sources: Vec<KeySource>,
    /// How a key is given; the first whose `starts_with` fits.
    #[serde(default, rename = "key")]
    pub keys: Vec<KeyUse>,
    /// Files that a fresh home of Posthouse's own making begins with, so that no first-run dialog shows up.
    #[serde(default, rename = "seed")]
    pub seeds: Vec<Seed>,
    /// Where folder trust is kept when no launch argument can grant it.
    #[serde(default)]
    pub trust_file: Option<TrustFile>,
}

impl CredentialUse {
    /// How this key is given.
    pub fn key_use(&self, secret: &SecretString) -> Option<&KeyUse> {
        self.keys.iter().find(|how| secret.expose_secret().starts_with(&how.starts_with))
    }
}

/// A place where a harness looks for a login or key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "KeySourceFields")]
pub enum KeySource {
    /// A variable of its environment.
    Variable(String),
    /// A setting in a JSON file of its home.
    Setting {
        /// The file, relative to the home.
        file: PathBuf,
        /// The keys down to it.
        keys: Vec<String>,
    },
    /// A file of its home that holds a login.
    Login(PathBuf),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeySourceFields {
    env: Option<String>,
    file: Option<PathBuf>,
    keys: Option<Vec<String>>,
}

impl TryFrom<KeySourceFields> for KeySource {
    type Error = &'static str;

    fn try_from(fields: KeySourceFields) -> Result<Self, Self::Error> {
        match (fields.env, fields.file, fields.keys) {
            (Some(name), None, None) => Ok(Self::Variable(name)),
            (None, Some(file), None) => Ok(Self::Login(file)),
            (None, Some(file), Some(keys)) if !keys.is_empty() => Ok(Self::Setting { file, keys }),
            _ => Err("a source is `env`, or `file`, or `file` with `keys`"),
        }
    }
}

/// How a key is given to the harness.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyUse {
    /// Only keys that begin so.
    #[serde(default)]
    pub starts_with: String,
    /// Whether such a key belongs to a subscription, so that its use costs nothing more.
    #[serde(default)]
    pub subscription: bool,
    /// The variable that holds the key.
    pub env: String,
    /// How to ask the provider whether such a key works.
    #[serde(default)]
    pub probe: Option<Probe>,
    /// Arguments that make the harness use it.
    #[serde(default)]
    pub args: Vec<Template>,
    /// Arguments in place of `env` and `args` that make the harness ask a command for the key: when it starts, and after
    /// its provider refused the one it had.
    #[serde(default)]
    pub asks: Vec<Template>,
    /// The variable for another endpoint.
    #[serde(default)]
    pub base_url_env: Option<String>,
    /// The endpoint that `{base_url}` means in `args` when none is given.
    #[serde(default)]
    pub default_base_url: Option<String>,
}

/// A request that costs nothing and is answered only to whoever has a key that works.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The provider's endpoint, where the credential names no other.
    pub base_url: String,
    /// What is asked for, after the endpoint.
    pub path: String,
    /// Headers; `{secret}` stands for the key.
    pub headers: BTreeMap<String, String>,
}

/// A file in a fresh home.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// Its path, relative to the home.
    pub path: PathBuf,
    /// Its text; `{key_tail}` stands for the last 20 characters of the key.
    pub text: String,
}

/// A JSON file in which the harness remembers trusted folders.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustFile {
    /// Its path, relative to the home.
    pub path: PathBuf,
    /// Keys down to the flag that is set to `true`; `{cwd}` stands for the folder.
    pub keys: Vec<Template>,
}

/// The harness's own status reports (see [`osc`](super::osc)).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusProtocol {
    /// The name by which it signs them.
    pub app: String,
    /// Whether it reports only to a terminal that answered its question.
    #[serde(default)]
    pub asks_first: bool,
}

/// How text is typed into the harness.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Injection {
    /// How the body is written.
    pub paste: Paste,
    /// Pause between the body and Enter, in milliseconds; 0 puts both into one write.
    #[serde(rename = "gap_ms", deserialize_with = "millis")]
    pub gap: Duration,
    /// Pause instead when the body has more than one line or more than 256 bytes, in milliseconds.
    #[serde(rename = "long_gap_ms", deserialize_with = "millis")]
    pub long_gap: Duration,
    /// The bytes of the Enter key.
    pub enter: String,
    /// What Enter does during a turn.
    pub mid_turn: MidTurn,
    /// How long the output must rest, in milliseconds, before text is typed while readiness is unknown.
    #[serde(rename = "quiet_ms", deserialize_with = "millis")]
    pub quiet: Duration,
    /// How long to wait for a sign of submission, in milliseconds, before Enter may be pressed once more.
    #[serde(rename = "confirm_ms", deserialize_with = "millis")]
    pub confirm: Duration,
    /// Whether Enter may be pressed a second time at all.
    pub may_press_enter_again: bool,
    /// Characters that mean a command when a message begins with them.
    pub control_characters: String,
    /// Whether the end of a message suffers: blanks are trimmed, or a backslash continues the line. A body that
    /// ends so needs a line after it.
    pub closing_line: bool,
    /// Messages of fewer lines get their characters composed (Unicode NFC); a body with combining characters has
    /// to be made longer by blank lines before it. 0: never.
    pub composes_below_lines: u8,
    /// Characters that do not arrive as typed, whatever is done.
    pub alters: String,
    /// The keys that stop a running turn, pressed one after the other; empty where there are none.
    pub interrupt: Vec<String>,
}

impl Default for Injection {
    fn default() -> Self {
        Self {
            paste: Paste::Raw,
            gap: Duration::from_millis(50),
            long_gap: Duration::from_millis(300),
            enter: "\r".to_owned(),
            mid_turn: MidTurn::None,
            quiet: Duration::from_millis(700),
            confirm: Duration::from_secs(2),
            may_press_enter_again: false,
            control_characters: "/!@#".to_owned(),
            closing_line: false,
            composes_below_lines: 0,
            alters: String::new(),
            interrupt: Vec::new(),
        }
    }
}

/// How a body is written to the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Paste {
    /// Between `ESC[200~` and `ESC[201~`.
    Bracketed,
    /// As it is.
    Raw,
}

/// What Enter does while a turn runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MidTurn {
    /// The running turn takes the text up at once.
    Steer,
    /// The harness keeps it and takes it up by itself, at the next request or after the turn.
    Queue,
    /// Nothing good.
    None,
}

/// One step of ending a run: do it, then wait for the exit that long.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "EndStepFields")]
pub struct EndStep {
    /// What is done.
    pub act: EndAct,
    /// How long to wait for the exit.
    pub wait: Duration,
}

/// What asks a harness to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndAct {
    /// These bytes are typed.
    Keys(String),
    /// The harness process gets this signal.
    Signal(EndSignal),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndStepFields {
    keys: Option<String>,
    signal: Option<EndSignal>,
    #[serde(rename = "wait_ms", deserialize_with = "millis")]
    wait: Duration,
}

impl TryFrom<EndStepFields> for EndStep {
    type Error = &'static str;

    fn try_from(fields: EndStepFields) -> Result<Self, Self::Error> {
        let act = match (fields.keys, fields.signal) {
            (Some(keys), None) => EndAct::Keys(keys),
            (None, Some(signal)) => EndAct::Signal(signal),
            _ => return Err("an end step has either `keys` or `signal`"),
        };
        Ok(Self { act, wait: fields.wait })
    }
}

/// A signal that asks a program to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EndSignal {
    /// `SIGHUP`.
    Hup,
    /// `SIGINT`.
    Int,
    /// `SIGTERM`.
    Term,
}

/// The harness's conversation files (see [`transcript`](super::transcript)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TranscriptKind {
    /// None that we can read.
    #[default]
    None,
    /// `sessions/**/rollout-*.jsonl` in codex's home.
    Codex,
    /// `projects/<folder>/<session id>.jsonl` in claude's home.
    Claude,
}

/// How a person logs in with this harness.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The command.
    pub command: Vec<String>,
    /// The command for a machine without a browser.
    #[serde(default)]
    pub device: Option<Vec<String>>,
}

fn millis<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    u32::deserialize(from).map(|ms| Duration::from_millis(u64::from(ms)))
}
