//! What can go wrong between a client and the daemon.

use std::path::PathBuf;

use posthouse_protocol::codec::FramingError;
use posthouse_protocol::{DecodeError, ErrorCode};

/// Completes "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens on the socket.
    #[error("reach the daemon at {}: {source}", socket.display())]
    NotRunning {
        /// Where it was looked for.
        socket: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No socket path could be worked out.
    #[error(
        "find the daemon's socket: none of POSTHOUSE_SOCKET, POSTHOUSE_HOME, XDG_RUNTIME_DIR and HOME is set"
    )]
    NoPlace,
    /// The daemon could not be started.
    #[error("start the daemon: {0}")]
    Start(String),
    /// The daemon refused.
    #[error("{message} ({code})")]
    Refused {
        /// Why, for programs.
        code: ErrorCode,
        /// Why, for people.
        message: String,
    },
    /// The answer did not come in time.
    #[error("get an answer to {what} within {seconds} s")]
    Late {
        /// The request.
        what: String,
        /// How long was waited, in seconds.
        seconds: u64,
    },
    /// The daemon closed the connection.
    #[error("keep the connection: the daemon closed it{}", reason.as_deref().map(|r| format!(" ({r})")).unwrap_or_default())]
    Closed {
        /// The last ERROR it sent, if any.
        reason: Option<String>,
    },
    /// The daemon sent something that is not a frame.
    #[error(transparent)]
    Frame(#[from] DecodeError),
    /// The stream broke.
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// The socket failed.
    #[error("talk to the daemon: {0}")]
    Io(#[from] std::io::Error),
}
