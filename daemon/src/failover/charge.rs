//! Who pays for a failure, for how long: the credential that made the request, or something narrower or wider
//! than it, and never more than the evidence supports.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::credential::id::CredentialId;
use crate::credential::state::{CredentialState, Why};

use super::failure::{Action, Class, Failure, Scope};
use super::pool::{Blame, Mark, Pool, Reach};
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
    /// A provider that is overloaded, broken or out of reach, doubling up to `provider_max`.
    pub provider: SignedDuration,
    /// Longest for such a provider.
    pub provider_max: SignedDuration,
    /// A provider that refuses this network location.
    pub egress: SignedDuration,
    /// A model that the plan does not include.
    pub model: SignedDuration,
    /// Two credentials of one provider that fail alike within this time speak against the provider.
    pub incident_within: SignedDuration,
    /// How long such a provider is left alone, doubling up to `incident_max`.
    pub incident: SignedDuration,
    /// Longest for that.
    pub incident_max: SignedDuration,
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
            provider_max: SignedDuration::from_mins(5),
            egress: SignedDuration::from_mins(15),
            model: SignedDuration::from_hours(24),
            incident_within: SignedDuration::from_secs(60),
            incident: SignedDuration::from_mins(1),
            incident_max: SignedDuration::from_mins(15),
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
    /// The provider itself is out of use, because several of its credentials failed alike.
    Incident {
        /// Which.
        provider: String,
        /// Until when.
        until: Timestamp,
        /// Why.
        why: Why,
        /// The credentials that failed alike.
        alike: Vec<CredentialId>,
        /// Those of them that are still charged with it, and are not to blame.
        restored: Vec<CredentialId>,
    },
}

impl Charge {
    /// Until when what it charges stays out of use; `None` if time does not help.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Credential { state, .. } => state.reopens_at(),
            Self::Mark { until, .. } | Self::Incident { until, .. } => Some(*until),
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
                    let (generation, credential) = (entry.status.generation, credential.clone());
                    if let Some(why) = state.why() {
                        self.blames.push(Blame { credential, class: why.class, at: why.at, generation });
                    }
                }
            }
            Charge::Mark { reach, until, why } => self.mark(reach.clone(), *until, why),
            Charge::Incident { provider, until, why, restored, alike: _ } => {
                self.mark(Reach::Provider(provider.clone()), *until, why);
                for credential in restored {
                    if let Some(entry) = self.credentials.get_mut(credential) {
                        let before = std::mem::take(&mut entry.status);
                        entry.status = before.into_next(CredentialState::Unknown);
                        entry.strikes = entry.strikes.saturating_sub(1);
                    }
                }
            }
        }
    }

    fn mark(&mut self, reach: Reach, until: Timestamp, why: &Why) {
        let before = self.marks.get(&reach);
        let generation = before.map_or(0, |mark| mark.generation).saturating_add(1);
        let strikes = before.map_or(0, |mark| mark.strikes).saturating_add(1);
        self.marks.insert(reach, Mark { until, why: why.clone(), generation, strikes, healed: false });
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
            let before = pool.marks.get(&reach);
            // Whoever fails now asked before it was marked.
            if failure.until.is_none() && before.is_some_and(|mark| mark.until > now) {
                return None;
            }
            let strikes = before.filter(|mark| !mark.healed).map_or(0, |mark| mark.strikes);
            let until = latest(now, time_out(failure, strikes, times, now), before.map(|mark| mark.until));
            Some(Charge::Mark { reach, until, why })
        }
        None => {
            if let Some(incident) = incident(failure, &why, mount, pool, times, now) {
                return Some(incident);
            }
            let entry = pool.credentials.get(&mount.credential)?;
            let state = state_after(failure, why, &entry.status.state, entry.strikes, times, now)?;
            Some(Charge::Credential { credential: mount.credential.clone(), state })
        }
    }
}

