//! What is known of everything that a route runs on, as one value, and which mount may run next.
//! Session start, turn, wake-up and probe all ask here.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::credential::id::CredentialId;
use crate::credential::state::{CredentialState, CredentialStatus, Why};

use super::route::{Mount, Route};

/// How long a refresh may take before a credential that refreshes is looked at again.
const REFRESH_TIME: SignedDuration = SignedDuration::from_secs(30);

/// A snapshot of the pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pool {
    /// Every registered credential.
    pub credentials: BTreeMap<CredentialId, Entry>,
    /// What is out of use without its credential being so. Kept after `until`, for its generation.
    pub marks: BTreeMap<Reach, Mark>,
}

/// One credential of the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What is known of it.
    pub status: CredentialStatus,
    /// Failures in a row of the kind that it is cooling for; 0 after a success.
    pub strikes: u32,
    /// The command that makes its login or key anew, as a person would type it.
    pub renew: Option<String>,
}

/// What a mark reaches.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// One model on one credential; `None` is whichever the harness picks.
    Model(CredentialId, Option<String>),
    /// Everything at a provider, as seen from here.
    Provider(String),
}

impl Reach {
    /// The model that a mount runs.
    #[must_use]
    pub fn model_of(mount: &Mount) -> Self {
        Self::Model(mount.credential.clone(), mount.model.clone())
    }
}

/// A reach that is out of use for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub why: Why,
    /// Grows with every change.
    pub generation: u64,
}

/// The generations that a mount's usability hangs on. Two equal values mean that nothing changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MountState {
    credential: u64,
    model: u64,
    provider: u64,
}

/// The tries of one turn: which mount, in which state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts(Vec<(Mount, MountState)>);

impl Attempts {
    /// Notes that the turn is tried on `mount` now.
    pub fn record(&mut self, mount: &Mount, pool: &Pool) {
        self.0.push((mount.clone(), pool.state_of(mount)));
    }

    /// Whether `mount` was tried and nothing about it changed since.
    #[must_use]
    pub fn has(&self, mount: &Mount, pool: &Pool) -> bool {
        let state = pool.state_of(mount);
        self.0.iter().any(|(tried, before)| tried == mount && *before == state)
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// Why a mount can't run now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum Unusable {
    /// No such credential is registered.
    NotRegistered,
    /// Its credential is not usable.
    Credential {
        /// In which state it is.
        state: CredentialState,
    },
    /// Something wider or narrower than its credential is out of use.
    Marked {
        /// What.
        reach: Reach,
        /// Until when.
        until: Timestamp,
    },
    /// It was tried in this turn already, and nothing changed since.
    Tried,
}

impl Unusable {
    /// When it becomes usable by itself.
    #[must_use]
    pub fn reopens_at(&self) -> Option<Timestamp> {
        match self {
            Self::Credential { state: CredentialState::Refreshing { since } } => {
                since.saturating_add(REFRESH_TIME).ok()
            }
            Self::Credential { state } => state.reopens_at(),
            Self::Marked { until, .. } => Some(*until),
            Self::NotRegistered | Self::Tried => None,
        }
    }

    /// The obstacle in words that follow "it can't run now: …".
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::NotRegistered => "its credential is not registered".to_owned(),
            Self::Credential { state: CredentialState::Refreshing { .. } } => {
                "its login is being refreshed".to_owned()
            }
            Self::Credential { state } => match state.why() {
                Some(why) => format!("{} ({})", why.class.phrase(), state.as_str()),
                None => state.as_str().to_owned(),
            },
            Self::Marked { reach: Reach::Model(..), .. } => {
                "its model is out of use on this credential".to_owned()
            }
            Self::Marked { reach: Reach::Provider(provider), .. } => format!("{provider} is out of use"),
            Self::Tried => "it was tried in this turn already".to_owned(),
        }
    }
}

impl Pool {
    /// What a mount's usability hangs on.
    #[must_use]
    pub fn state_of(&self, mount: &Mount) -> MountState {
        let mark = |reach: &Reach| self.marks.get(reach).map_or(0, |mark| mark.generation);
        MountState {
            credential: self.credentials.get(&mount.credential).map_or(0, |entry| entry.status.generation),
            model: mark(&Reach::model_of(mount)),
            provider: mark(&Reach::Provider(mount.provider().to_owned())),
        }
    }

    /// Whether `mount` may run at `now`; if not, the obstacle that lasts longest.
    ///
    /// # Errors
    /// When it may not.
    pub fn check(&self, mount: &Mount, attempts: &Attempts, now: Timestamp) -> Result<(), Unusable> {
        let entry = self.credentials.get(&mount.credential).ok_or(Unusable::NotRegistered)?;
        let state = &entry.status.state;
        if !state.is_usable(now) && state.reopens_at().is_none() {
            return Err(Unusable::Credential { state: state.clone() });
        }
        let provider = Reach::Provider(mount.provider().to_owned());
        let marked = [Reach::model_of(mount), provider].into_iter().filter_map(|reach| {
            let until = self.marks.get(&reach)?.until;
            (until > now).then_some(Unusable::Marked { reach, until })
        });
        let cooling = (!state.is_usable(now)).then(|| Unusable::Credential { state: state.clone() });
        match marked.chain(cooling).max_by_key(Unusable::reopens_at) {
            Some(obstacle) => Err(obstacle),
            None if attempts.has(mount, self) => Err(Unusable::Tried),
            None => Ok(()),
        }
    }

    /// The first mount of `route` that may run at `now`, or why none may.
    ///
    /// # Errors
    /// When none may: each with its obstacle, in the order of the route.
    pub fn resolve(
        &self,
        route: &Route,
        attempts: &Attempts,
        now: Timestamp,
    ) -> Result<Mount, Vec<(Mount, Unusable)>> {
        let mut obstacles = Vec::new();
        for mount in route.mounts() {
            match self.check(mount, attempts, now) {
                Ok(()) => return Ok(mount.clone()),
                Err(obstacle) => obstacles.push((mount.clone(), obstacle)),
            }
        }
        Err(obstacles)
    }
}
