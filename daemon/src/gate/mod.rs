//! The gate: who connects, HELLO and WELCOME, limits, heartbeat and back-pressure, and the answers to requests.
//!
//! # Theory of operation
//!
//! A connection is one task that goes through three states, each a type: [`handshake::Handshaking`] reads HELLO and asks
//! post for the name, [`active::Active`] moves frames, [`closing::Closing`] says the last words; all three on one socket,
//! the [`mod@line`]. Frames of the message plane are handed to post in batches, as they were read ([`plane`]); requests become
//! tasks of their own ([`verb`]). Whatever is to be written to a connection is appended to its [`outbox`] by whoever has
//! it, and written by the connection's task, many chunks with one system call. Nobody waits for a slow reader: the
//! [`roster`] cuts it off. Nor for a crowd of newcomers, or for one who floods: the [`door`] and everybody's [`share`] see
//! to that.
//!
//! Who a peer is was decided by [`peer`] and [`identity`] from its process, before it said a word.

mod active;
mod closing;
mod door;
mod handshake;
mod house;
mod identity;
mod inbound;
mod line;
mod listen;
pub mod outbox;
mod outgoing;
mod peer;
mod plane;
mod roster;
mod share;
mod stamp;
#[cfg(test)]
mod tests;
mod verb;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use interprocess::local_socket::tokio::Listener;
use posthouse_protocol::handshake::DaemonInfo;
use posthouse_protocol::{ErrorCode, Violation};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::config::Limits;
use crate::credential::command::Credentials;
use crate::credential::http::Http;
use crate::failover::command::FailoverCommand;
use crate::harness::catalog::Catalog;
use crate::holder::ancestry;
use crate::holder::confines::Confines;
use crate::journal;
use crate::post::command::PostCommand;
use crate::session::command::Sessions;

pub use house::Place;
pub use listen::{ListenError, bind, handed};
pub use stamp::now_ms;

use house::{Down, House};
use roster::Roster;
use share::Traffic;

/// How long connections may take to end once the daemon does.
const FAREWELL: Duration = Duration::from_secs(2);

/// The rooms behind the gate.
#[derive(Clone, Debug)]
pub struct Rooms {
    /// Messages and names.
    pub post: mpsc::Sender<PostCommand>,
    /// Sessions.
    pub sessions: Sessions,
    /// Credentials.
    pub credentials: Credentials,
    /// Routes.
    pub failover: mpsc::Sender<FailoverCommand>,
    /// Requests of the daemon's own.
    pub http: Http,
    /// Harness definitions.
    pub catalog: Arc<Catalog>,
    /// What runs may take.
    pub confines: Arc<Confines>,
    /// Questions to the journal.
    pub desk: journal::Desk,
    /// The journal's writer, for how far it has come.
    pub journal: journal::Writer,
}

/// The gate of a daemon.
#[derive(Debug)]
pub struct Gate {
    house: Arc<House>,
    slots: Arc<Semaphore>,
}

impl Gate {
    /// Makes the gate. To be called on the tokio runtime that is to run its connections, best one without other
    /// threads: post should share it.
    pub fn new(rooms: Rooms, limits: Limits, daemon: DaemonInfo, place: Place) -> Self {
        let slots = Arc::new(Semaphore::new(limits.connections as usize));
        let house = House {
            post: rooms.post,
            sessions: rooms.sessions,
            credentials: rooms.credentials,
            failover: rooms.failover,
            http: rooms.http,
            catalog: rooms.catalog,
            confines: rooms.confines,
            desk: rooms.desk,
            journal: rooms.journal,
            roster: Roster::start(&limits),
            traffic: Traffic::default(),
            limits,
            daemon,
            place,
            own_runs: ancestry::runs_of(std::process::id()).unwrap_or_default(),
            started: Instant::now(),
            shutdown: watch::Sender::new(Down::default()),
        };
        Self { house: Arc::new(house), slots }
    }

    /// Accepts connections until someone who may asks for the daemon's end, or a [`Stop`] does. Returns the listener's
    /// descriptor if the program is to be run anew.
    pub async fn serve(&self, listener: Listener) -> Option<OwnedFd> {
        let listener = listen::accept(listener, self.house.clone(), self.slots.clone()).await;
        if !self.house.shutdown.borrow().again {
            return None;
        }
        let kept = listen::keep(listener);
        kept.inspect_err(|error| tracing::error!(%error, "failed to keep the socket; the daemon ends")).ok()
    }

    /// The handle that ends [`Self::serve`].
    pub fn stop(&self) -> Stop {
        Stop(self.house.shutdown.clone())
    }

    /// Tells every client that the daemon goes down, and waits a moment for the connections to end.
    pub async fn close(self) {
        let message = match self.house.shutdown.borrow().again {
            true => "the daemon runs its program anew; come back with the resume token",
            false => "the daemon is going down; sessions go on",
        };
        let why = Violation::warning(ErrorCode::ShuttingDown, message);
        self.house.roster.close_all(why).await;
        // What has not ended by then ends with the runtime.
        let _ = tokio::time::timeout(FAREWELL, self.slots.acquire_many(self.house.limits.connections)).await;
    }
}

/// Ends a gate.
#[derive(Clone, Debug)]
pub struct Stop(watch::Sender<Down>);

impl Stop {
    /// Has the gate accept no more connections.
    pub fn now(&self) {
        self.0.send_modify(|down| down.wanted = true);
    }

    /// The same, and has the program run anew.
    pub fn and_again(&self) {
        self.0.send_replace(Down { wanted: true, again: true });
    }
}