/// Another credential of the provider was charged with the same just now: the provider is to blame, not the two. A
/// window that says when it opens again is the credential's own, and a typed death is believed the second time.
fn incident(
    failure: &Failure,
    why: &Why,
    mount: &Mount,
    pool: &Pool,
    times: &Cooldowns,
    now: Timestamp,
) -> Option<Charge> {
    let alike = |blame: &&Blame| {
        blame.credential != mount.credential
            && blame.credential.provider() == mount.provider()
            && blame.class == failure.class
            && now.duration_since(blame.at) <= times.incident_within
    };
    let twins: Vec<&Blame> = pool.blames.iter().filter(alike).collect();
    let reach = Reach::Provider(mount.provider().to_owned());
    let before = pool.marks.get(&reach).filter(|mark| !mark.healed);
    let dead = failure.class.is_dead_login() && failure.evidence.may_condemn();
    let believed = dead && before.is_some_and(|mark| mark.why.class == failure.class);
    if twins.is_empty() || failure.until.is_some() || believed {
        return None;
    }
    let unchanged = |blame: &&&Blame| {
        pool.credentials.get(&blame.credential).is_some_and(|e| e.status.generation == blame.generation)
    };
    let restored = twins.iter().filter(unchanged).map(|blame| blame.credential.clone()).collect();
    let alike: BTreeSet<CredentialId> = twins.iter().map(|blame| blame.credential.clone()).collect();
    let strikes = before.map_or(0, |mark| mark.strikes);
    let time = doubled(times.incident, times.incident_max, strikes);
    let until = latest(now, now.saturating_add(time).unwrap_or(now), before.map(|mark| mark.until));
    let (provider, alike) = (mount.provider().to_owned(), alike.into_iter().collect());
    Some(Charge::Incident { provider, until, why: why.clone(), alike, restored })
}

/// `base`, twice as long for every strike, and at most `most`.
pub(super) fn doubled(base: SignedDuration, most: SignedDuration, strikes: u32) -> SignedDuration {
    base.checked_mul(1i32.checked_shl(strikes.min(16)).unwrap_or(i32::MAX)).unwrap_or(most).min(most)
}

/// The state of a credential in `before` after `failure`, `strikes` in a row; `None` where nothing changes.
pub(crate) fn state_after(
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
        // Whoever fails now asked before it was charged.
        _ if failure.until.is_none() && before.reopens_at().is_some_and(|until| until > now) => return None,
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

fn throttle(times: &Cooldowns, strikes: u32) -> SignedDuration {
    let [first, second, rest] = times.throttle;
    match strikes {
        0 => first,
        1 => second,
        _ => rest,
    }
}

fn time_out(failure: &Failure, strikes: u32, times: &Cooldowns, now: Timestamp) -> Timestamp {
    if let Some(until) = failure.until {
        // Clocks that differ matter less to a few seconds than to a few hours.
        let ahead = until.duration_since(now).max(SignedDuration::ZERO);
        let until = until.saturating_add(times.skew.min(ahead / 2)).unwrap_or(until);
        // Who is told "a moment" again and again is told too little.
        let again = failure.class == Class::RateLimit && strikes > 0;
        let least = if again { throttle(times, strikes) } else { SignedDuration::ZERO };
        return until.max(now.saturating_add(least).unwrap_or(until));
    }
    let step = match failure.class {
        Class::Billing => doubled(times.billing, times.billing_max, strikes),
        Class::QuotaReset => times.quota,
        Class::RateLimit => throttle(times, strikes),
        Class::Overloaded | Class::ServerError | Class::Network => {
            doubled(times.provider, times.provider_max, strikes)
        }
        Class::EgressBlocked => times.egress,
        Class::Entitlement if failure.evidence.may_condemn() => times.model,
        _ => doubled(times.auth, times.auth_max, strikes),
    };
    now.saturating_add(step).unwrap_or(now)
}
