//! What failover remembers between decisions: what is out of use beyond credentials, failures in a row, the tries of
//! each session's turn, and the last failure that still matters to each session. Pure: time is an argument.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::credential::id::CredentialId;
use crate::credential::state::CredentialStatus;

use super::charge::{Charge, doubled};
use super::classify::classify;
use super::decide::{DecideInput, Decision, Move, Policy, decide};
use super::failure::{Class, Evidence, FailoverWhen, Failure, Verdict};
use super::kept::Kept;
use super::observation::Observation;
use super::pool::{Attempts, Blame, Entry, Mark, Part, Pool, Reach, Seeker, Trial, Unusable};
use super::route::{Mount, Route};

/// The memory of the failover actor.
#[derive(Debug, Default)]
pub struct Ledger {
    policy: Policy,
    marks: BTreeMap<Reach, Mark>,
    strikes: BTreeMap<CredentialId, u32>,
    /// Parts that failed, and at which one turn has ended well since.
    mending: BTreeSet<Part>,
    trials: BTreeMap<Part, Trial>,
    blames: Vec<Blame>,
    sessions: BTreeMap<String, Account>,
}

/// Whether a session that runs on a fallback should go back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Homeward {
    /// It runs on the best there is, for all that is known.
    Stay,
    /// To this mount, now.
    Now(Mount),
    /// Ask again then.
    At(Timestamp),
}

/// What a turn that ended well changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mended {
    /// Marks that are healed, to be journaled.
    pub marks: Vec<Reach>,
    /// Whether the credential's failures are forgotten, to be journaled.
    pub struck: bool,
    /// Whether others may use now what they could not before.
    pub opened: bool,
}

/// One session's.
#[derive(Debug, Default)]
struct Account {
    attempts: Attempts,
    last: Option<Told>,
    /// Why it went back, if it did so since.
    back: Option<String>,
}

/// A failure and what was decided about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// What failed.
    pub failure: Failure,
    /// What follows.
    pub decision: Decision,
    /// When.
    pub at: Timestamp,
}

/// What is known of one credential from outside of the ledger.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its state.
    pub status: CredentialStatus,
    /// The command that makes its login or key anew, if there is one.
    pub renew: Option<String>,
    /// Whether it is billed by use.
    pub metered: bool,
    /// How often it was made usable again by a new login or key.
    pub renewals: u64,
}

/// Where and when a judgement is made.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The session.
    pub session: &'a str,
    /// Its mounts.
    pub route: &'a Route,
    /// What it runs on.
    pub mount: &'a Mount,
    /// The time.
    pub now: Timestamp,
    /// The zone that people read times in.
    pub zone: &'a TimeZone,
}

impl Ledger {
    /// A ledger with what the journal kept.
    pub fn new(policy: Policy, kept: impl IntoIterator<Item = Kept>) -> Self {
        let mut ledger = Self { policy, ..Self::default() };
        for kept in kept {
            match kept {
                Kept::Mark { reach, mark } => drop(ledger.marks.insert(reach, mark)),
                Kept::Strikes { credential, strikes } => drop(ledger.strikes.insert(credential, strikes)),
            }
        }
        ledger
    }

    /// Everything a decision hangs on, as one value.
    pub fn pool(&self, known: BTreeMap<CredentialId, Known>) -> Pool {
        let entry = |(id, known): (CredentialId, Known)| {
            let strikes = self.strikes(&id);
            let Known { status, renew, metered, renewals } = known;
            (id, Entry { status, strikes, renew, metered, renewals })
        };
        Pool {
            credentials: known.into_iter().map(entry).collect(),
            marks: self.marks.clone(),
            trials: self.trials.clone(),
            blames: self.blames.clone(),
        }
    }

    /// The first usable mount for a session that is about to start or to wake.
    ///
    /// # Errors
    /// When none is usable: each with its obstacle.
    pub fn choose(
        &mut self,
        session: &str,
        route: &Route,
        pool: &Pool,
        now: Timestamp,
    ) -> Result<Mount, Vec<(Mount, Unusable)>> {
        // A new start is a new turn: what was tried before may be tried again once it is usable.
        let attempts = Attempts::default();
        self.account(session).attempts = attempts.clone();
        let mount = pool.resolve(Seeker { session, route, attempts: &attempts, now })?;
        self.try_out(session, &mount, pool, now);
        Ok(mount)
    }

