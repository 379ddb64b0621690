//! Failures that no rule knows: kept without secrets, so that a rule can be made of them.

pub mod fixture;
pub mod redact;
pub mod shelf;

use jiff::Timestamp;
use posthouse_protocol::payload::FailureInfo;
use serde_json::{Value, json};

use super::failure::{Class, Harmless, Verdict};
use super::observation::{Channel, Observation};
use fixture::Fixture;
use shelf::Shelf;

/// Whether what was seen is worth a rule: a failure that no rule knows, or an end with a code other than zero in which
/// no rule sees anything.
#[must_use]
pub fn is_drift(seen: &Observation, verdict: &Verdict) -> bool {
    // A status without words says nothing that a rule could be made of.
    let mute = seen.channel == Channel::Osc && !seen.body.contains(":msg=");
    let unknown = match verdict {
        Verdict::Failure(failure) => failure.class == Class::Unknown,
        Verdict::NotAFailure(Harmless::NoMatch) => seen.exit.is_some_and(|code| code != 0),
        Verdict::NotAFailure(_) => false,
    };
    unknown && !mute
}

/// Keeps what was seen; blocks on the disk. The event that tells of it, if it is the first of its kind.
pub fn keep(shelf: &Shelf, seen: &Observation, session: &str, now: Timestamp) -> Option<Value> {
    let fixture = Fixture::of(seen, session, now, std::env::var("HOME").ok().as_deref());
    match shelf.keep(fixture) {
        Ok(Some(kept)) => Some(told(&kept.info())),
        Ok(None) => None,
        Err(error) => {
            tracing::warn!(session, %error, "failed to keep a failure that no rule knows");
            None
        }
    }
}

fn told(info: &FailureInfo) -> Value {
    let exit = info.exit.map(|code| format!(" (exit code {code})")).unwrap_or_default();
    let message = format!(
        "{} failed in a way that no rule knows{exit}; what it said is kept without secrets: posthouse failure show {}",
        info.harness, info.id
    );
    json!({"message": message, "failure": info})
}
