//! What can go wrong between the daemon and a holder.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::holder::wire::{ErrorCode, FailureCode, WireError};

/// Completes "failed to …".
#[derive(Debug, Error)]
pub enum LinkError {
    /// The holder's program could not be executed.
    #[error("execute the holder {}", program.display())]
    Execute {
        /// The program.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The holder could not start the run. The text is truthful and fit for people.
    #[error("{text}")]
    NotStarted {
        /// What could not be done.
        code: FailureCode,
        /// The operating system's error number, 0 if it is not about one.
        errno: i32,
        /// "execute codex: No such file or directory (os error 2)"
        text: String,
    },
    /// Nobody listens at the socket: the holder is dead. [`super::place::bury`] removes the name.
    #[error("find a holder at {}", socket.display())]
    NoHolder {
        /// The socket.
        socket: PathBuf,
    },
    /// The socket's path does not fit into an address, or is not absolute.
    #[error("use the socket path {} ({len} bytes; an absolute one of 107 at most)", path.display())]
    SocketPath {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        len: usize,
    },
    /// Reading or writing failed.
    #[error("talk to the holder")]
    Io(#[from] io::Error),
    /// The holder sent bytes that are no frame, or a command does not fit into one.
    #[error("understand the holder: {0}")]
    Wire(#[from] WireError),
    /// The holder refused.
    #[error("have the holder do it: {text}")]
    Refused {
        /// Why.
        code: ErrorCode,
        /// Why, for people.
        text: String,
    },
    /// The holder answered with something that is no answer to the question.
    #[error("understand the holder: an answer of type {kind:#06x} was not expected")]
    Unexpected {
        /// The type of the answer.
        kind: u16,
    },
    /// The holder did not answer in time.
    #[error("hear from the holder within {seconds} s")]
    Silent {
        /// How long was waited.
        seconds: u64,
    },
    /// The connection ended.
    #[error("keep the connection to the holder")]
    Lost,
    /// Too many commands wait already; nothing was sent.
    #[error("queue a command for the holder: too many wait")]
    Busy,
}
