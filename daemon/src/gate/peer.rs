//! The process at the other end of a connection.

use std::sync::Arc;

use interprocess::local_socket::PeerCreds;
use tokio::sync::oneshot;

use super::house::House;
use super::identity::Whereabouts;
use crate::holder::ancestry::{Lineages, Runs};
use crate::session::command::SessionsCommand;

/// A peer, as the kernel described it when it connected. Its ancestry is looked up at once: later its number might be
/// another process's.
#[derive(Debug)]
pub(super) struct Peer {
    /// Its effective user id.
    pub(super) uid: u32,
    runs: Option<Runs>,
}

impl Peer {
    pub(super) fn of(credentials: &PeerCreds, lineages: &mut Lineages) -> Self {
        let pid = credentials.pid().and_then(|pid| u32::try_from(pid).ok());
        let runs = pid.and_then(|pid| lineages.runs_of(pid).ok().cloned());
        // No user has this id; it is the kernel's own word for "nobody".
        Self { uid: credentials.euid().unwrap_or(u32::MAX), runs }
    }

    /// Where the peer lives, as far as this daemon's sessions know.
    pub(super) async fn whereabouts(&self, house: &Arc<House>) -> Whereabouts {
        let Some(runs) = &self.runs else { return Whereabouts::Ended };
        for run in runs {
            let (reply, rights) = oneshot::channel();
            let ask = SessionsCommand::Rights { run: run.to_string(), reply };
            if house.sessions.0.send(ask).await.is_err() {
                return Whereabouts::StrangeRun;
            }
            if let Ok(Some((session, allow))) = rights.await {
                return Whereabouts::Session { session, run: run.to_string(), allow };
            }
        }
        // A daemon that was itself started inside somebody's session shares that ancestry with all its clients.
        match runs.iter().all(|run| house.own_runs.contains(run)) {
            true => Whereabouts::Outside,
            false => Whereabouts::StrangeRun,
        }
    }
}
