//! Who pays for a failure, for how long: the credential that made the request, or something narrower or wider
//! than it, and never more than the evidence supports.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::credential::id::CredentialId;
use crate::credential::state::{CredentialState, Why};

use super::failure::{Action, Class, Failure, Scope};
use super::pool::{Mark, Pool, Reach};
use super::route::Mount;

/// How long things are left alone where nobody says how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cooldowns {
    /// Added to a reset that was announced, for clocks that differ.
    pub skew: SignedDuration,
    /// A login that was not accepted, doubling up to `auth_max`.
    pub auth: SignedDuration,
    /// Longest for a login.
    pub auth_max: SignedDuration,
    /// No credit, doubling up to `billing_max`.
    pub billing: SignedDuration,
    /// Longest for no credit.
    pub billing_max: SignedDuration,
    /// A used-up window of unknown end.
    pub quota: SignedDuration,
    /// Throttles, by how many there were in a row; the last for all further ones.
    pub throttle: [SignedDuration; 3],
    /// A provider that is overloaded, broken or out of reach.
    pub provider: SignedDuration,
    /// A provider that refuses this network location.
    pub egress: SignedDuration,
    /// A model that the plan does not include.
    pub model: SignedDuration,
}

impl Default for Cooldowns {
    fn default() -> Self {
        Self {
            skew: SignedDuration::from_secs(30),
            auth: SignedDuration::from_mins(5),
            auth_max: SignedDuration::from_hours(1),
            billing: SignedDuration::from_mins(10),
            billing_max: SignedDuration::from_hours(24),
            quota: SignedDuration::from_mins(30),
            throttle: [
                SignedDuration::from_secs(30),
                SignedDuration::from_mins(1),
                SignedDuration::from_mins(5),
            ],
            provider: SignedDuration::from_secs(30),
            egress: SignedDuration::from_mins(15),
            model: SignedDuration::from_hours(24),
        }
    }
}

/// A change of the pool that a failure brings about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Charge {
    /// The credential goes into a new state.
    Credential {
        /// Whose.
        credential: CredentialId,
        /// Which.
        state: CredentialState,
    },
    /// Something else is out of use for a while.
    Mark {
        /// What.
        reach: Reach,
        /// Until when.
        until: Timestamp,
        /// Why.
        why: Why,
    },
}

impl Charge {
    /// Until when what it charges stays out of use; `None` if time does not help.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Credential { state, .. } => state.reopens_at(),
            Self::Mark { until, .. } => Some(*until),
        }
    }
}

impl Pool {
    /// Applies a charge. The generation of what it touches grows.
    pub fn apply(&mut self, charge: &Charge) {
        match charge {
            Charge::Credential { credential, state } => {
                if let Some(entry) = self.credentials.get_mut(credential) {
                    let before = std::mem::take(&mut entry.status);
                    entry.status = before.into_next(state.clone());
                    entry.strikes = entry.strikes.saturating_add(1);
                }
            }
            Charge::Mark { reach, until, why } => {
                let generation = self.marks.get(reach).map_or(0, |mark| mark.generation).saturating_add(1);
                self.marks.insert(reach.clone(), Mark { until: *until, why: why.clone(), generation });
            }
        }
    }
}

/// What a corroborated failure of a request that `mount` made is charged with; `None` where it condemns only the
/// request, or where worse is known of the credential already.
#[must_use]
pub fn charge(
    failure: &Failure,
    mount: &Mount,
    pool: &Pool,
    times: &Cooldowns,
    now: Timestamp,
) -> Option<Charge> {
    let why = Why { class: failure.class, evidence: failure.evidence, at: now };
    let reach = match failure.scope? {
        Scope::Credential => None,
        Scope::Model => Some(Reach::model_of(mount)),
        Scope::Provider | Scope::Egress => Some(Reach::Provider(mount.provider().to_owned())),
    };
    match reach {
        Some(reach) => {
            let until =
                latest(now, time_out(failure, 0, times, now), pool.marks.get(&reach).map(|mark| mark.until));
            Some(Charge::Mark { reach, until, why })
        }
        None => {
            let entry = pool.credentials.get(&mount.credential)?;
            let state = next_state(failure, why, &entry.status.state, entry.strikes, times, now)?;
            Some(Charge::Credential { credential: mount.credential.clone(), state })
        }
    }
}

fn next_state(
    failure: &Failure,
    why: Why,
    before: &CredentialState,
    strikes: u32,
    times: &Cooldowns,
    now: Timestamp,
) -> Option<CredentialState> {
    if matches!(before, CredentialState::NeedsLogin { .. } | CredentialState::Disabled { .. }) {
        return None;
    }
    let proven = failure.evidence.may_condemn();
    Some(match failure.action {
        Action::ReloadThenRelogin if proven => CredentialState::NeedsLogin { why },
        Action::RotateDisable if proven && failure.class == Class::AccountMismatch => {
            CredentialState::NeedsLogin { why }
        }
        Action::RotateDisable if proven => CredentialState::Disabled { why },
        _ => {
            let until = latest(now, time_out(failure, strikes, times, now), before.reopens_at());
            CredentialState::Cooling { until, why, unproven: !proven }
        }
    })
}

/// A cooldown never gets shorter, and always lies ahead.
fn latest(now: Timestamp, until: Timestamp, before: Option<Timestamp>) -> Timestamp {
    let ahead = now.saturating_add(SignedDuration::from_secs(1)).unwrap_or(now);
    until.max(ahead).max(before.unwrap_or(ahead))
}

fn time_out(failure: &Failure, strikes: u32, times: &Cooldowns, now: Timestamp) -> Timestamp {
    let doubled = |base: SignedDuration, most: SignedDuration| {
        base.checked_mul(1i32.checked_shl(strikes.min(16)).unwrap_or(i32::MAX)).unwrap_or(most).min(most)
    };
    if let Some(until) = failure.until {
        return until.saturating_add(times.skew).unwrap_or(until);
    }
    let step = match failure.class {
        Class::Billing => doubled(times.billing, times.billing_max),
        Class::QuotaReset => times.quota,
        Class::RateLimit => {
            let [first, second, rest] = times.throttle;
            match strikes {
                0 => first,
                1 => second,
                _ => rest,
            }
        }
        Class::Overloaded | Class::ServerError | Class::Network => times.provider,
        Class::EgressBlocked => times.egress,
        Class::Entitlement if failure.evidence.may_condemn() => times.model,
        _ => doubled(times.auth, times.auth_max),
    };
    now.saturating_add(step).unwrap_or(now)
}
