//! What the credential room is told, and what it answers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use posthouse_protocol::ErrorCode;
use posthouse_protocol::payload::{Credential, CredentialResponse};
use secrecy::SecretString;
use tokio::sync::{mpsc, oneshot, watch};

use super::id::CredentialId;
use super::lease::Turn;
use super::probe::Outcome;
use super::refresh::RefreshError;
use super::state::{CredentialState, CredentialStatus, Proof};

/// Where the room takes commands; bounded. Counts beside that what it kept of credentials, so that others notice.
#[derive(Clone, Debug)]
pub struct Credentials(pub mpsc::Sender<CredentialCommand>, pub watch::Receiver<u64>);

impl Credentials {
    /// Changes whenever something new is known of a credential.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.1.clone()
    }
}

/// What the room is told.
#[derive(Debug)]
pub enum CredentialCommand {
    /// A request of a client that may.
    Request {
        /// What it wants.
        request: Credential,
        /// Who it is, for the events.
        actor: String,
        /// The answer.
        reply: oneshot::Sender<Result<CredentialResponse, CredentialError>>,
    },
    /// How is it handed over? Looks at the login again first, so that a repair made
    /// since is noticed.
    Take {
        /// Which.
        id: CredentialId,
        /// The answer.
        reply: oneshot::Sender<Result<Taken, CredentialError>>,
    },
    /// A run that was given it is about to start: when may it?
    Turn {
        /// Which.
        id: CredentialId,
        /// The answer.
        reply: oneshot::Sender<Turn>,
    },
    /// What is known of every credential now. Looks at the logins of those out of use first.
    Pool {
        /// The answer.
        reply: oneshot::Sender<Pool>,
    },
    /// A failure is charged to the credential that made the request.
    Charge {
        /// Which.
        id: CredentialId,
        /// The generation the request was made under; a credential that changed since is not charged.
        generation: u64,
        /// What it is from now on.
        state: CredentialState,
        /// The sentence for people.
        message: String,
    },
    /// It worked.
    Prove {
        /// Which.
        id: CredentialId,
        /// How that was seen.
        proof: Proof,
        /// When.
        at: Timestamp,
    },
    /// Several may have been blamed for what was not their fault: where their provider can be asked about them, it is.
    Verify {
        /// Which.
        ids: Vec<CredentialId>,
    },
    /// A probe came to its end.
    Probed {
        /// Of which.
        id: CredentialId,
        /// What it showed.
        outcome: Outcome,
    },
    /// A login of Posthouse's own was refreshed, or was not.
    Refreshed {
        /// Which.
        id: CredentialId,
        /// Whether it was.
        outcome: Result<(), RefreshError>,
    },
    /// Was a login written anew that starts wait for?
    LookAtLeases,
    /// A session began or ceased to run on it.
    Use {
        /// Which.
        id: CredentialId,
        /// The session.
        session: String,
        /// Whether it runs on it now.
        on: bool,
    },
}

/// A credential, handed over to a run.
#[derive(Clone, Debug)]
pub struct Taken {
    /// How often it was made usable again by a new login or key.
    pub renewals: u64,
    /// The login or key.
    pub access: Access,
}

/// How a run gets at it.
#[derive(Clone, Debug)]
pub enum Access {
    /// The harness's own home directory, used where it lies.
    Home(PathBuf),
    /// A key, with a home of Posthouse's making for whatever else the harness keeps.
    Key {
        /// The key.
        secret: SecretString,
        /// Another endpoint than the provider's own.
        base_url: Option<String>,
        /// The home directory that goes with it.
        home: PathBuf,
    },
}

/// What is known of every credential.
pub type Pool = BTreeMap<CredentialId, Member>;

/// What is known of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its state.
    pub status: CredentialStatus,
    /// The exact command that makes its login or key anew, if there is one.
    pub renew: Option<String>,
    /// Whether it is billed by use, as a key is and a subscription is not.
    pub metered: bool,
    /// How often it was made usable again by a new login or key.
    pub renewals: u64,
}

/// Why the room did not do what it was told; completes "failed to …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CredentialError {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
}

impl CredentialError {
    /// A refusal of what was asked for.
    pub fn bad(message: impl Into<String>) -> Self {
        Self { code: ErrorCode::BadCredential, message: message.into() }
    }

    /// A fault of the daemon's own.
    pub fn internal(message: impl Into<String>) -> Self {
        Self { code: ErrorCode::Internal, message: message.into() }
    }
}
