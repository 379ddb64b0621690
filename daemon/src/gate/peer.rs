//! The process at the other end of a connection.

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
    /// Its process id; `None` where the system does not say.
    pub(super) pid: Option<u32>,
    sight: Sight,
}

/// What can be seen of a process.
#[derive(Debug)]
enum Sight {
    /// The runs it lives in.
    Runs(Runs),
    /// It lives in a process namespace that this daemon does not see into.
    Hidden,
    /// It has ended.
    Gone,
}

impl Peer {
    pub(super) fn of(credentials: &PeerCreds, lineages: &mut Lineages) -> Self {
        let pid = credentials.pid().and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0);
        let sight = match lineages.runs_of(pid.unwrap_or(0)) {
            _ if pid.is_none() => Sight::Hidden,
            Ok(runs) => Sight::Runs(runs.clone()),
            Err(_) => Sight::Gone,
        };
        // No user has this id; it is the kernel's own word for "nobody".
        Self { uid: credentials.euid().unwrap_or(u32::MAX), pid, sight }
    }

    /// Where the peer lives, as far as this daemon's sessions know.
    pub(super) async fn whereabouts(&self, house: &House) -> Whereabouts {
        let runs = match &self.sight {
            Sight::Runs(runs) => runs,
            // It may live in a session or not, so it gets the rights that are safe in either case.
            Sight::Hidden => return Whereabouts::StrangeRun,
            Sight::Gone => return Whereabouts::Ended,
        };
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
