//! Gemini CLI: the lines of `-o stream-json`, and the error object of `-o json`.

use serde_json::Value;

use super::super::signal::{Reading, Signal, Voice};
use super::{failed, text};

pub(super) fn read(frame: &Value, signal: &Signal) -> Option<Reading> {
    let reading = match text(frame, "type") {
        "result" if frame.get("status").is_some() => match text(frame, "status") {
            "error" => ended(signal, frame.get("error").unwrap_or(frame)),
            _ => Reading::SUCCESS,
        },
        "error" if frame.get("severity").is_some() => match text(frame, "severity") {
            "warning" => Reading::NOTICE,
            _ => failed(signal, Voice::Frame, frame),
        },
        "init" | "message" | "tool_use" | "tool_result" => Reading::CONTENT,
        "" if frame.get("session_id").is_some() => match frame.get("error") {
            Some(error) if !error.is_null() => ended(signal, error),
            _ => Reading::SUCCESS,
        },
        "" if frame.get("response").is_some_and(Value::is_string) => Reading::SUCCESS,
        _ => return None,
    };
    Some(reading)
}

/// The error that ended a run; its code is a status or an exit code.
fn ended(signal: &Signal, error: &Value) -> Reading {
    let mut signal = signal.clone();
    if let Some(code) = error.get("code").and_then(Value::as_i64).filter(|code| *code < 100) {
        exit(i32::try_from(code).unwrap_or(0), &mut signal);
    }
    failed(&signal, Voice::FinalFrame, error)
}

/// What an exit code says: its own numbers, else the low byte of the HTTP status that ended the run.
pub(in super::super) fn exit(code: i32, signal: &mut Signal) {
    match code {
        41 => signal.code("auth_required"),
        42 => signal.code("fatal_input_error"),
        52 => signal.code("fatal_config_error"),
        53 => signal.code("max_session_turns"),
        130 => signal.code("fatal_cancellation_error"),
        code => {
            let statuses = [400, 401, 402, 403, 404, 429, 500, 502, 503, 504, 529];
            signal.status = signal.status.or_else(|| {
                statuses
                    .into_iter()
                    .find(|status| status % 256 == u32::try_from(code).unwrap_or(0))
                    .map(|s| s as u16)
            });
        }
    }
}
