//! Everything that post is told, and the seams through which it talks to connections and sessions.

use posthouse_protocol::handshake::{Agreed, DaemonInfo, ServerLimits};
use posthouse_protocol::payload::AgentInfo;
use posthouse_protocol::{Evidence, Frame, Hello, ReceiptState, Violation, When};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::gate::outbox::Outbox;
use crate::principal::Principal;

/// One connection, for as long as the daemon runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(pub u64);

/// What post is told. One bounded queue carries all of it, so that its order is the order of events.
#[derive(Debug)]
pub enum PostCommand {
    /// A connection whose HELLO was found good wants its name.
    Admit(Box<Admit>),
    /// Frames of the message plane (SEND, ACK, NACK, CHANNEL_*, SUBSCRIBE, UNSUBSCRIBE, SHADOW_*, CLAIM, LEASE), in
    /// the order they were read. Answers go to the connection's outbox.
    Frames {
        /// Whose.
        conn: ConnId,
        /// All that one read brought.
        frames: Vec<Frame>,
    },
    /// A connection ended.
    Leave {
        /// Which.
        conn: ConnId,
        /// Why.
        why: Departure,
    },
    /// A session's name is to be reserved before its process is started; refused with `NAME_TAKEN` or `BAD_NAME`.
    Reserve {
        /// The name.
        name: String,
        /// The answer.
        reply: oneshot::Sender<Result<(), Violation>>,
    },
    /// A session can take injections from now on (spawned, or adopted by a new daemon). Said again with the same queue
    /// it only replaces what is known of the session.
    SessionUp {
        /// Its name.
        name: String,
        /// Who it is, for lists and AGENT_READY.
        info: Box<AgentInfo>,
        /// Where injections go.
        sink: SessionSink,
    },
    /// A session ended or gave its reserved name back. What it had not finished stays in its inbox.
    SessionDown {
        /// Its name.
        name: String,
        /// Whether the name is to be forgotten.
        forget: bool,
    },
    /// What became of an injection.
    Progress(Progress),
    /// A question.
    Query(PostQuery),
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Departure {
    /// The client closed it, with BYE or without.
    Closed,
    /// The daemon closed it. Written to the events, and told to the name's next connection as a non-fatal ERROR.
    Cut(Violation),
}

/// A connection that asks for its name.
#[derive(Debug)]
pub struct Admit {
    /// The connection.
    pub conn: ConnId,
    /// Who it is, as the gate found.
    pub principal: Principal,
    /// Its process, where the daemon sees it.
    pub pid: Option<u32>,
    /// What it said.
    pub hello: Hello,
    /// What both sides speak, for WELCOME.
    pub agreed: Agreed,
    /// The connection's limits, for WELCOME.
    pub limits: ServerLimits,
    /// This daemon, for WELCOME.
    pub daemon: DaemonInfo,
    /// Where its frames go. Post writes nothing there before it has answered `reply`.
    pub outbox: Outbox,
    /// The answer. After `Ok`, WELCOME is written by post itself as the first chunk of the outbox, then what was kept
    /// for the name.
    pub reply: oneshot::Sender<Result<Admitted, Violation>>,
}

/// A name was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// The connection's session id, as WELCOME says it.
    pub session_id: String,
}

/// Where a session takes injections. Post hands over at most [`SessionSink::WINDOW`] per lane and keeps the rest.
#[derive(Clone, Debug)]
pub struct SessionSink {
    /// The session's queue.
    pub injections: mpsc::Sender<Injection>,
    /// The run that is live, as far as the session has said.
    pub run: Option<String>,
}

impl SessionSink {
    /// Unfinished injections a session holds per `when`. The channel has room for all three lanes.
    pub const WINDOW: usize = 16;
}

/// One message on its way into a harness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injection {
    /// The message.
    pub message: Uuid,
    /// Who sent it.
    pub from: String,
    /// Whom it was addressed to, where that is not the session's own name (`*`, `#channel`).
    pub original_to: Option<String>,
    /// The text, unchanged.
    pub body: String,
    /// Its conversation.
    pub thread: Option<String>,
    /// When it may be typed.
    pub when: When,
    /// An operator's text without the header line.
    pub plain: bool,
    /// Whether the sender waits for an answer.
    pub expects_answer: bool,
    /// Unix milliseconds after which it is not to be started any more.
    pub deadline: Option<u64>,
    /// How far an earlier daemon had brought it, and in which run.
    pub earlier: Option<Earlier>,
}

#[cfg(test)]
impl Injection {
    /// A message from `alice`, for tests.
    pub fn sample(body: &str) -> Self {
        Self {
            message: Uuid::from_u128(5),
            from: "alice".into(),
            original_to: None,
            body: body.into(),
            thread: None,
            when: When::Idle,
            plain: false,
            expects_answer: false,
            deadline: None,
            earlier: None,
        }
    }
}

/// What the journal knows of an injection that an earlier daemon began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// The last state journaled.
    pub state: ReceiptState,
    /// The run it was meant for.
    pub run: String,
    /// The attempt.
    pub attempt: u32,
}

/// A step of an injection, told by its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The session.
    pub session: String,
    /// The message.
    pub message: Uuid,
    /// What happened.
    pub step: Step,
}

/// What can happen to an injection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It waits; the reason says for what.
    Waiting {
        /// `busy`, `blocked: permission`, `drafting`, `starting`, `parked until …`.
        reason: String,
    },
    /// It is about to be written to this run. Journaled before the first byte, so that a crash of daemon and holder
    /// together leaves `uncertain` and not a second submission. `done` is told when the note is in the journal; an
    /// error means that the message is not the session's any more (someone claimed it, it expired, or the note could
    /// not be written): nothing may be written, and nothing more is to be told about it.
    Writing {
        /// The run.
        run: String,
        /// Counts submissions, from 1.
        attempt: u32,
        /// Told after the commit.
        done: Intent,
    },
    /// It moved on.
    Reached {
        /// `written`, `submitted`, `delivered`, `failed`, `expired` or `uncertain`.
        state: ReceiptState,
        /// On what that rests.
        evidence: Option<Evidence>,
        /// Why it failed or is uncertain.
        reason: Option<String>,
        /// The run.
        run: Option<String>,
        /// The attempt.
        attempt: u32,
    },
}

/// A one-time call-back that compares equal to any other, so that the step around it can be compared.
#[derive(Debug)]
pub struct Intent(pub Option<oneshot::Sender<Result<(), String>>>);

impl Clone for Intent {
    fn clone(&self) -> Self {
        Self(None)
    }
}

impl PartialEq for Intent {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Intent {}

/// Questions that only post can answer.
#[derive(Debug)]
pub enum PostQuery {
    /// Every name it knows.
    Agents {
        /// Only those reachable.
        connected: bool,
        /// The answer.
        reply: oneshot::Sender<Vec<AgentInfo>>,
    },
    /// Forgets an absent name; the answer is whether there was one.
    Remove {
        /// The name.
        name: String,
        /// The answer; the violation says why not (it is reachable).
        reply: oneshot::Sender<Result<bool, Violation>>,
    },
    /// Messages waiting, connections, names.
    Counts {
        /// The answer.
        reply: oneshot::Sender<PostCounts>,
    },
}

/// Figures for STATUS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PostCounts {
    /// Open connections.
    pub connections: u32,
    /// Reachable names.
    pub reachable: u32,
    /// Messages waiting for a recipient.
    pub queued: u64,
}
