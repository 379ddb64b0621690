//! HELLO and WELCOME: who is there, and what both sides speak. Always JSON.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{Encoding, ErrorCode, Violation, limits};

/// A range of protocol versions, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct VersionRange {
    /// First version spoken.
    pub min: u16,
    /// Last version spoken.
    pub max: u16,
}

impl VersionRange {
    /// What this crate speaks.
    pub const OURS: Self = Self { min: limits::VERSION_MIN, max: limits::VERSION_MAX };

    /// The highest version in both ranges.
    pub fn overlap(self, other: Self) -> Option<u16> {
        let version = self.max.min(other.max);
        (version >= self.min && version >= other.min).then_some(version)
    }
}

crate::codes! {
    /// What a connection asks to be for its name.
    pub enum Role {
        /// The delivery path of the name; one at a time, but for people.
        Primary = 1 => "primary",
        /// Beside the primary: may send and ask, is handed nothing unless it claims it.
        Auxiliary = 2 => "auxiliary",
    }
}

crate::codes! {
    /// Who is asking.
    pub enum PrincipalKind {
        /// The user, with every right.
        Operator = 1 => "operator",
        /// A program that sends and receives; inside a session it is that session's agent.
        Agent = 2 => "agent",
        /// May look and may not change anything.
        Observer = 3 => "observer",
    }
}

/// What a client can take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Capabilities {
    /// Acknowledges deliveries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<bool>,
    /// Comes back with its resume token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<bool>,
    /// Most deliveries it wants unacknowledged; the daemon's own limit is the ceiling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_inflight: Option<u32>,
    /// Uses topics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supports_topics: Option<bool>,
    /// Wants RECEIPT frames for what it sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipts: Option<bool>,
    /// Understands BUSY.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy: Option<bool>,
}

/// The token part of HELLO.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Resume {
    /// From the WELCOME of the connection to be continued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_token: Option<String>,
}

/// First frame of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Hello {
    /// The name to be known by.
    pub agent: String,
    /// What the client can take.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// Versions spoken; absent means 1 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<VersionRange>,
    /// Encodings spoken, best first; empty means JSON.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub encodings: Vec<Encoding>,
    /// Who is asking; absent means operator for a user and agent for everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<PrincipalKind>,
    /// Absent means primary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// `user` for people, who may connect many times; anything else is an agent.
    #[serde(rename = "entityType", default, skip_serializing_if = "Option::is_none")]
    pub entity_type: Option<String>,
    /// The harness, as the client calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cli: Option<String>,
    /// The client program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The model in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What it works on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Where it works.
    #[serde(rename = "workingDirectory", default, skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<String>,
    /// A name for people.
    #[serde(rename = "displayName", default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// A group it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// What to continue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Resume>,
}

impl Hello {
    /// A HELLO with only a name.
    pub fn new(agent: impl Into<String>) -> Self {
        Self {
            agent: agent.into(),
            capabilities: Capabilities::default(),
            versions: None,
            encodings: Vec::new(),
            kind: None,
            role: None,
            entity_type: None,
            cli: None,
            program: None,
            model: None,
            task: None,
            working_directory: None,
            display_name: None,
            team: None,
            session: None,
        }
    }

    /// The resume token, if it brought one.
    pub fn resume_token(&self) -> Option<&str> {
        self.session.as_ref()?.resume_token.as_deref()
    }

    /// Whether a person is connecting.
    pub fn is_user(&self) -> bool {
        self.entity_type.as_deref() == Some("user")
    }
}

/// The daemon's limits for this connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct ServerLimits {
    /// Largest payload, in bytes.
    pub max_frame_bytes: u32,
    /// Interval of PING, in milliseconds.
    pub heartbeat_ms: u32,
    /// Most unacknowledged deliveries.
    pub max_inflight: u32,
}

/// Who the daemon takes the connection for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Principal {
    /// User id of the peer process.
    pub uid: u32,
    /// With which rights.
    pub kind: PrincipalKind,
    /// The session the peer runs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
}

/// The daemon itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct DaemonInfo {
    /// Its release.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// How many times a daemon has started on this state directory.
    pub generation: u64,
}

/// The daemon's answer to HELLO.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Welcome {
    /// This connection's session; kept over resumes.
    pub session_id: String,
    /// Brings back unacknowledged deliveries at the next HELLO.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume_token: Option<String>,
    /// Limits of the connection.
    pub server: ServerLimits,
    /// The version agreed.
    pub version: u16,
    /// The encoding of every frame after this one.
    pub encoding: Encoding,
    /// The daemon.
    pub daemon: DaemonInfo,
    /// Who the client is taken for.
    pub principal: Principal,
    /// What the connection is for its name.
    pub role: Role,
}

/// What HELLO and the daemon have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The version both speak.
    pub version: u16,
    /// The encoding of every frame after WELCOME.
    pub encoding: Encoding,
}

/// Finds a common version and encoding. The violation says which side has to be upgraded.
pub fn negotiate(hello: &Hello) -> Result<Agreed, Violation> {
    let theirs = hello.versions.unwrap_or(VersionRange { min: 1, max: 1 });
    let ours = VersionRange::OURS;
    let version = ours.overlap(theirs).ok_or_else(|| {
        let older = if theirs.max < ours.min { "client" } else { "daemon" };
        let message = format!(
            "the client speaks protocol versions {}-{}, this daemon {}-{}: upgrade the {older}",
            theirs.min, theirs.max, ours.min, ours.max
        );
        Violation::fatal(ErrorCode::VersionGap, message)
    })?;
    let known = |e: &&Encoding| matches!(e, Encoding::Json | Encoding::Bincode);
    let encoding = match hello.encodings.iter().find(known) {
        Some(encoding) => *encoding,
        None if hello.encodings.is_empty() => Encoding::Json,
        None => {
            let message = "none of the encodings offered is known here; this daemon speaks json and bincode";
            return Err(Violation::fatal(ErrorCode::UnknownEncoding, message));
        }
    };
    Ok(Agreed { version, encoding })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_offers_nothing_gets_json() {
        let agreed = negotiate(&Hello::new("a")).unwrap();
        assert_eq!(agreed, Agreed { version: 1, encoding: Encoding::Json });
    }

    #[test]
    fn the_first_known_encoding_wins() {
        let mut hello = Hello::new("a");
        hello.encodings = vec![Encoding::Unknown(9), Encoding::Bincode, Encoding::Json];
        assert_eq!(negotiate(&hello).unwrap().encoding, Encoding::Bincode);
        hello.encodings = vec![Encoding::Unknown(9)];
        assert_eq!(negotiate(&hello).unwrap_err().code, ErrorCode::UnknownEncoding);
    }

    #[test]
    fn a_version_gap_says_who_is_behind() {
        let mut hello = Hello::new("a");
        hello.versions = Some(VersionRange { min: 7, max: 9 });
        let gap = negotiate(&hello).unwrap_err();
        assert_eq!(gap.code, ErrorCode::VersionGap);
        assert!(gap.fatal && gap.message.ends_with("upgrade the daemon"), "{gap}");
        hello.versions = Some(VersionRange { min: 0, max: 0 });
        assert!(negotiate(&hello).unwrap_err().message.ends_with("upgrade the client"));
    }
}
