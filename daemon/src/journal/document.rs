//! Documents: small typed JSON values that are read whole at start and replaced as they change.

use std::sync::Arc;

use super::DocumentValue;

/// What a document describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DocumentKind {
    /// A name in the directory, with its hashed resume token.
    Name,
    /// A session.
    Session,
    /// A run of a session.
    Run,
    /// A credential's state; never its secret.
    Credential,
    /// A credential's or model's cooldown.
    Cooldown,
    /// A channel and its members.
    Channel,
    /// A delivery or start lease.
    Lease,
    /// A route that has a name.
    Route,
    /// The versions of a harness that have run here.
    Harness,
}

impl DocumentKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Name,
        Self::Session,
        Self::Run,
        Self::Credential,
        Self::Cooldown,
        Self::Channel,
        Self::Lease,
        Self::Route,
        Self::Harness,
    ];

    /// The word it is stored under.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Session => "session",
            Self::Run => "run",
            Self::Credential => "credential",
            Self::Cooldown => "cooldown",
            Self::Channel => "channel",
            Self::Lease => "lease",
            Self::Route => "route",
            Self::Harness => "harness",
        }
    }
}

/// Which document.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DocumentKey {
    /// What it describes.
    pub kind: DocumentKind,
    /// Whose it is.
    pub owner: u32,
    /// Its key within kind and owner.
    pub key: Arc<str>,
}

/// A document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Which one.
    pub key: DocumentKey,
    /// Its content.
    pub value: DocumentValue,
}
