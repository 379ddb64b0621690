//! What failover remembers between decisions: what is out of use beyond credentials, failures in a row, the tries of
//! each session's turn, and the last failure that still matters to each session. Pure: time is an argument.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::credential::id::CredentialId;
use crate::credential::state::CredentialStatus;

use super::charge::Charge;
use super::classify::classify;
use super::decide::{DecideInput, Decision, Move, Policy, decide};
use super::failure::{Class, Evidence, FailoverWhen, Failure, Verdict};
use super::observation::Observation;
use super::pool::{Attempts, Entry, Mark, Pool, Reach, Unusable};
use super::route::{Mount, Route};

/// The memory of the failover actor.
#[derive(Debug, Default)]
pub struct Ledger {
    policy: Policy,
    marks: BTreeMap<Reach, Mark>,
    strikes: BTreeMap<CredentialId, u32>,
    sessions: BTreeMap<String, Account>,
}

/// One session's.
#[derive(Debug, Default)]
struct Account {
    attempts: Attempts,
    last: Option<Told>,
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
    /// A ledger with the marks that the journal kept.
    pub fn new(policy: Policy, marks: impl IntoIterator<Item = (Reach, Mark)>) -> Self {
        Self { policy, marks: marks.into_iter().collect(), ..Self::default() }
    }

    /// Everything a decision hangs on, as one value.
    pub fn pool(&self, known: BTreeMap<CredentialId, Known>) -> Pool {
        let entry = |(id, known): (CredentialId, Known)| {
            let strikes = self.strikes.get(&id).copied().unwrap_or(0);
            (id, Entry { status: known.status, strikes, renew: known.renew })
        };
        Pool { credentials: known.into_iter().map(entry).collect(), marks: self.marks.clone() }
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
        self.account(session).attempts = Attempts::default();
        pool.resolve(route, &Attempts::default(), now)
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
        if let Move::Rotate { to } | Move::NextMount { to } = &decision.action {
            account.attempts.record(to, &after);
        }
        let told = Told { failure, decision, at: scene.now };
        if told.decision.action != Move::Nothing || told.decision.charge.is_some() {
            account.last = Some(told.clone());
        }
        if let Some(Charge::Credential { credential, .. }) = &told.decision.charge {
            let strikes = self.strikes.entry(credential.clone()).or_default();
            *strikes = strikes.saturating_add(1);
        }
        self.marks = after.marks;
        told
    }

    /// What would be decided if a failure of this class were seen now with full evidence. Nothing is remembered.
    pub fn suppose(&self, scene: Scene<'_>, class: Class, pool: &Pool) -> Decision {
        let failure = Failure {
            class,
            action: class.default_action(),
            failover: if class.default_scope().is_some() { FailoverWhen::Now } else { FailoverWhen::Never },
            scope: class.default_scope(),
            model: None,
            until: None,
            evidence: Evidence::Typed,
            corroborated: true,
            rule: "supposed".to_owned(),
        };
        let mut attempts = Attempts::default();
        attempts.record(scene.mount, pool);
        decide(input(scene, &self.policy, &failure, None, &attempts, pool))
    }

    /// A turn ended well: its tries are over, and what it ran on has no failures in a row any more.
    pub fn turn_done(&mut self, session: &str, mount: &Mount) {
        self.strikes.remove(&mount.credential);
        let account = self.account(session);
        account.attempts = Attempts::default();
        let healed = account.last.as_ref().is_some_and(|told| told.decision.reason.mount == *mount);
        if healed {
            account.last = None;
        }
    }

    /// The last failure that still matters to a session.
    pub fn last(&self, session: &str) -> Option<&Told> {
        self.sessions.get(session)?.last.as_ref()
    }

    /// A session is gone for good.
    pub fn forget(&mut self, session: &str) {
        self.sessions.remove(session);
    }

    /// A mark as it is now, to be journaled after a decision that charged it.
    pub fn mark(&self, reach: &Reach) -> Option<&Mark> {
        self.marks.get(reach)
    }

    fn account(&mut self, session: &str) -> &mut Account {
        self.sessions.entry(session.to_owned()).or_default()
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
