//! Codex: the lines of `codex exec --json`, of its session files, and the messages of `codex app-server`.

use serde_json::Value;

use super::super::body;
use super::super::signal::{Reading, Signal, Voice};
use super::{failed, text};

pub(super) fn read(frame: &Value, signal: &Signal) -> Option<Reading> {
    if let Some(method) = frame.get("method").and_then(Value::as_str) {
        return app_server(method, frame.get("params").unwrap_or(&Value::Null), signal);
    }
    if let Some(message) = frame.get("msg").or_else(|| frame.get("payload")).filter(|inner| inner.is_object())
    {
        return Some(event(message, signal));
    }
    let kind = text(frame, "type");
    match kind {
        "turn.failed" => Some(failed(signal, Voice::FinalFrame, frame.get("error").unwrap_or(frame))),
        "turn.completed" => Some(Reading::SUCCESS),
        // The same frame reports what is recovered from and what is not; only what follows tells.
        "error" if is_bare_error(frame) => Some(failed(signal, Voice::Frame, frame)),
        _ if ["item.", "thread.", "turn."].iter().any(|prefix| kind.starts_with(prefix)) => {
            Some(Reading::CONTENT)
        }
        "response_item" | "session_meta" | "turn_context" | "compacted" => Some(Reading::CONTENT),
        _ => None,
    }
}

/// `{"type":"error","message":…}` and nothing that another harness or a provider would add.
fn is_bare_error(frame: &Value) -> bool {
    frame.get("message").is_some_and(Value::is_string) && frame.get("sessionID").is_none()
}

/// An event of the older protocol and of session files.
fn event(event: &Value, signal: &Signal) -> Reading {
    match text(event, "type") {
        "error" => failed(signal, Voice::FinalFrame, event),
        "stream_error" => progress(signal, event),
        "turn_aborted" => {
            let mut signal = signal.clone();
            signal.code("interrupted");
            Reading::Failed(signal)
        }
        "task_complete" | "turn_complete" => Reading::SUCCESS,
        "token_count" | "warning" => Reading::NOTICE,
        _ => Reading::CONTENT,
    }
}

fn app_server(method: &str, params: &Value, signal: &Signal) -> Option<Reading> {
    let reading = match method {
        "error" => {
            let error = params.get("error").unwrap_or(params);
            if params.get("willRetry").and_then(Value::as_bool).unwrap_or(false) {
                progress(signal, error)
            } else {
                failed(signal, Voice::FinalFrame, error)
            }
        }
        "turn/completed" => {
            let turn = params.get("turn").unwrap_or(params);
            match text(turn, "status") {
                "failed" => failed(signal, Voice::FinalFrame, turn.get("error").unwrap_or(turn)),
                "interrupted" => {
                    let mut signal = signal.clone();
                    signal.code("interrupted");
                    Reading::Failed(signal)
                }
                _ => Reading::SUCCESS,
            }
        }
        "thread/status/changed" | "account/rateLimits/updated" | "mcpServer/startupStatus/updated" => {
            Reading::NOTICE
        }
        method if method.contains('/') => Reading::CONTENT,
        _ => return None,
    };
    Some(reading)
}

fn progress(signal: &Signal, error: &Value) -> Reading {
    let mut signal = signal.clone();
    signal.voice = Voice::Frame;
    body::harvest(error, &mut signal);
    Reading::Progress(signal)
}
