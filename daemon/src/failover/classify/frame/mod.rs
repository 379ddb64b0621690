//! Structured output of harnesses: which frames may speak of a failure at all, and where in them it stands.
//! Everything else is content, whatever it quotes.

mod claude;
mod codex;
mod gemini;
mod opencode;
mod rpc;

pub(super) use gemini::exit as gemini_exit;

use serde_json::Value;

use crate::failover::failure::Harmless;

use super::body;
use super::signal::{Reading, Signal, Voice};

/// Reads what one harness wrote: a frame, or several lines of them, of which the last word counts.
pub(super) fn read(harness: &str, raw: &str, signal: &Signal) -> Option<Reading> {
    if let Ok(frame) = serde_json::from_str::<Value>(raw.trim()) {
        return Some(one(harness, &frame, signal));
    }
    let frames = raw.lines().filter_map(|line| serde_json::from_str::<Value>(line.trim()).ok());
    frames.filter(Value::is_object).map(|frame| one(harness, &frame, signal)).reduce(last_word)
}

/// A success after a failure means that the harness recovered; content after it means nothing.
fn last_word(before: Reading, after: Reading) -> Reading {
    match (before, after) {
        (Reading::Failed(before), Reading::Failed(mut after)) => {
            // The frames of one failure complete each other: the first often has the code, the last the text.
            for code in before.codes {
                after.code(&code);
            }
            after.status = after.status.or(before.status);
            after.resets.extend(before.resets);
            Reading::Failed(after)
        }
        (before @ Reading::Failed(_), Reading::Progress(_)) => before,
        (_, after @ (Reading::Failed(_) | Reading::Progress(_) | Reading::Harmless(Harmless::Success))) => {
            after
        }
        (before, Reading::Harmless(_)) => before,
    }
}

fn one(harness: &str, frame: &Value, signal: &Signal) -> Reading {
    let readers: [fn(&Value, &Signal) -> Option<Reading>; 5] = match harness {
        "codex" => [codex::read, rpc::read, claude::read, opencode::read, gemini::read],
        "claude" => [claude::read, rpc::read, codex::read, opencode::read, gemini::read],
        "gemini" => [gemini::read, rpc::read, claude::read, opencode::read, codex::read],
        "opencode" => [opencode::read, rpc::read, claude::read, gemini::read, codex::read],
        _ => [rpc::read, opencode::read, codex::read, claude::read, gemini::read],
    };
    readers.iter().find_map(|read| read(frame, signal)).unwrap_or_else(|| {
        let mut signal = signal.clone();
        signal.voice = Voice::Frame;
        body::read(&frame.to_string(), signal)
    })
}

/// The string under `key`, or an empty one.
fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A failure reported by `error`, as the harness's last word on the turn.
fn failed(signal: &Signal, voice: Voice, error: &Value) -> Reading {
    let mut signal = signal.clone();
    signal.voice = voice;
    body::harvest(error, &mut signal);
    Reading::Failed(signal)
}
