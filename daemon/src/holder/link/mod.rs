//! The daemon's side of a holder: start one or adopt one, then command it through a
//! [`LinkHandle`] and take its [`HolderEvent`]s. A link never reconnects by itself: when it is lost
//! its owner adopts the holder again and decides from [`LinkHandle::status`] what to repeat.

mod actor;
mod backlog;
mod error;
mod handle;
pub mod place;
mod start;

use bytes::Bytes;
use tokio::sync::mpsc;

pub use error::LinkError;
pub use handle::LinkHandle;
pub use start::{HolderProgram, adopt, spawn};

use super::run::{Exit, RunId, StreamId, Survivor};
use super::script::Report;

/// A connection to one holder.
#[derive(Debug)]
pub struct Link {
    /// Gives commands; cheap to clone. The connection ends when every clone is gone.
    pub handle: LinkHandle,
    /// What the holder says, in order. Ends after [`HolderEvent::Lost`], or after a collected run.
    pub events: mpsc::Receiver<HolderEvent>,
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The run it holds.
    pub run: RunId,
    /// The holder's process id.
    pub holder_pid: u32,
    /// The process id of the run's leader: the harness itself.
    pub child_pid: u32,
    /// The protocol version spoken.
    pub version: u16,
}

/// What a holder says without being asked.
#[derive(Debug)]
pub enum HolderEvent {
    /// Bytes of a stream.
    Output {
        /// Which stream.
        stream: StreamId,
        /// Absolute offset of the first byte.
        offset: u64,
        /// The bytes, never empty.
        bytes: Bytes,
    },
    /// A terminal's ring overwrote these bytes before they could be sent.
    Gap {
        /// Which stream.
        stream: StreamId,
        /// Absolute offset of the first lost byte.
        from: u64,
        /// Absolute offset after the last lost byte; output goes on here.
        to: u64,
    },
    /// A stream has ended.
    StreamEnd {
        /// Which stream.
        stream: StreamId,
        /// Its length.
        offset: u64,
    },
    /// A write script got further.
    Progress(Report),
    /// The leader has ended; the output before that has been delivered.
    Exited(Exit),
    /// The leader ended by itself and these processes of the run go on.
    Remains(Vec<Survivor>),
    /// Proven: no process of the run is left.
    Gone,
    /// An END could not be completed: these processes are left.
    NotGone(Vec<Survivor>),
    /// The connection is lost; the run may well live.
    Lost {
        /// Why.
        why: LinkError,
    },
}
