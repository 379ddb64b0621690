//! What a session's task is told: by the registry, and by the helpers that it sent out itself.

use std::time::Duration;

use posthouse_protocol::payload::{
    Attach, Conversation, ConversationResponse, LogsResponse, RouteExplainResponse, ScreenResponse,
    WindowSize,
};
use uuid::Uuid;

use super::recount::Told;
use crate::failover::command::{Assignment, Choice, Homeward, Instruction, KeyAnswer};
use crate::gate::outbox::Outbox;
use crate::holder::link::Link;
use crate::holder::script::{OperationId, Report};
use crate::post::command::ConnId;
use crate::session::adopt::Left;
use crate::session::command::{Key, Reply, Started};
use crate::session::conversation::Said;
use crate::session::live::Live;
use crate::session::replay::Gathered;
use crate::session::spec::Outcome;

/// A command of the registry.
#[derive(Debug)]
pub enum Order {
    /// End the session and prove that nothing of it is left.
    Release {
        /// Why.
        reason: Option<String>,
        /// How long the harness may take to end by itself.
        grace: Duration,
        /// By whom.
        by: String,
        /// Whether the name stays known, because a new session takes it over.
        keep_name: bool,
        /// Told once it is proven gone.
        reply: Reply<()>,
    },
    /// The current screen.
    Screen {
        /// With escape sequences.
        ansi: bool,
        /// The answer.
        reply: Reply<ScreenResponse>,
    },
    /// Raw output within the ring.
    Logs {
        /// From this offset on.
        after: Option<u64>,
        /// Most bytes.
        limit: usize,
        /// The answer.
        reply: Reply<LogsResponse>,
    },
    /// What was said in the conversation.
    Conversation {
        /// From where on.
        request: Conversation,
        /// Most bytes of text.
        limit: usize,
        /// The answer.
        reply: Reply<ConversationResponse>,
    },
    /// Stop the turn.
    Interrupt {
        /// Told once the terminal has the keys.
        reply: Reply<()>,
    },
    /// It may go on where it is billed by use.
    Allow {
        /// Told once that is noted.
        reply: Reply<()>,
    },
    /// Raw keys.
    Keys {
        /// The bytes.
        data: Vec<u8>,
        /// Told once the terminal has them.
        reply: Reply<()>,
    },
    /// A connection becomes a viewer.
    Attach {
        /// What was asked for.
        attach: Box<Attach>,
        /// Id of the request, for ATTACH_RESPONSE.
        request: String,
        /// The connection.
        conn: ConnId,
        /// Where frames go.
        outbox: Outbox,
        /// The answer.
        reply: Reply<()>,
    },
    /// Keys of a viewer.
    ViewerInput {
        /// The connection.
        conn: ConnId,
        /// The bytes.
        data: Vec<u8>,
    },
    /// A viewer's window changed.
    ViewerResize {
        /// The connection.
        conn: ConnId,
        /// Its new size.
        size: WindowSize,
    },
    /// A view ended.
    Detach {
        /// The connection.
        conn: ConnId,
    },
    /// Why the session runs where it runs.
    Explain {
        /// A failure class to suppose.
        failure: Option<String>,
        /// The answer.
        reply: Reply<RouteExplainResponse>,
    },
    /// The key of the run.
    Key {
        /// The answer.
        reply: Reply<Key>,
    },
    /// What became of a one-shot session's task.
    Outcome {
        /// The answer.
        reply: Reply<Option<Outcome>>,
    },
    /// The daemon ends: leave the run as it is.
    Leave,
}

/// News from a helper that the task sent out.
#[derive(Debug)]
pub(super) enum News {
    /// The journal has the note of a prompt, or failed.
    Noted(Uuid, Result<(), String>),
    /// The holder said how far a script is.
    Reported(Report),
    /// The holder does not remember a script.
    NotSeen(OperationId),
    /// A run was started, or was not.
    Started(Result<Box<Live>, String>),
    /// The holder of a lost link was looked for.
    Relinked(Result<Link, Left>),
    /// The conversation of this run says something.
    Said(Uuid, Said),
    /// The file of a conversation was found.
    Told(Box<Told>),
    /// Failover decided about a report of this run.
    Instructed(Uuid, Instruction),
    /// A mount was chosen.
    Chosen(Choice),
    /// Failover said whether this run's session should go back.
    Homeward(Uuid, Homeward),
    /// Failover said which key this run is to have.
    Keyed(Uuid, KeyAnswer, Reply<Key>),
    /// This run's session was stuck, and goes on there.
    Freed(Uuid, Assignment),
    /// Old output was read for somebody.
    Gathered(Gathered, GatheredFor),
}

/// Who wanted old output.
#[derive(Debug)]
pub(super) enum GatheredFor {
    /// LOGS.
    Logs(Reply<LogsResponse>),
    /// A viewer that wants the lines before its screen, or everything from an offset on.
    Viewer {
        /// The connection.
        conn: ConnId,
        /// Lines to show; `None` for everything.
        lines: Option<usize>,
    },
}

/// Who waits for a session to have started.
#[derive(Debug)]
pub(crate) struct Waiter {
    /// Told once the process runs, or why it does not.
    pub reply: Reply<Started>,
    /// Wait until it is ready, but no longer than this.
    pub ready_within: Option<Duration>,
}