    /// Whether `session`, at the end of a turn, should go back to a mount that its route prefers. A mount that failed
    /// often has to be usable for a while first.
    pub fn homeward(
        &mut self,
        session: &str,
        route: &Route,
        current: &Mount,
        pool: &Pool,
        now: Timestamp,
    ) -> Homeward {
        let attempts = Attempts::default();
        let seeker = Seeker { session, route, attempts: &attempts, now };
        let mut earliest: Option<Timestamp> = None;
        for mount in route.ranked().take_while(|mount| *mount != current) {
            let at = match pool.check(mount, seeker) {
                Ok(()) => self.settled(mount, pool, now),
                Err(obstacle) => match obstacle.reopens_at() {
                    Some(at) => at.max(self.settled(mount, pool, at)),
                    None => continue,
                },
            };
            if at <= now {
                let mount = mount.clone();
                self.try_out(session, &mount, pool, now);
                return Homeward::Now(mount);
            }
            earliest = Some(earliest.map_or(at, |earliest| earliest.min(at)));
        }
        earliest.map_or(Homeward::Stay, Homeward::At)
    }

    /// When sessions may go back to `mount`, which is usable at `now`.
    fn settled(&self, mount: &Mount, pool: &Pool, now: Timestamp) -> Timestamp {
        let settled = |part: &Part| {
            let since = pool.half_open(part, now)?;
            let wait = match pool.strikes(part) {
                0 | 1 => SignedDuration::ZERO,
                strikes => doubled(self.policy.settle, self.policy.settle_max, strikes.saturating_sub(2)),
            };
            since.saturating_add(wait).ok()
        };
        Pool::parts(mount).iter().filter_map(settled).max().unwrap_or(now)
    }

    /// `session` begins to run on `mount`: if that comes back into use, the others wait for the outcome.
    fn try_out(&mut self, session: &str, mount: &Mount, pool: &Pool, now: Timestamp) {
        for part in Pool::parts(mount) {
            if pool.half_open(&part, now).is_some() {
                self.trials.insert(part, Trial { session: session.to_owned(), since: now });
            }
        }
    }

    /// Judges what was seen. `None` if it is no failure.
    pub fn judge(&mut self, scene: Scene<'_>, seen: &Observation, pool: &Pool) -> Result<Told, Verdict> {
        match classify(seen, scene.now, scene.zone) {
            Verdict::Failure(failure) => Ok(self.decide(scene, failure, seen.credential.as_ref(), pool)),
            harmless @ Verdict::NotAFailure(_) => Err(harmless),
        }
    }

    fn decide(
        &mut self,
        scene: Scene<'_>,
        failure: Failure,
        sent_by: Option<&CredentialId>,
        pool: &Pool,
    ) -> Told {
        let policy = self.policy;
        let account = self.account(scene.session);
        if !account.attempts.has(scene.mount, pool) {
            account.attempts.record(scene.mount, pool);
        }
        let decision = decide(input(scene, &policy, &failure, sent_by, &account.attempts, pool));
        let mut after = pool.clone();
        if let Some(charge) = &decision.charge {
            after.apply(charge);
        }
        let to = match &decision.action {
            Move::Rotate { to } | Move::NextMount { to } => Some(to.clone()),
            _ => None,
        };
        match (&decision.action, &to) {
            (_, Some(to)) => account.attempts.record(to, &after),
            (Move::Wait { .. }, None) => account.attempts.record(scene.mount, &after),
            _ => {}
        }
        let told = Told { failure, decision, at: scene.now };
        if told.decision.action != Move::Nothing || told.decision.charge.is_some() {
            account.last = Some(told.clone());
            account.back = None;
        }
        self.note(&told.decision, &after, scene.now);
        if told.decision.action != Move::Nothing {
            self.left(scene.session);
        }
        if let Some(to) = to {
            self.try_out(scene.session, &to, &after, scene.now);
        }
        told
    }

    /// Takes over what a decision changed.
    fn note(&mut self, decision: &Decision, after: &Pool, now: Timestamp) {
        let charged = match &decision.charge {
            None => return,
            Some(Charge::Credential { credential, .. }) => Part::Credential(credential.clone()),
            Some(Charge::Mark { reach, .. }) => Part::Reach(reach.clone()),
            Some(Charge::Incident { provider, .. }) => Part::Reach(Reach::Provider(provider.clone())),
        };
        self.mending.remove(&charged);
        self.trials.remove(&charged);
        self.strikes = after
            .credentials
            .iter()
            .filter(|(_, entry)| entry.strikes > 0)
            .map(|(id, entry)| (id.clone(), entry.strikes))
            .collect();
        self.marks.clone_from(&after.marks);
        let within = self.policy.cooldowns.incident_within;
        self.blames.clone_from(&after.blames);
        self.blames.retain(|blame| now.duration_since(blame.at) <= within);
    }

