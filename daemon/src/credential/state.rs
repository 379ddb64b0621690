//! What Posthouse knows about one credential. "Connected" is not among the states: each says what was
//! proven and when, and every change makes a new generation.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::failover::failure::{Class, Evidence};

/// A credential's state with the count of its changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialStatus {
    /// Grows by one with every change of `state`; never goes back, also over restarts.
    pub generation: u64,
    /// What is known.
    #[serde(flatten)]
    pub state: CredentialState,
}

/// What is known about a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CredentialState {
    /// Nothing was proven yet.
    Unknown,
    /// It worked.
    Valid {
        /// What showed it.
        proof: Proof,
        /// When.
        at: Timestamp,
    },
    /// Its owner is getting a new token just now; new runs wait for that.
    Refreshing {
        /// Since when.
        since: Timestamp,
    },
    /// Not to be used for a while.
    Cooling {
        /// Until when.
        until: Timestamp,
        /// Why.
        why: Why,
        /// True when only corroborated text speaks for it, so that it recovers by itself.
        unproven: bool,
    },
    /// Only a new login helps.
    NeedsLogin {
        /// Why.
        why: Why,
    },
    /// Out of use until a person acts (account switched off, key wrong).
    Disabled {
        /// Why.
        why: Why,
    },
}

/// What showed that a credential works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// A request made to find out.
    Probe,
    /// A turn that ended well.
    Use,
    /// A refresh that brought a new token.
    Refresh,
}

impl Proof {
    /// The word used in the journal and in `--json`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Use => "use",
            Self::Refresh => "refresh",
        }
    }
}

/// Why a credential is not usable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// What went wrong.
    pub class: Class,
    /// How strong the evidence was.
    pub evidence: Evidence,
    /// When it was seen.
    pub at: Timestamp,
}

impl CredentialStatus {
    /// A credential of which nothing is known yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { generation: 0, state: CredentialState::Unknown }
    }

    /// The status after a change.
    #[must_use]
    pub fn into_next(self, state: CredentialState) -> Self {
        Self { generation: self.generation.saturating_add(1), state }
    }
}

impl Default for CredentialStatus {
    fn default() -> Self {
        Self::new()
    }
}

impl CredentialState {
    /// Whether a new run may start on it at `now`. A cooldown that has run out no longer stands in the way.
    #[must_use]
    pub fn is_usable(&self, now: Timestamp) -> bool {
        match self {
            Self::Unknown | Self::Valid { .. } => true,
            Self::Cooling { until, .. } => *until <= now,
            Self::Refreshing { .. } | Self::NeedsLogin { .. } | Self::Disabled { .. } => false,
        }
    }

    /// When it becomes usable by itself; `None` where only a person can help, or where it is usable already.
    #[must_use]
    pub fn reopens_at(&self) -> Option<Timestamp> {
        match self {
            Self::Cooling { until, .. } => Some(*until),
            _ => None,
        }
    }

    /// Why it is not usable, where it is not.
    #[must_use]
    pub const fn why(&self) -> Option<&Why> {
        match self {
            Self::Cooling { why, .. } | Self::NeedsLogin { why } | Self::Disabled { why } => Some(why),
            Self::Unknown | Self::Valid { .. } | Self::Refreshing { .. } => None,
        }
    }

    /// The state's name, as in the journal and in `--json`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Valid { .. } => "valid",
            Self::Refreshing { .. } => "refreshing",
            Self::Cooling { .. } => "cooling",
            Self::NeedsLogin { .. } => "needs_login",
            Self::Disabled { .. } => "disabled",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_stored_shape_is_stable() {
        let why = Why { class: Class::QuotaReset, evidence: Evidence::Typed, at: at(1_800_000_000) };
        let status = CredentialStatus::new().into_next(CredentialState::Cooling {
            until: at(1_800_003_600),
            why,
            unproven: false,
        });
        insta::assert_json_snapshot!(status, @r#"
        {
          "generation": 1,
          "state": "cooling",
          "until": "2027-01-15T09:00:00Z",
          "why": {
            "class": "quota_reset",
            "evidence": "typed",
            "at": "2027-01-15T08:00:00Z"
          },
          "unproven": false
        }
        "#);
        let text = serde_json::to_string(&status).unwrap();
        assert_eq!(serde_json::from_str::<CredentialStatus>(&text).unwrap(), status);
    }

    #[test]
    fn a_cooldown_ends_by_itself_and_a_dead_login_does_not() {
        let why = Why { class: Class::TokenRevoked, evidence: Evidence::Typed, at: at(0) };
        let cooling = CredentialState::Cooling { until: at(10), why: why.clone(), unproven: true };
        assert!(!cooling.is_usable(at(9)));
        assert!(cooling.is_usable(at(10)));
        assert!(!CredentialState::NeedsLogin { why }.is_usable(at(1_000_000_000)));
    }
}
