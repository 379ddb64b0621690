//! What to do about a failure: stay, wait, rotate within the provider, go to the next one, park, or ask.
//!
//! Within one turn no mount is tried twice unless something about it changed, so a turn ends after finitely many
//! tries: every move charges what failed, and what was charged lies in the future.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::credential::id::CredentialId;

use super::charge::{Charge, Cooldowns, charge};
use super::failure::{Action, Class, FailoverWhen, Failure};
use super::pool::{Attempts, Pool, Seeker, Unusable};
use super::reason::{Outcome, Reason, Stay};
use super::repair::repair;
use super::route::{Mount, Route};

/// What a person may tune.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How soon a mount must be usable again for the session to wait there although others are idle.
    pub wait_among_others: SignedDuration,
    /// The same where no other credential of the provider is idle.
    pub wait_alone: SignedDuration,
    /// Most tries of one turn.
    pub attempts: usize,
    /// How long a mount that failed more than once in a row has to be usable again before sessions go back to it,
    /// doubling up to `settle_max`.
    pub settle: SignedDuration,
    /// Longest for that.
    pub settle_max: SignedDuration,
    /// How long things are left alone where nobody says how long.
    pub cooldowns: Cooldowns,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            wait_among_others: SignedDuration::from_secs(15),
            wait_alone: SignedDuration::from_mins(5),
            attempts: 8,
            settle: SignedDuration::from_mins(1),
            settle_max: SignedDuration::from_hours(4),
            cooldowns: Cooldowns::default(),
        }
    }
}

/// Everything a decision hangs on.
#[derive(Debug, Clone, Copy)]
pub struct DecideInput<'a> {
    /// The session.
    pub session: &'a str,
    /// Where the session may run.
    pub route: &'a Route,
    /// Where it runs.
    pub current: &'a Mount,
    /// What is known of the credentials.
    pub pool: &'a Pool,
    /// What the person set.
    pub policy: &'a Policy,
    /// What failed.
    pub failure: &'a Failure,
    /// The credential that the failed request was sent with, if it was noted; else the current one.
    pub sent_by: Option<&'a CredentialId>,
    /// The tries of this turn, the current one among them.
    pub attempts: &'a Attempts,
    /// The time.
    pub now: Timestamp,
    /// The zone that the person reads times in.
    pub zone: &'a TimeZone,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "move", rename_all = "snake_case")]
pub enum Move {
    /// Nothing.
    Nothing,
    /// Stay, and try again at this time.
    Wait {
        /// When.
        until: Timestamp,
    },
    /// Go on with this mount of the same provider.
    Rotate {
        /// Which.
        to: Mount,
    },
    /// Go on with this mount of another provider.
    NextMount {
        /// Which.
        to: Mount,
    },
    /// Sleep; something is usable again then.
    Park {
        /// When.
        until: Timestamp,
    },
    /// Tell the person; nothing here would help.
    Surface,
}

/// What to do, who pays, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What to do.
    #[serde(flatten)]
    pub action: Move,
    /// What changes in the pool, to be applied before anything else is asked of it.
    pub charge: Option<Charge>,
    /// Why.
    pub reason: Reason,
}

/// Decides.
#[must_use]
pub fn decide(input: DecideInput<'_>) -> Decision {
    let failure = input.failure;
    let sender = sender(input);
    if failure.failover != FailoverWhen::Never && !failure.corroborated {
        return stay(input, &sender, Stay::Uncorroborated, None);
    }
    match (failure.failover, failure.action) {
        (FailoverWhen::Never, Action::Wait) => return stay(input, &sender, Stay::Retrying, None),
        (FailoverWhen::Never, Action::Abort | Action::None) => {
            return stay(input, &sender, Stay::AsAsked, None);
        }
        (FailoverWhen::Never, _) => return surface(input, &sender, None, Vec::new()),
        (FailoverWhen::Now | FailoverWhen::AfterBudget, _) => {}
    }
    let charge = charge(failure, &sender, input.pool, &input.policy.cooldowns, input.now);
    if sender.credential != input.current.credential {
        return stay(input, &sender, Stay::AlreadyLeft, charge);
    }
    go_on(input, charge)
}

/// The mount that made the failed request: on the credential it was sent with, if that was noted.
fn sender(input: DecideInput<'_>) -> Mount {
    match input.sent_by {
        Some(id) if *id != input.current.credential => {
            let listed = input.route.mounts().iter().find(|mount| mount.credential == *id).cloned();
            listed.unwrap_or_else(|| Mount { credential: id.clone(), ..input.current.clone() })
        }
        _ => input.current.clone(),
    }
}

