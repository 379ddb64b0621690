//! The case corpus: every case has the class, action and reset time that its file expects.

use std::fs;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::*;
use crate::failover::case::Case;
use crate::failover::failure::Action;

const ZONE: &str = "America/New_York";

#[derive(Deserialize)]
struct Expected {
    expect_class: String,
    expect_action: String,
    failover: FailoverWhen,
    expect_reset: Option<Reset>,
    expect_scope: Option<Scope>,
    expect_evidence: Option<Evidence>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Reset {
    Epoch { value: i64 },
    RelativeS { value: i64 },
    Wallclock { value: String, tz: String },
    None,
}

fn corpus(name: &str) -> Vec<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data/cases").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

fn now() -> Timestamp {
    "2026-11-22T03:00:00Z".parse().unwrap()
}

/// What is wrong with the answer to one case; nothing if it is as expected.
fn complaints(line: &str) -> Vec<String> {
    let case = Case::parse(line).unwrap_or_else(|why| panic!("{why}: {line}"));
    let expected: Expected = serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
    let zone = TimeZone::get(ZONE).unwrap();
    let verdict = classify(&case.observation, now(), &zone);
    let failure = verdict.failure();
    let class = failure.map_or("not_a_failure", |failure| failure.class.as_str());
    let action = failure.map_or(Action::None, |failure| failure.action).as_str();
    let when = failure.map_or(FailoverWhen::Never, |failure| failure.failover);
    let mut wrong = Vec::new();
    if class != expected.expect_class || action != expected.expect_action || when != expected.failover {
        wrong.push(format!(
            "{}: {class}/{action}/{when:?} instead of {}/{}/{:?} ({verdict:?})",
            case.id, expected.expect_class, expected.expect_action, expected.failover
        ));
    }
    let until = failure.and_then(|failure| failure.until);
    if let Some(reset) = &expected.expect_reset
        && !is_reset(reset, until)
    {
        wrong.push(format!("{}: until {until:?}", case.id));
    }
    if expected.expect_scope.is_some() && expected.expect_scope != failure.and_then(|failure| failure.scope) {
        wrong.push(format!("{}: scope {:?}", case.id, failure.and_then(|failure| failure.scope)));
    }
    if expected.expect_evidence.is_some_and(|level| failure.is_none_or(|failure| failure.evidence != level)) {
        wrong.push(format!("{}: evidence {:?}", case.id, failure.map(|failure| failure.evidence)));
    }
    wrong
}

fn is_reset(expected: &Reset, until: Option<Timestamp>) -> bool {
    let until = match (expected, until) {
        (Reset::None, until) => return until.is_none(),
        (_, None) => return false,
        (_, Some(until)) => until,
    };
    match expected {
        Reset::None => false,
        Reset::Epoch { value } => until.as_second() == *value,
        Reset::RelativeS { value } => until.duration_since(now()) == SignedDuration::from_secs(*value),
        Reset::Wallclock { value, tz } => {
            let zone = TimeZone::get(tz).unwrap_or_else(|_| TimeZone::get(ZONE).unwrap());
            zone.to_datetime(until).to_string().contains(value) && until.as_second() != now().as_second()
        }
    }
}

fn check(name: &str, at_least: usize) {
    let lines = corpus(name);
    assert!(lines.len() >= at_least, "{name} has only {} cases", lines.len());
    let wrong: Vec<String> = lines.iter().flat_map(|line| complaints(line)).collect();
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), lines.len(), wrong.join("\n"));
}

#[test]
fn every_collected_case_is_judged_as_labelled() {
    check("failures.jsonl", 96);
}
