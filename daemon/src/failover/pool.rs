//! What is known of everything that a route runs on, as one value, and which mount may run next.
//! Session start, turn, wake-up and probe all ask here.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::credential::id::CredentialId;
use crate::credential::state::{CredentialState, CredentialStatus, Why};

use super::failure::Class;
use super::route::{Cost, Mount, Route};

/// How long one session alone tries what comes back into use, before another may try it too.
pub const TRIAL_TIME: SignedDuration = SignedDuration::from_mins(2);
/// How long a refresh may take before a credential that refreshes is looked at again.
const REFRESH_TIME: SignedDuration = SignedDuration::from_secs(30);

/// A snapshot of the pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pool {
    /// Every registered credential.
    pub credentials: BTreeMap<CredentialId, Entry>,
    /// What is out of use without its credential being so. Kept after `until`, for its generation.
    pub marks: BTreeMap<Reach, Mark>,
    /// What one session tries again after a time out of use, while the others wait for the outcome.
    pub trials: BTreeMap<Part, Trial>,
    /// Credentials that were charged of late.
    pub blames: Vec<Blame>,
}

/// One credential of the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What is known of it.
    pub status: CredentialStatus,
    /// Failures in a row; 0 after two turns that ended well.
    pub strikes: u32,
    /// Whether it is billed by use, as a key is and a subscription is not.
    pub metered: bool,
    /// How often it was made usable again by a new login or key.
    pub renewals: u64,
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
    /// How often in a row it was set; 0 after two turns that ended well.
    #[serde(default)]
    pub strikes: u32,
    /// Whether something worked there since `until`.
    #[serde(default)]
    pub healed: bool,
}

/// Something that a mount hangs on, and that can be out of use.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// A credential.
    Credential(CredentialId),
    /// Something narrower or wider.
    Reach(Reach),
}

/// One session tries something that comes back into use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Which session.
    pub session: String,
    /// Since when.
    pub since: Timestamp,
}

/// A credential was charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blame {
    /// Which.
    pub credential: CredentialId,
    /// With what.
    pub class: Class,
    /// When.
    pub at: Timestamp,
    /// Its generation after that.
    pub generation: u64,
}

/// Who looks for a mount, where, and when.
#[derive(Debug, Clone, Copy)]
pub struct Seeker<'a> {
    /// The session.
    pub session: &'a str,
    /// Its mounts.
    pub route: &'a Route,
    /// The tries of its turn.
    pub attempts: &'a Attempts,
    /// The time.
    pub now: Timestamp,
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
    /// Another session tries it just now, after a time out of use.
    OnTrial {
        /// When its time is up.
        until: Timestamp,
    },
    /// It is billed by use, and the route does not allow that.
    Costs,
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
            Self::Marked { until, .. } | Self::OnTrial { until } => Some(*until),
            Self::NotRegistered | Self::Costs | Self::Tried => None,
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
            Self::OnTrial { .. } => "another session tries it out just now".to_owned(),
            Self::Costs => "it is billed by use, and the route says cost=ask".to_owned(),
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

    /// What keeps everybody from `mount` at `now`: the obstacle that lasts longest.
    #[must_use]
    pub fn obstacle(&self, mount: &Mount, now: Timestamp) -> Option<Unusable> {
        let Some(entry) = self.credentials.get(&mount.credential) else {
            return Some(Unusable::NotRegistered);
        };
        let state = &entry.status.state;
        if !state.is_usable(now) && state.reopens_at().is_none() {
            return Some(Unusable::Credential { state: state.clone() });
        }
        let provider = Reach::Provider(mount.provider().to_owned());
        let marked = [Reach::model_of(mount), provider].into_iter().filter_map(|reach| {
            let until = self.marks.get(&reach)?.until;
            (until > now).then_some(Unusable::Marked { reach, until })
        });
        let cooling = (!state.is_usable(now)).then(|| Unusable::Credential { state: state.clone() });
        marked.chain(cooling).max_by_key(Unusable::reopens_at)
    }

    /// Whether `mount` may run for `seeker`.
    ///
    /// # Errors
    /// When it may not.
    pub fn check(&self, mount: &Mount, seeker: Seeker<'_>) -> Result<(), Unusable> {
        let obstacle = self.obstacle(mount, seeker.now);
        match obstacle {
            Some(obstacle) if obstacle.reopens_at().is_none() => return Err(obstacle),
            _ if self.costs(mount, seeker.route) => return Err(Unusable::Costs),
            Some(obstacle) => return Err(obstacle),
            None => {}
        }
        match self.tried_by_another(mount, seeker) {
            Some(until) => Err(Unusable::OnTrial { until }),
            None if seeker.attempts.has(mount, self) => Err(Unusable::Tried),
            None => Ok(()),
        }
    }

    /// Whether the route would have to allow `mount` first: it is billed by use, and listed after one that is not.
    fn costs(&self, mount: &Mount, route: &Route) -> bool {
        let metered = |mount: &Mount| self.credentials.get(&mount.credential).is_some_and(|e| e.metered);
        let mut before = route.mounts().iter().take_while(|listed| *listed != mount);
        route.cost() == Cost::Ask && metered(mount) && before.any(|listed| !metered(listed))
    }

    /// The parts that `mount` hangs on.
    pub fn parts(mount: &Mount) -> [Part; 3] {
        [
            Part::Credential(mount.credential.clone()),
            Part::Reach(Reach::model_of(mount)),
            Part::Reach(Reach::Provider(mount.provider().to_owned())),
        ]
    }

    /// Since when `part` may be used again though nothing has worked there yet.
    #[must_use]
    pub fn half_open(&self, part: &Part, now: Timestamp) -> Option<Timestamp> {
        let since = match part {
            Part::Credential(id) => self.credentials.get(id)?.status.state.reopens_at()?,
            Part::Reach(reach) => self.marks.get(reach).filter(|mark| !mark.healed)?.until,
        };
        (since <= now).then_some(since)
    }

    /// Failures in a row of `part`.
    #[must_use]
    pub fn strikes(&self, part: &Part) -> u32 {
        match part {
            Part::Credential(id) => self.credentials.get(id).map_or(0, |entry| entry.strikes),
            Part::Reach(reach) => self.marks.get(reach).map_or(0, |mark| mark.strikes),
        }
    }

    fn tried_by_another(&self, mount: &Mount, seeker: Seeker<'_>) -> Option<Timestamp> {
        let ends = |part: &Part| {
            self.half_open(part, seeker.now)?;
            let trial = self.trials.get(part).filter(|trial| trial.session != seeker.session)?;
            let until = trial.since.saturating_add(TRIAL_TIME).unwrap_or(trial.since);
            (until > seeker.now).then_some(until)
        };
        Self::parts(mount).iter().filter_map(ends).max()
    }

    /// The first mount of the seeker's route that may run, or why none may.
    ///
    /// # Errors
    /// When none may: each with its obstacle, in the order in which they were tried.
    pub fn resolve(&self, seeker: Seeker<'_>) -> Result<Mount, Vec<(Mount, Unusable)>> {
        let mut obstacles = Vec::new();
        for mount in seeker.route.ranked() {
            match self.check(mount, seeker) {
                Ok(()) => return Ok(mount.clone()),
                Err(obstacle) => obstacles.push((mount.clone(), obstacle)),
            }
        }
        Err(obstacles)
    }
}
