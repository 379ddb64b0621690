//! opencode: the lines of `run --format json`, and the events of its server.

use serde_json::Value;

use super::super::body;
use super::super::signal::{Reading, Signal, Voice};
use super::{failed, text};

pub(super) fn read(frame: &Value, signal: &Signal) -> Option<Reading> {
    let event = frame.get("properties");
    let reading = match text(frame, "type") {
        "error" if is_named(frame.get("error")) => failed(signal, Voice::FinalFrame, frame),
        "session.error" => failed(signal, Voice::FinalFrame, event?),
        "session.status" => match event?.get("status") {
            Some(status) if text(status, "type") == "retry" => {
                let mut signal = signal.clone();
                signal.voice = Voice::Frame;
                body::harvest(&serde_json::json!({ "message": text(status, "message") }), &mut signal);
                Reading::Progress(signal)
            }
            _ => Reading::NOTICE,
        },
        "message.updated" => match event?.pointer("/info/error") {
            Some(error) if !error.is_null() => failed(signal, Voice::FinalFrame, error),
            _ => Reading::CONTENT,
        },
        "session.idle" => Reading::NOTICE,
        "text"
        | "reasoning"
        | "tool"
        | "tool_use"
        | "step_start"
        | "step_finish"
        | "message.part.updated" => Reading::CONTENT,
        _ => return None,
    };
    Some(reading)
}

/// opencode's errors have a `name`; a provider's have a `type`.
fn is_named(error: Option<&Value>) -> bool {
    error.is_some_and(|error| error.get("name").is_some())
}