    /// What would be decided if a failure of this class were seen now with full evidence. Nothing is remembered.
    pub fn suppose(&self, scene: Scene<'_>, class: Class, pool: &Pool) -> Decision {
        let failure = certain(class, "supposed");
        let mut attempts = Attempts::default();
        attempts.record(scene.mount, pool);
        decide(input(scene, &self.policy, &failure, None, &attempts, pool))
    }

    /// What is mounted was found out of use for this reason by asking its provider, while the session goes on.
    pub fn refused(&mut self, scene: Scene<'_>, class: Class, pool: &Pool) -> Told {
        self.decide(scene, certain(class, "asked"), Some(&scene.mount.credential), pool)
    }

    /// A turn ended well: its tries are over, and what it ran on works. Failures in a row are forgotten after the second.
    pub fn turn_done(&mut self, session: &str, mount: &Mount, now: Timestamp) -> Mended {
        let mut mended = Mended::default();
        for part in Pool::parts(mount) {
            mended.opened |= self.trials.remove(&part).is_some();
            let failed = match &part {
                Part::Credential(id) => self.strikes.contains_key(id),
                Part::Reach(reach) => self.marks.get(reach).is_some_and(|mark| mark.strikes > 0),
            };
            let twice = failed && !self.mending.insert(part.clone());
            if twice {
                self.mending.remove(&part);
            }
            match &part {
                Part::Credential(id) if twice => mended.struck = self.strikes.remove(id).is_some(),
                Part::Credential(_) => {}
                Part::Reach(reach) => {
                    let Some(mark) = self.marks.get_mut(reach).filter(|mark| mark.until <= now) else {
                        continue;
                    };
                    if !mark.healed || (twice && mark.strikes > 0) {
                        mark.healed = true;
                        mark.strikes = if twice { 0 } else { mark.strikes };
                        mended.marks.push(reach.clone());
                    }
                }
            }
        }
        let account = self.account(session);
        account.attempts = Attempts::default();
        let healed = account.last.as_ref().is_some_and(|told| told.decision.reason.mount == *mount);
        if healed {
            account.last = None;
        }
        mended
    }

    /// A session runs nowhere now: what it tried is open to others.
    pub fn left(&mut self, session: &str) {
        self.trials.retain(|_, trial| trial.session != session);
    }

    /// The last failure that still matters to a session.
    pub fn last(&self, session: &str) -> Option<&Told> {
        self.sessions.get(session)?.last.as_ref()
    }

    /// A session goes back to what its route prefers.
    pub fn goes_back(&mut self, session: &str, why: String) {
        self.account(session).back = Some(why);
    }

    /// Why a session went back, if that is the last that was decided about it.
    pub fn back(&self, session: &str) -> Option<&str> {
        self.sessions.get(session)?.back.as_deref()
    }

    /// A session is gone for good.
    pub fn forget(&mut self, session: &str) {
        self.sessions.remove(session);
        self.left(session);
    }

    /// A mark as it is now, to be journaled after a decision that charged it.
    pub fn mark(&self, reach: &Reach) -> Option<&Mark> {
        self.marks.get(reach)
    }

    /// How often a credential failed in a row.
    pub fn strikes(&self, credential: &CredentialId) -> u32 {
        self.strikes.get(credential).copied().unwrap_or(0)
    }

    fn account(&mut self, session: &str) -> &mut Account {
        self.sessions.entry(session.to_owned()).or_default()
    }
}

/// A failure that nobody has to be convinced of.
fn certain(class: Class, rule: &str) -> Failure {
    Failure {
        class,
        action: class.default_action(),
        failover: if class.default_scope().is_some() { FailoverWhen::Now } else { FailoverWhen::Never },
        scope: class.default_scope(),
        model: None,
        until: None,
        evidence: Evidence::Typed,
        corroborated: true,
        rule: rule.to_owned(),
    }
}

fn input<'a>(
    scene: Scene<'a>,
    policy: &'a Policy,
    failure: &'a Failure,
    sent_by: Option<&'a CredentialId>,
    attempts: &'a Attempts,
    pool: &'a Pool,
) -> DecideInput<'a> {
    DecideInput {
        session: scene.session,
        route: scene.route,
        current: scene.mount,
        pool,
        policy,
        failure,
        sent_by,
        attempts,
        now: scene.now,
        zone: scene.zone,
    }
}

#[cfg(test)]
mod tests;
