//! What the registry of sessions is told, and what it answers.

use std::time::Duration;

use posthouse_protocol::ErrorCode;
use posthouse_protocol::payload::{
    Attach, Conversation, ConversationResponse, LogsResponse, RouteExplainResponse, ScreenResponse,
    SessionInfo, ShutdownResponse, Spawn, WindowSize,
};
use secrecy::SecretString;
use tokio::sync::{mpsc, oneshot, watch};

use crate::credential::id::CredentialId;
use crate::gate::outbox::Outbox;
use crate::post::command::ConnId;
use crate::principal::Principal;
use crate::session::spec::Outcome;

/// Where the registry takes commands; bounded.
#[derive(Clone, Debug)]
pub struct Sessions(pub mpsc::Sender<SessionsCommand>);

/// The answer to a command.
pub type Reply<T> = oneshot::Sender<Result<T, SessionError>>;

/// What the registry is told. Rights have been checked by the gate.
#[derive(Debug)]
pub enum SessionsCommand {
    /// Start a session.
    Spawn {
        /// What was asked for.
        spawn: Box<Spawn>,
        /// By whom.
        by: Principal,
        /// Told once the process runs, or why it does not.
        reply: Reply<Started>,
    },
    /// End a session and prove that nothing of it is left.
    Release {
        /// Which.
        name: String,
        /// Why, for the events.
        reason: Option<String>,
        /// How long the harness may take to end by itself.
        grace: Duration,
        /// By whom.
        by: Principal,
        /// Told once it is proven gone.
        reply: Reply<()>,
    },
    /// Sessions with everything known of them, sorted by name.
    List {
        /// Only this one.
        name: Option<String>,
        /// The answer.
        reply: oneshot::Sender<Vec<SessionInfo>>,
    },
    /// Let a session go on where it is billed by use.
    Allow {
        /// Which.
        name: String,
        /// Told once that is noted.
        reply: Reply<()>,
    },
    /// The current screen.
    Screen {
        /// Whose.
        name: String,
        /// With escape sequences.
        ansi: bool,
        /// The answer.
        reply: Reply<ScreenResponse>,
    },
    /// Raw output within the ring.
    Logs {
        /// Whose.
        name: String,
        /// From this offset on.
        after: Option<u64>,
        /// Most bytes.
        limit: usize,
        /// The answer.
        reply: Reply<LogsResponse>,
    },
    /// What was said in the conversation.
    Conversation {
        /// Whose, and from where on.
        request: Conversation,
        /// Most bytes of text.
        limit: usize,
        /// The answer.
        reply: Reply<ConversationResponse>,
    },
    /// Stop the turn.
    Interrupt {
        /// Whose.
        name: String,
        /// Told once the terminal has the keys.
        reply: Reply<()>,
    },
    /// Raw keys of an operator.
    Keys {
        /// For which session.
        name: String,
        /// The bytes.
        data: Vec<u8>,
        /// Told once the terminal has them.
        reply: Reply<()>,
    },
    /// A connection becomes a viewer. On success the session itself writes ATTACH_RESPONSE into the outbox and OUTPUT
    /// and NOTICE after it, so that no output can overtake the answer.
    Attach {
        /// What was asked for.
        attach: Box<Attach>,
        /// Id of the ATTACH, for the answer.
        request: String,
        /// The connection.
        conn: ConnId,
        /// Where frames go.
        outbox: Outbox,
        /// Whether it was done; a refusal is told to the client by the gate.
        reply: Reply<()>,
    },
    /// Keys of a viewer.
    ViewerInput {
        /// The connection.
        conn: ConnId,
        /// Which session it views.
        name: String,
        /// The bytes.
        data: Vec<u8>,
    },
    /// A viewer's window changed.
    ViewerResize {
        /// The connection.
        conn: ConnId,
        /// Which session it views.
        name: String,
        /// Its new size.
        size: WindowSize,
    },
    /// A view ended.
    Detach {
        /// The connection.
        conn: ConnId,
        /// Which session; `None` for all, when the connection is gone.
        name: Option<String>,
    },
    /// Why a session runs where it runs.
    Explain {
        /// Which.
        name: String,
        /// A failure class to suppose.
        failure: Option<String>,
        /// The answer.
        reply: Reply<RouteExplainResponse>,
    },
    /// Everything known of a session, and when that changes.
    Watch {
        /// Which.
        name: String,
        /// The answer.
        reply: Reply<watch::Receiver<Option<SessionInfo>>>,
    },
    /// What became of the task of a one-shot session, once it is over.
    Outcome {
        /// Which.
        name: String,
        /// The answer.
        reply: Reply<Option<Outcome>>,
    },
    /// The key of a session's run, for the harness or agent in it.
    Key {
        /// Which.
        name: String,
        /// The answer.
        reply: Reply<Key>,
    },
    /// Whose run this is and what its agent may do; `None` for a run nobody knows.
    Rights {
        /// The run, from the peer's environment.
        run: String,
        /// Session name and rights.
        reply: oneshot::Sender<Option<(String, Vec<String>)>>,
    },
    /// The daemon is about to end.
    Shutdown {
        /// End every session first.
        release_all: bool,
        /// Told when all is done that was asked for.
        reply: oneshot::Sender<ShutdownResponse>,
    },
}

/// A session that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spawned {
    /// The harness process.
    pub pid: u32,
    /// The run.
    pub run: String,
    /// What it runs on.
    pub mount: String,
}

/// How a session began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    /// With a run.
    Runs(Spawned),
    /// It waits until something is usable.
    Parked,
}

/// The key of a run.
#[derive(Clone, Debug)]
pub struct Key {
    /// Whose it is.
    pub credential: CredentialId,
    /// How often it was made anew before.
    pub renewals: u64,
    /// The key.
    pub secret: SecretString,
}

/// Why the registry did not do what it was told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SessionError {
    /// For programs.
    pub code: ErrorCode,
    /// For people: completes "failed to …".
    pub message: String,
}

impl SessionError {
    /// An error with its sentence.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}
