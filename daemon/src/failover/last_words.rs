//! From what a one-shot run printed to the observation of how it ended; pure.

use super::failure::{Harmless, Verdict};
use super::observation::{Channel, Corroboration, Observation};
use crate::harness::printed::Printed;

/// What is seen of a run that ended with `code`: all its last objects together, or its words where it printed none.
pub fn ended(printed: &Printed, harness: &str, code: i32) -> Observation {
    let mut seen = match printed.all_frames() {
        Some(frames) => Observation::new(harness, Channel::Jsonl, frames),
        None => {
            let words = printed.words();
            match object_in(&words) {
                Some(object) => Observation::new(harness, Channel::Jsonl, object),
                None => Observation::new(harness, Channel::Exit, words),
            }
        }
    };
    seen.exit = Some(code);
    seen.corroboration = Corroboration { exit_nonzero: code != 0, ..Corroboration::default() };
    seen
}

/// The failure that a run told of and did not recover from, whatever code it ended with.
pub fn unrecovered(
    printed: &Printed,
    harness: &str,
    classify: impl Fn(&Observation) -> Verdict,
) -> Option<Observation> {
    printed.frames().fold(None, |told, frame| {
        let seen = Observation::new(harness, Channel::Jsonl, frame.to_owned());
        match classify(&seen) {
            Verdict::Failure(_) => Some(seen),
            Verdict::NotAFailure(Harmless::Success) => None,
            Verdict::NotAFailure(_) => told,
        }
    })
}

/// One object spread over lines: harnesses print warnings before it.
fn object_in(text: &str) -> Option<String> {
    let begin = text.find("\n{").map(|at| at + 1).or_else(|| text.starts_with('{').then_some(0))?;
    let end = text.rfind('}')? + 1;
    let object = text.get(begin..end)?;
    let whole = serde_json::from_str::<serde_json::Value>(object).is_ok_and(|value| value.is_object());
    whole.then(|| object.to_owned())
}
