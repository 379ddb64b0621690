//! Claude Code: the lines of `-p --output-format stream-json`, and of its session files.

use serde_json::Value;

use super::super::body;
use super::super::signal::{Reading, Signal, Voice};
use super::text;

pub(super) fn read(frame: &Value, signal: &Signal) -> Option<Reading> {
    let reading = match text(frame, "type") {
        "result" if frame.get("is_error").is_some() || frame.get("subtype").is_some() => {
            result(frame, signal)
        }
        "rate_limit_event" => window(frame.get("rate_limit_info")?, signal),
        "assistant" => assistant(frame, signal),
        "system" => match text(frame, "subtype") {
            "api_retry" | "api_error" => Reading::Progress(harvested(frame, signal, Voice::Frame)),
            _ => Reading::NOTICE,
        },
        "auth_status" => match frame.get("error") {
            Some(error @ Value::String(_)) => Reading::Failed(harvested(error, signal, Voice::Frame)),
            _ => Reading::NOTICE,
        },
        "user"
        | "stream_event"
        | "control_request"
        | "control_response"
        | "control_cancel_request"
        | "keep_alive"
        | "tool_progress"
        | "tool_use_summary"
        | "summary"
        | "file-history-snapshot"
        | "queue-operation" => Reading::CONTENT,
        _ => return None,
    };
    Some(reading)
}

/// The end of a turn. Its `subtype` says "success" also when the turn failed.
fn result(frame: &Value, signal: &Signal) -> Reading {
    let subtype = text(frame, "subtype");
    let limit = subtype.starts_with("error_max");
    if !limit && frame.get("is_error") != Some(&Value::Bool(true)) {
        return if subtype.starts_with("error") {
            aborted_or_unknown(frame, signal)
        } else {
            Reading::SUCCESS
        };
    }
    if limit {
        let mut signal = signal.clone();
        signal.code(subtype);
        signal.say(text(frame, "result"));
        return Reading::Failed(signal);
    }
    aborted_or_unknown(frame, signal)
}

fn aborted_or_unknown(frame: &Value, signal: &Signal) -> Reading {
    let mut said = signal.clone();
    if text(frame, "terminal_reason").starts_with("aborted") {
        said.code("aborted");
        return Reading::Failed(said);
    }
    body::harvest(&serde_json::json!({ "message": text(frame, "result") }), &mut said);
    for key in ["api_error_status", "error", "errors", "api_error", "api_error_code", "api_error_type"] {
        if let Some(value) = frame.get(key) {
            body::harvest(&serde_json::json!({ key: value }), &mut said);
        }
    }
    Reading::Failed(said)
}

/// A usage window. Only `rejected` denies, and not while paid overage carries on.
fn window(info: &Value, signal: &Signal) -> Reading {
    let overage = info.get("isUsingOverage") == Some(&Value::Bool(true))
        || text(info, "overageStatus").starts_with("allowed");
    if text(info, "status") != "rejected" || overage {
        return Reading::NOTICE;
    }
    let mut said = signal.clone();
    said.code("usage_limit_reached");
    let windows = info.get("unifiedWindows").and_then(Value::as_object);
    let closed = windows.into_iter().flatten().map(|(_, window)| window);
    let last = closed
        .filter(|window| text(window, "status") == "rejected")
        .chain(std::iter::once(info))
        .max_by_key(|window| window.get("resetsAt").and_then(Value::as_u64));
    body::harvest(
        &serde_json::json!({ "resetsAt": last.and_then(|window| window.get("resetsAt")) }),
        &mut said,
    );
    let kind = text(info, "rateLimitType");
    said.say(kind);
    if let Some(model) = kind.strip_prefix("seven_day_").filter(|rest| *rest != "overage_included") {
        said.model = Some(model.to_owned());
    }
    Reading::Failed(said)
}

/// An assistant line is the harness speaking when it is marked as an error, or made without a model.
fn assistant(frame: &Value, signal: &Signal) -> Reading {
    let flag = |key: &str| frame.get(key) == Some(&Value::Bool(true));
    let message = frame.get("message").unwrap_or(&Value::Null);
    let marked = flag("isApiErrorMessage") || flag("is_api_error_message");
    if !marked && text(message, "model") != "<synthetic>" {
        return Reading::CONTENT;
    }
    let mut said = signal.clone();
    said.voice = if marked || frame.get("error").is_some_and(|error| !error.is_null()) {
        Voice::FinalFrame
    } else {
        Voice::Aside
    };
    let parts = message.get("content").and_then(Value::as_array);
    for part in parts.into_iter().flatten() {
        body::harvest(&serde_json::json!({ "message": text(part, "text") }), &mut said);
    }
    if let Some(content) = message.get("content").and_then(Value::as_str) {
        said.say(content);
    }
    let mut of_error = frame.as_object().cloned().unwrap_or_default();
    of_error.retain(|key, _| key.starts_with("api") || key == "error");
    body::harvest(&Value::Object(of_error), &mut said);
    Reading::Failed(said)
}

fn harvested(value: &Value, signal: &Signal, voice: Voice) -> Signal {
    let mut signal = signal.clone();
    signal.voice = voice;
    body::harvest(value, &mut signal);
    signal
}
