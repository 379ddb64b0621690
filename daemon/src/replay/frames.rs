//! One-shot runs and structured channels: every frame that speaks of a failure is an observation, and so is the end.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use super::judge::Judge;
use super::recording::{Line, Message};
use crate::failover::failure::{Failure, Harmless, Verdict};
use crate::failover::last_words;
use crate::failover::observation::{Channel, Observation};
use crate::harness::printed::Printed;

/// The requests that a conversation or a turn runs by.
const RUNS: [&str; 7] = [
    "authenticate",
    "session/new",
    "session/load",
    "session/prompt",
    "thread/start",
    "thread/resume",
    "turn/start",
];

/// What a turn has said of its failure so far.
#[derive(Debug, Default)]
struct Turn {
    told: Option<Failure>,
}

impl Turn {
    /// Decides about a frame, unless it says again what was decided already: a failed turn is told by several frames.
    fn take(&mut self, at: Duration, verdict: &Verdict, judge: &mut Judge) {
        match verdict {
            Verdict::Failure(failure) => {
                let again = self.told.as_ref().is_some_and(|told| says_no_more(told, failure));
                if !again {
                    judge.note(at, verdict);
                    self.told = Some(failure.clone());
                }
            }
            Verdict::NotAFailure(Harmless::Success) => {
                judge.note(at, verdict);
                self.told = None;
            }
            Verdict::NotAFailure(_) => {}
        }
    }
}

fn says_no_more(told: &Failure, failure: &Failure) -> bool {
    (told.class, told.action, told.failover, told.scope, told.corroborated)
        == (failure.class, failure.action, failure.failover, failure.scope, failure.corroborated)
}

/// A run that printed and ended.
pub fn headless(lines: &[Line], exit: Option<i32>, judge: &mut Judge) {
    let mut turn = Turn::default();
    let frames = lines.iter().filter(|line| line.stream == "out" && is_frame(&line.text));
    for line in frames {
        let mut seen = Observation::new(judge.harness(), Channel::Jsonl, line.text.clone());
        seen.exit = None;
        let verdict = judge.classify(&seen);
        turn.take(seconds(line.at), &verdict, judge);
    }
    let end = seconds(lines.last().map_or(0.0, |line| line.at));
    let Some(code) = exit else {
        // Whoever recorded it ended it: nothing was decided by the harness.
        judge.note(end, &Verdict::NotAFailure(Harmless::NoMatch));
        return;
    };
    let mut printed = Printed::default();
    lines.iter().for_each(|line| printed.line(line.text.trim()));
    let seen = last_words::ended(&printed, judge.harness(), code);
    let verdict = judge.classify(&seen);
    match &verdict {
        Verdict::Failure(_) if code != 0 => turn.take(end, &verdict, judge),
        // A run that ended well has recovered from whatever it told before.
        _ if judge.decisions().is_empty() => judge.note(end, &verdict),
        _ => {}
    }
}

/// Messages of `codex app-server`, `claude --input-format stream-json`, or the Agent Client Protocol.
pub fn structured(messages: &[Message], judge: &mut Judge) {
    let mut asked = HashMap::new();
    let acp = messages.iter().any(|message| message.message.get("jsonrpc").is_some());
    let mut turn = Turn::default();
    for Message { at, direction, message } in messages {
        if direction == ">" {
            if begins_turn(message) {
                turn = Turn::default();
            }
            if let (Some(id), Some(method)) = (message.get("id"), method(message)) {
                asked.insert(id.to_string(), method.to_owned());
            }
        }
        if direction != "<" || !message.is_object() {
            continue;
        }
        // A request that is no turn says nothing about turns.
        let about = message.get("id").and_then(|id| asked.get(&id.to_string()));
        if message.get("error").is_some() && about.is_some_and(|method| !RUNS.contains(&method.as_str())) {
            continue;
        }
        let channel = match message.get("method").or_else(|| message.get("id")) {
            _ if acp => Channel::Acp,
            Some(_) => Channel::AppServer,
            None => Channel::Jsonl,
        };
        let verdict = judge.classify(&Observation::new(judge.harness(), channel, message.to_string()));
        turn.take(seconds(*at), &verdict, judge);
    }
    if judge.decisions().is_empty() {
        let end = seconds(messages.last().map_or(0.0, |message| message.at));
        judge.note(end, &Verdict::NotAFailure(Harmless::NoMatch));
    }
}

fn begins_turn(message: &Value) -> bool {
    matches!(method(message), Some("turn/start" | "session/prompt"))
        || message.get("type").is_some_and(|kind| kind == "user")
}

fn method(message: &Value) -> Option<&str> {
    message.get("method").and_then(Value::as_str)
}

fn is_frame(line: &str) -> bool {
    serde_json::from_str::<Value>(line.trim()).is_ok_and(|value| value.is_object())
}

fn seconds(at: f64) -> Duration {
    Duration::try_from_secs_f64(at).unwrap_or_default()
}
