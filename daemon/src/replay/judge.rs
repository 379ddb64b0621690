//! What would have been decided: each observation is classified, and decided about on a route with one more login of the
//! same provider and one of another, of which nothing bad is known.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::credential::state::CredentialStatus;
use crate::failover::cases::Answer;
use crate::failover::classify::classify;
use crate::failover::decide::{DecideInput, Move, Policy, decide};
use crate::failover::failure::Verdict;
use crate::failover::observation::Observation;
use crate::failover::pool::{Attempts, Entry, Pool};
use crate::failover::route::Route;

/// How far ahead a reset is taken to have been when it was recorded, where that is long ago.
const AHEAD: SignedDuration = SignedDuration::from_hours(1);

/// One decision.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decision {
    /// What it was about, as `classify` says it; the id counts decisions from 1.
    #[serde(flatten)]
    pub answer: Answer,
    /// When, in seconds from the start of the recording.
    pub at: f64,
    /// `none`, `wait`, `rotate`, `next_mount`, `park` or `surface`.
    pub decision: &'static str,
}

/// Judges the observations of one recording.
pub struct Judge {
    harness: String,
    route: Option<Route>,
    pool: Pool,
    now: Timestamp,
    zone: TimeZone,
    decisions: Vec<Decision>,
}

impl Judge {
    /// Of a harness; reset times are taken from `now` and `zone` where a recording has none of its own.
    pub fn new(harness: &str, now: Timestamp, zone: TimeZone) -> Self {
        let route: Option<Route> = supposed(harness).parse().ok();
        let mut credentials = BTreeMap::new();
        for mount in route.iter().flat_map(Route::mounts) {
            let entry = Entry {
                status: CredentialStatus::new(),
                strikes: 0,
                renew: None,
                metered: false,
                renewals: 0,
            };
            credentials.insert(mount.credential.clone(), entry);
        }
        let pool = Pool { credentials, ..Pool::default() };
        Self { harness: harness.to_owned(), route, pool, now, zone, decisions: Vec::new() }
    }

    /// The harness.
    pub fn harness(&self) -> &str {
        &self.harness
    }

    /// Judges an observation without deciding anything.
    pub fn classify(&self, seen: &Observation) -> Verdict {
        classify(seen, self.now, &self.zone)
    }

    /// Decides about an observation.
    pub fn decide(&mut self, at: Duration, seen: &Observation) {
        let verdict = self.classify(seen);
        self.note(at, &verdict);
    }

    /// Decides about what was judged already.
    pub fn note(&mut self, at: Duration, verdict: &Verdict) {
        let decision = self.word(verdict);
        let id = (self.decisions.len() + 1).to_string();
        let at = (at.as_secs_f64() * 1e3).round() / 1e3;
        self.decisions.push(Decision { answer: Answer::of(id, verdict), at, decision });
    }

    /// Everything so far.
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    fn word(&self, verdict: &Verdict) -> &'static str {
        let (Verdict::Failure(failure), Some(route)) = (verdict, &self.route) else { return "none" };
        let [current, ..] = route.mounts() else { return "none" };
        let mut attempts = Attempts::default();
        attempts.record(current, &self.pool);
        // A reset that is over by now was ahead when the recording was made.
        let now = failure.until.filter(|until| *until <= self.now).map_or(self.now, |until| until - AHEAD);
        let decision = decide(DecideInput {
            session: "replayed",
            route,
            current,
            pool: &self.pool,
            policy: &Policy::default(),
            failure,
            sent_by: None,
            attempts: &attempts,
            now,
            zone: &self.zone,
        });
        match decision.action {
            Move::Nothing => "none",
            Move::Wait { .. } => "wait",
            Move::Rotate { .. } => "rotate",
            Move::NextMount { .. } => "next_mount",
            Move::Park { .. } => "park",
            Move::Surface => "surface",
        }
    }
}

/// The route that is supposed.
fn supposed(harness: &str) -> String {
    let (provider, other) = match harness {
        "codex" => ("openai", "claude@anthropic"),
        "claude" => ("anthropic", "codex@openai"),
        "gemini" => ("google", "codex@openai"),
        _ => ("own", "codex@openai"),
    };
    format!("{harness}@{provider}/recorded, {harness}@{provider}/next, {other}/other")
}
