//! What the failover actor is told by sessions, and what it answers. It alone knows the credentials' states and
//! secrets; a session knows its own run and does as it is told.

use std::time::Duration;

use jiff::Timestamp;
use posthouse_protocol::payload::{self, RouteExplainResponse, Trouble};
use tokio::sync::{mpsc, oneshot, watch};

use super::observation::Observation;
use super::route::{Mount, Route};
use crate::credential::id::CredentialId;
use crate::credential::lease::Turn;
use crate::harness::launch::Presentation;
use crate::session::command::Key;

/// Where the failover actor takes commands; bounded. Counts beside that how often something became usable, for those
/// who wait for that.
#[derive(Clone, Debug)]
pub struct Failover {
    /// The way in.
    pub commands: mpsc::Sender<FailoverCommand>,
    /// Changes whenever a session that is parked may find a mount.
    pub reopened: watch::Receiver<u64>,
}

/// What the failover actor is told.
#[derive(Debug)]
pub enum FailoverCommand {
    /// A session needs a mount: the first usable one of its route.
    Choose {
        /// The session.
        session: String,
        /// Its mounts.
        route: Route,
        /// The answer.
        reply: oneshot::Sender<Choice>,
    },
    /// A run of an earlier daemon goes on.
    Adopted {
        /// Its session.
        session: String,
        /// What it runs on.
        credential: CredentialId,
        /// How often that was made anew before the run had it.
        renewals: u64,
    },
    /// Something was seen that may be a failure, at a moment at which the session can be moved.
    Report {
        /// What, and of whom.
        report: Box<FailureReport>,
        /// What the session is to do. Always answered, and always journaled as a `decision` event.
        reply: oneshot::Sender<Instruction>,
    },
    /// A turn ended well: whatever the session ran on works. Journaled as the decision that nothing is to be done.
    TurnDone {
        /// The session.
        session: String,
        /// What it runs on; `None` for a session without a route.
        mount: Option<Mount>,
    },
    /// A harness asks for the key of its run.
    Key {
        /// Whose.
        request: Box<KeyRequest>,
        /// The answer; waits for the provider's where the harness asks again.
        reply: oneshot::Sender<KeyAnswer>,
    },
    /// The provider was asked about the key that a harness asks for again.
    KeyAfterCheck {
        /// Whose.
        request: Box<KeyRequest>,
        /// The answer.
        reply: oneshot::Sender<KeyAnswer>,
    },
    /// A session is stuck with a turn that failed: is there a way by now?
    Freed {
        /// The session.
        session: String,
        /// Its mounts.
        route: Route,
        /// What it runs on.
        mount: Mount,
        /// The run, for the event.
        run: String,
        /// Where it goes on, if there is.
        reply: oneshot::Sender<Option<Assignment>>,
    },
    /// A session is between turns: is there a mount that it should go back to?
    Homeward {
        /// The session.
        session: String,
        /// Its mounts.
        route: Route,
        /// What it runs on.
        mount: Mount,
        /// The answer.
        reply: oneshot::Sender<Homeward>,
    },
    /// A request about routes that have names.
    Routes {
        /// What is wanted.
        request: payload::Route,
        /// Who asks, for the events.
        actor: String,
        /// The answer; a refusal completes "failed to …".
        reply: oneshot::Sender<Result<payload::RouteResponse, String>>,
    },
    /// The route that has this name.
    Named {
        /// The name.
        name: String,
        /// The answer; a refusal completes "failed to …".
        reply: oneshot::Sender<Result<Route, String>>,
    },
    /// Why a session runs where it runs.
    Explain {
        /// The session.
        session: String,
        /// Its mounts; `None` for a session without a route.
        route: Option<Route>,
        /// What it runs on.
        mount: Option<Mount>,
        /// A failure class to suppose.
        failure: Option<String>,
        /// The answer.
        reply: oneshot::Sender<RouteExplainResponse>,
    },
    /// A session is gone for good.
    Forget {
        /// The session.
        session: String,
    },
}

/// What a session saw.
#[derive(Clone, Debug)]
pub struct FailureReport {
    /// The session.
    pub session: String,
    /// Its mounts; `None` for a session without a route, which can only be told about.
    pub route: Option<Route>,
    /// What it runs on.
    pub mount: Option<Mount>,
    /// The run, for the event.
    pub run: String,
    /// What it saw.
    pub observation: Observation,
}

/// A harness asks for the key of its run.
#[derive(Clone, Debug)]
pub struct KeyRequest {
    /// The session.
    pub session: String,
    /// Its mounts.
    pub route: Option<Route>,
    /// What it runs on.
    pub mount: Mount,
    /// The run, for the event.
    pub run: String,
    /// It was given that key already, and asks because it was refused.
    pub again: bool,
}

/// The key of a run.
#[derive(Clone, Debug)]
pub enum KeyAnswer {
    /// Of what it runs on.
    Same(Key),
    /// Of what it runs on from now on.
    Other {
        /// The key.
        key: Key,
        /// What it runs on.
        mount: Mount,
        /// What is to be shown about it.
        trouble: Trouble,
    },
    /// There is none.
    None {
        /// Why; completes "failed to …".
        why: String,
        /// What the session is to do about that, where it was decided.
        then: Option<Instruction>,
    },
}

impl KeyAnswer {
    /// There is none, and nothing follows from that.
    pub fn none(why: impl Into<String>) -> Self {
        Self::None { why: why.into(), then: None }
    }
}

/// What a session is to do about a report.
#[derive(Clone, Debug)]
pub enum Instruction {
    /// Go on as before.
    Stay {
        /// What is to be shown, if it matters to a person.
        trouble: Option<Trouble>,
    },
    /// Stay: nothing is usable, and nobody knows when something will be. When something is, ask again.
    Stuck {
        /// What is to be shown.
        trouble: Trouble,
    },
    /// Stay on the mount, and try what failed again at this time.
    Retry {
        /// How long from now.
        wait: Duration,
        /// What is to be shown.
        trouble: Trouble,
    },
    /// Go on there.
    Move(Assignment),
    /// Rest.
    Park(Parking),
}

/// Where a session is to run.
#[derive(Clone, Debug)]
pub enum Choice {
    /// Here.
    On(Assignment),
    /// Nowhere for now.
    Park(Parking),
    /// Never: the route names something that is not there. The words complete "failed to …".
    Refused(String),
}

/// Whether a session goes back to a mount that its route prefers.
#[derive(Clone, Debug)]
pub enum Homeward {
    /// Not for all that is known.
    Stay,
    /// It chooses anew, and will be given such a mount. What is to be noted about that.
    Now(String),
    /// It asks again after this time.
    Later(Duration),
}

/// A mount with everything needed to start on it.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// The mount.
    pub mount: Mount,
    /// How its credential is handed to the harness.
    pub presentation: Presentation,
    /// What is to be shown about it, if it is not the session's first choice.
    pub trouble: Option<Trouble>,
    /// The session's route as it is now, where it has a name.
    pub route: Option<Route>,
    /// How often its login or key was made anew before.
    pub renewals: u64,
    /// When the run may start.
    pub turn: Turn,
}

/// No mount is usable.
#[derive(Clone, Debug)]
pub struct Parking {
    /// The earliest time at which one may be again; `None` if only a person can help.
    pub until: Option<Timestamp>,
    /// How long that is from now, by the clock that it was decided with.
    pub wait: Option<Duration>,
    /// What is to be shown about it.
    pub trouble: Trouble,
}