/// The session can't stay as it is: where to?
fn go_on(input: DecideInput<'_>, charge: Option<Charge>) -> Decision {
    let mut pool = input.pool.clone();
    if let Some(charge) = &charge {
        pool.apply(charge);
    }
    let until = pool.obstacle(input.current, input.now).and_then(|out| out.reopens_at());
    let seeker =
        Seeker { session: input.session, route: input.route, attempts: input.attempts, now: input.now };
    let spent = input.attempts.count() >= input.policy.attempts;
    let soon = |limit| {
        until.is_some_and(|until| until.duration_since(input.now) <= limit) && passes(input.failure.class)
    };
    if !spent && soon(input.policy.wait_among_others) {
        return wait(input, charge, until.unwrap_or(input.now));
    }
    let mut skipped = Vec::new();
    let mut free = |same_provider: bool| {
        let mut listed = input
            .route
            .ranked()
            .filter(|mount| (mount.provider() == input.current.provider()) == same_provider);
        listed.find(|mount| match pool.check(mount, seeker) {
            Ok(()) => true,
            Err(why) => {
                skipped.push(((*mount).clone(), why));
                false
            }
        })
    };
    let sibling = free(true).filter(|_| !spent);
    if let Some(to) = sibling {
        return moved(input, charge, Move::Rotate { to: to.clone() }, to.clone(), until, skipped);
    }
    if !spent && soon(input.policy.wait_alone) && throttled(input.failure.class) {
        return wait(input, charge, until.unwrap_or(input.now));
    }
    let other = free(false).filter(|_| !spent);
    if let Some(to) = other {
        return moved(input, charge, Move::NextMount { to: to.clone() }, to.clone(), until, skipped);
    }
    match skipped.iter().filter_map(|(_, why)| why.reopens_at()).min() {
        Some(earliest) if !spent && until == Some(earliest) && soon(input.policy.wait_alone) => {
            wait(input, charge, earliest)
        }
        Some(earliest) => {
            let reason =
                reason(input, input.current, Outcome::Parked(earliest), until, skipped, charge.as_ref());
            Decision { action: Move::Park { until: earliest }, charge, reason }
        }
        None => surface(input, input.current, charge, skipped),
    }
}

/// Whether a class passes by itself soon enough to be waited for.
const fn passes(class: Class) -> bool {
    throttled(class) || matches!(class, Class::Overloaded | Class::ServerError | Class::Network)
}

const fn throttled(class: Class) -> bool {
    matches!(class, Class::RateLimit | Class::QuotaReset)
}

fn stay(input: DecideInput<'_>, sender: &Mount, why: Stay, charge: Option<Charge>) -> Decision {
    let until = charge.as_ref().and_then(Charge::until).or(input.failure.until);
    let reason = reason(input, sender, Outcome::Stays(why), until, Vec::new(), charge.as_ref());
    Decision { action: Move::Nothing, charge, reason }
}

fn wait(input: DecideInput<'_>, charge: Option<Charge>, until: Timestamp) -> Decision {
    let reason =
        reason(input, input.current, Outcome::Waits(until), Some(until), Vec::new(), charge.as_ref());
    Decision { action: Move::Wait { until }, charge, reason }
}

fn surface(
    input: DecideInput<'_>,
    sender: &Mount,
    charge: Option<Charge>,
    skipped: Vec<(Mount, Unusable)>,
) -> Decision {
    let until = charge.as_ref().and_then(Charge::until);
    let reason = reason(input, sender, Outcome::Surfaced, until, skipped, charge.as_ref());
    Decision { action: Move::Surface, charge, reason }
}

fn moved(
    input: DecideInput<'_>,
    charge: Option<Charge>,
    action: Move,
    to: Mount,
    until: Option<Timestamp>,
    skipped: Vec<(Mount, Unusable)>,
) -> Decision {
    let reason = reason(input, input.current, Outcome::GoesOn(to), until, skipped, charge.as_ref());
    Decision { action, charge, reason }
}

fn reason(
    input: DecideInput<'_>,
    mount: &Mount,
    outcome: Outcome,
    until: Option<Timestamp>,
    skipped: Vec<(Mount, Unusable)>,
    charge: Option<&Charge>,
) -> Reason {
    let failure = input.failure;
    let entry = input.pool.credentials.get(&mount.credential);
    Reason {
        mount: mount.clone(),
        model: failure.model.clone(),
        class: failure.class,
        evidence: failure.evidence,
        rule: failure.rule.clone(),
        until,
        outcome,
        allow: skipped
            .iter()
            .any(|(_, why)| *why == Unusable::Costs)
            .then(|| format!("posthouse route allow {}", input.session)),
        shared: match charge {
            Some(Charge::Incident { alike, .. }) => alike.clone(),
            _ => Vec::new(),
        },
        repair: repair(failure.class, mount.provider(), entry.and_then(|entry| entry.renew.as_deref())),
        skipped,
        sentence: String::new(),
    }
    .with_sentence(input.zone)
}

#[cfg(test)]
mod tests;
