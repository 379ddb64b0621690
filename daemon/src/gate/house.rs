//! What all connections share: the handles of the other rooms, the limits, and the daemon's own particulars.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use posthouse_protocol::handshake::DaemonInfo;
use tokio::sync::{mpsc, watch};

use super::roster::Roster;
use super::share::Traffic;
use crate::config::Limits;
use crate::credential::command::Credentials;
use crate::credential::http::Http;
use crate::failover::command::FailoverCommand;
use crate::harness::catalog::Catalog;
use crate::holder::ancestry::Runs;
use crate::holder::confines::Confines;
use crate::journal;
use crate::post::command::{ConnId, Departure, PostCommand};
use crate::session::command::{Sessions, SessionsCommand};

/// Whether and how the daemon is to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Down {
    /// It is to end.
    pub(super) wanted: bool,
    /// Its program is to be run anew.
    pub(super) again: bool,
}

/// Handles and facts; shared, never changed.
#[derive(Debug)]
pub(super) struct House {
    pub(super) post: mpsc::Sender<PostCommand>,
    pub(super) sessions: Sessions,
    pub(super) credentials: Credentials,
    pub(super) failover: mpsc::Sender<FailoverCommand>,
    pub(super) http: Http,
    pub(super) catalog: Arc<Catalog>,
    pub(super) confines: Arc<Confines>,
    pub(super) desk: journal::Desk,
    pub(super) journal: journal::Writer,
    pub(super) roster: Roster,
    pub(super) traffic: Traffic,
    pub(super) limits: Limits,
    pub(super) daemon: DaemonInfo,
    pub(super) place: Place,
    /// Runs that the daemon itself was started in; its clients share them.
    pub(super) own_runs: Runs,
    pub(super) started: Instant,
    pub(super) shutdown: watch::Sender<Down>,
}

/// Where the daemon lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its socket.
    pub socket: PathBuf,
    /// Its state directory.
    pub state: PathBuf,
    /// Its program, as it was when the process started.
    pub program: PathBuf,
    /// User id it runs as; the only one it talks to.
    pub uid: u32,
}

impl House {
    /// Tells the sessions that a viewer's connection has ended.
    pub(super) fn stop_viewing(&self, conn: ConnId) {
        let detach = SessionsCommand::Detach { conn, name: None };
        if let Err(mpsc::error::TrySendError::Full(detach)) = self.sessions.0.try_send(detach) {
            let sessions = self.sessions.0.clone();
            spawn(async move { drop(sessions.send(detach).await) });
        }
    }

    /// Tells post that a connection has ended. Never waits, because it is called where a task is being dropped.
    pub(super) fn leave(&self, conn: ConnId, why: Departure) {
        let leave = PostCommand::Leave { conn, why };
        if let Err(mpsc::error::TrySendError::Full(leave)) = self.post.try_send(leave) {
            let post = self.post.clone();
            spawn(async move { drop(post.send(leave).await) });
        }
    }
}

/// Spawns a task if there is a runtime still: connections are also dropped when it is taken down.
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(task);
    }
}
