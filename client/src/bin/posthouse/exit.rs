//! Exit codes, and the failures that end a command.

use posthouse_client::ClientError;
use posthouse_protocol::ErrorCode;

/// How a command ended. The numbers are part of the contract with scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Done,
    /// It failed.
    Failed,
    /// The command line or an input was wrong.
    Usage,
    /// A credential needs a login.
    NeedsLogin,
    /// No daemon could be reached or started.
    NoDaemon,
    /// The daemon does not allow it.
    NotAllowed,
    /// The message was not and will not be delivered.
    NotDelivered,
    /// The time given ran out.
    TimedOut,
    /// The message may or may not have been delivered.
    Uncertain,
    /// A login ends soon and nothing renews it.
    EndsSoon,
}

impl Exit {
    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NeedsLogin => 3,
            Self::NoDaemon => 4,
            Self::NotAllowed => 5,
            Self::NotDelivered => 6,
            Self::TimedOut => 7,
            Self::Uncertain => 8,
            Self::EndsSoon => 9,
        }
    }
}

/// Why a command did not do what was asked. The message completes "failed to …".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How the process ends.
    pub exit: Exit,
    /// The daemon's code, where it was the daemon that refused.
    pub code: Option<ErrorCode>,
    /// For people.
    pub message: String,
}

impl Failure {
    /// A failure with its sentence.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, code: None, message: message.into() }
    }
}

impl From<ClientError> for Failure {
    fn from(e: ClientError) -> Self {
        let (exit, code) = match &e {
            ClientError::NotRunning { .. } | ClientError::NoPlace | ClientError::Start(_) => {
                (Exit::NoDaemon, None)
            }
            ClientError::Refused {
                code: code @ (ErrorCode::Forbidden | ErrorCode::Unauthorized), ..
            } => (Exit::NotAllowed, Some(*code)),
            ClientError::Refused { code, .. } => (Exit::Failed, Some(*code)),
            ClientError::Late { .. } => (Exit::TimedOut, None),
            _ => (Exit::Failed, None),
        };
        Self { exit, code, message: e.to_string() }
    }
}

impl From<posthouse_protocol::DecodeError> for Failure {
    fn from(e: posthouse_protocol::DecodeError) -> Self {
        ClientError::from(e).into()
    }
}

impl From<std::io::Error> for Failure {
    fn from(e: std::io::Error) -> Self {
        Self::new(Exit::Failed, e.to_string())
    }
}
