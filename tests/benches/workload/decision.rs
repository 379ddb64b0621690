//! How long a failure takes from what was seen of it to what is done about it: every labelled case, for a session with a
//! long route among many credentials.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use posthoused::credential::id::CredentialId;
use posthoused::credential::state::CredentialStatus;
use posthoused::failover::case::Case;
use posthoused::failover::classify::classify;
use posthoused::failover::decide::Policy;
use posthoused::failover::ledger::{Known, Ledger, Scene};
use posthoused::failover::observation::Observation;
use posthoused::failover::route::{Mount, Route};

use super::{Contender, Effort, Workload, figure};
use crate::report::Better::Less;
use crate::report::Goal;
use crate::stats::{micros, percentile};

/// Credentials of each provider.
const EACH: usize = 12;
/// Passes over the cases.
const PASSES: usize = 20;

pub fn workload(effort: Effort) -> Workload {
    let passes = effort.count(PASSES);
    let goal = Some(Goal::Value(1_000.0));
    Workload {
        title: "decide about a failure",
        figures: vec![figure("p50", "µs", Less), figure("p99", "µs", Less), figure("longest", "µs", Less)],
        contenders: vec![
            Contender::new("classification alone", move || {
                let now = now();
                timed(passes, |seen| drop(black_box(classify(seen, now, &TimeZone::UTC))))
            }),
            Contender::new("classified, charged and decided", move || decided(passes))
                .aiming_at([goal, goal, goal]),
        ],
    }
}

fn now() -> Timestamp {
    "2026-11-22T03:00:00Z".parse().expect("a time")
}

fn decided(passes: usize) -> Vec<f64> {
    let names = ["openai", "anthropic", "google"];
    let ids: Vec<CredentialId> = names
        .iter()
        .flat_map(|provider| (0..EACH).map(move |at| CredentialId::new(provider, &format!("c{at}"))))
        .map(|id| id.expect("a name"))
        .collect();
    let known: BTreeMap<_, _> = ids
        .iter()
        .map(|id| {
            let status = CredentialStatus::new();
            (id.clone(), Known { status, renew: None, metered: false, renewals: 0 })
        })
        .collect();
    let mounts = ids.iter().take(32).map(mount).collect::<Vec<_>>();
    let (current, route) = (mounts[0].clone(), Route::new(mounts).expect("a route"));
    let scene = Scene { session: "bench", route: &route, mount: &current, now: now(), zone: &TimeZone::UTC };
    timed(passes, |seen| {
        let mut seen = seen.clone();
        seen.credential = Some(current.credential.clone());
        let mut ledger = Ledger::new(Policy::default(), []);
        let pool = ledger.pool(known.clone());
        drop(black_box(ledger.judge(scene, &seen, &pool)));
    })
}

fn mount(id: &CredentialId) -> Mount {
    let harness = match id.provider() {
        "openai" => "codex",
        "anthropic" => "claude",
        _ => "gemini",
    };
    format!("{harness}@{id}").parse().expect("a mount")
}

/// Median, 99th percentile and maximum over all cases, in microseconds.
fn timed(passes: usize, mut work: impl FnMut(&Observation)) -> Vec<f64> {
    let cases = cases();
    let took: Vec<Duration> = (0..passes)
        .flat_map(|_| &cases)
        .map(|seen| {
            let begun = Instant::now();
            work(seen);
            begun.elapsed()
        })
        .collect();
    let mut took = micros(took);
    [0.5, 0.99, 1.0].map(|part| percentile(&mut took, part)).to_vec()
}

fn cases() -> Vec<Observation> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/cases");
    let files = std::fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut cases = Vec::new();
    for file in files
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
    {
        let text = std::fs::read_to_string(&file).expect("cases");
        cases.extend(text.lines().filter_map(|line| Case::parse(line).ok()).map(|case| case.observation));
    }
    assert!(cases.len() > 500, "the labelled cases are there");
    cases
}
