//! Who is asking, as the daemon established it; never as the peer claims it.

use posthouse_protocol::handshake::PrincipalKind;

/// Whoever a connection or a request belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// User id of the peer process.
    pub uid: u32,
    /// The name it shook hands with.
    pub name: String,
    /// What it is, and so what it may do.
    pub kind: Kind,
}

/// What a principal is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The user: every right.
    Operator,
    /// A program outside of any session. It runs as the user, so it has the user's rights but for raw keys.
    Client,
    /// The agent of a session, with the rights that the session was given.
    Agent {
        /// The session it runs in.
        session: String,
        /// The run of it.
        run: String,
        /// Rights beyond messages: `spawn`, `release`, `credentials`.
        allow: Vec<String>,
    },
    /// May look and may not change anything.
    Observer,
}

/// Something not everyone may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Send messages, join channels, acknowledge.
    Send,
    /// Start sessions.
    Spawn,
    /// End sessions.
    Release,
    /// Read and change credentials.
    Credentials,
    /// Type raw keys, attach with a keyboard, send without the daemon's header line.
    Keys,
    /// See other names' messages, every event, end the daemon.
    Administer,
}

impl Principal {
    /// Whether the principal may.
    pub fn may(&self, right: Right) -> bool {
        match (&self.kind, right) {
            (Kind::Operator, _) => true,
            (Kind::Client, Right::Send | Right::Spawn | Right::Release | Right::Credentials) => true,
            (Kind::Client, Right::Keys | Right::Administer) => false,
            (Kind::Agent { .. }, Right::Send) => true,
            (Kind::Agent { allow, .. }, right) => allow.iter().any(|granted| granted == right.word()),
            (Kind::Observer, _) => false,
        }
    }

    /// The session the principal runs in.
    pub fn session(&self) -> Option<&str> {
        match &self.kind {
            Kind::Agent { session, .. } => Some(session),
            Kind::Operator | Kind::Client | Kind::Observer => None,
        }
    }

    /// How the wire names it.
    pub fn wire(&self) -> posthouse_protocol::handshake::Principal {
        let kind = match self.kind {
            Kind::Operator => PrincipalKind::Operator,
            Kind::Client | Kind::Agent { .. } => PrincipalKind::Agent,
            Kind::Observer => PrincipalKind::Observer,
        };
        posthouse_protocol::handshake::Principal {
            uid: self.uid,
            kind,
            session: self.session().map(str::to_owned),
        }
    }
}

impl Right {
    /// The word it is granted by at spawn.
    pub fn word(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Spawn => "spawn",
            Self::Release => "release",
            Self::Credentials => "credentials",
            Self::Keys => "keys",
            Self::Administer => "administer",
        }
    }
}
