//! What providers answer: nested and flat error objects, with the class in `type` or in `code`, over HTTP,
//! server-sent events or a WebSocket.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::failover::failure::Harmless;
use crate::failover::observation::{Endpoint, Headers};
use crate::failover::reset::Hint;

use super::literal;
use super::signal::{Reading, Signal};
use super::text::plain;

/// Deepest nesting of error objects, and of bodies quoted in messages.
const DEPTH: usize = 8;

/// Reads a response or stream event. `signal` carries its status and headers.
pub(super) fn read(raw: &str, mut signal: Signal) -> Reading {
    read_headers(&mut signal);
    let failed_status = signal.status.is_some_and(|status| status >= 400);
    let values = values(raw);
    if signal.endpoint == Some(Endpoint::Token) && signal.status.is_some_and(|status| status < 400) {
        let has_token =
            |value: &Value| value.pointer("/access_token").or(value.pointer("/data/access_token")).is_some();
        if !values.iter().any(|value| has_token(value) || is_failure(value)) {
            signal.code("no_token_in_answer");
        }
    }
    if values.is_empty() {
        // A gateway's page says nothing that its status does not say better.
        if !(signal.status.is_some_and(|status| status >= 500) && is_page(raw)) {
            signal.say(&plain(raw));
        }
        let failed = failed_status || !signal.codes.is_empty() || signal.status.is_none();
        return if failed { Reading::Failed(signal) } else { Reading::Harmless(Harmless::NoMatch) };
    }
    let mut failed = failed_status || signal.codes.iter().any(|code| code == "notokeninanswer");
    for value in values.iter().filter(|value| failed_status || is_failure(value)) {
        failed = true;
        harvest(value, &mut signal);
    }
    if failed { Reading::Failed(signal) } else { Reading::Harmless(Harmless::Content) }
}

fn is_page(raw: &str) -> bool {
    let start = raw.trim_start().get(..9).unwrap_or_default().to_ascii_lowercase();
    start.starts_with("<html") || start.starts_with("<!doctype")
}

/// The JSON of a body: one value, or those of the events of a stream.
fn values(raw: &str) -> Vec<Value> {
    if let Ok(value) = serde_json::from_str::<Value>(raw.trim()) {
        return match value {
            Value::Array(items) => items,
            Value::Object(_) => vec![value],
            _ => Vec::new(),
        };
    }
    let data = raw.lines().filter_map(|line| line.trim_start().strip_prefix("data:"));
    data.filter_map(|data| serde_json::from_str(data.trim()).ok()).filter(Value::is_object).collect()
}

/// Whether a body reports a failure although its status may not.
fn is_failure(value: &Value) -> bool {
    let response = value.get("response").unwrap_or(value);
    let present =
        |holder: &Value, key: &str| holder.get(key).is_some_and(|value| !value.is_null() && value != false);
    let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
    let status = response.get("status").and_then(Value::as_str).unwrap_or_default();
    present(value, "error")
        || present(response, "error")
        || matches!(kind, "error" | "response.failed" | "response.incomplete" | "response.cancelled")
        || matches!(status, "failed" | "cancelled" | "incomplete")
        || value.pointer("/base_resp/status_code").and_then(Value::as_i64).is_some_and(|code| code != 0)
        || (present(value, "detail") && value.get("choices").is_none())
        || (present(value, "__type") && present(value, "message"))
}

/// Takes codes, statuses, sentences and reset times out of an error object, however it is nested.
pub(super) fn harvest(value: &Value, signal: &mut Signal) {
    walk(value, signal, 0);
}

fn walk(value: &Value, signal: &mut Signal, depth: usize) {
    if depth > DEPTH {
        return;
    }
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                field(key, value, signal, depth);
            }
        }
        Value::Array(items) => items.iter().take(16).for_each(|item| walk(item, signal, depth + 1)),
        Value::String(text) => word_or_sentence(text, signal, depth),
        _ => {}
    }
}

fn field(key: &str, value: &Value, signal: &mut Signal, depth: usize) {
    match key {
        "code"
        | "type"
        | "reason"
        | "name"
        | "error_code"
        | "errorCode"
        | "__type"
        | "api_error"
        | "api_error_code"
        | "api_error_type"
        | "errorName"
        | "rate_limit_reached_type"
        | "rateLimitReachedType" => code(value, signal),
        "codexErrorInfo" | "codex_error_info" => codex_info(value, signal),
        "status" => match value {
            Value::String(text) if text == "cancelled" || text == "canceled" => signal.code("cancelled"),
            _ => code(value, signal),
        },
        "status_code" | "statusCode" | "http_status" | "httpStatusCode" | "api_error_status"
        | "apiErrorStatus" | "error_status" => status(value, signal),
        "message" | "error_description" | "error_message" | "errorMessage" | "msg" | "title"
        | "status_msg" | "description" | "additionalDetails" | "raw" => sentence(value, signal, depth),
        "error" | "errors" | "detail" | "details" | "cause" | "response" | "data" | "last_error"
        | "base_resp" | "metadata" | "violations" | "responseBody" | "response_body" | "body"
        | "incomplete_details" | "quotaDimensions" | "api_error_params" | "rate_limit_info"
        | "inner_error" | "innererror" => {
            if key == "quotaDimensions" || key == "metadata" {
                limited_model(value, signal);
            }
            walk(value, signal, depth + 1);
        }
        "headers" | "responseHeaders" | "response_headers" => headers(value, signal),
        "quotaId" | "quota_limit" => quota(value, signal),
        "resets_at" | "resetsAt" | "reset_at" | "resetAt" | "reset_time" | "quotaResetTimeStamp" => {
            signal.resets.extend(Hint::at(value));
        }
        "resets_in_seconds"
        | "resetsInSeconds"
        | "retry_after"
        | "retryAfter"
        | "retry_after_seconds"
        | "retryDelay"
        | "quotaResetDelay"
        | "reset_after_seconds" => signal.resets.extend(Hint::seconds(value)),
        "retry_after_ms" | "retryAfterMs" | "retryDelayMs" => signal.resets.extend(Hint::millis(value)),
        _ => {}
    }
}

/// A code; a number that could be a status is one.
fn code(value: &Value, signal: &mut Signal) {
    match value {
        Value::Number(number) => match number.as_u64().and_then(|number| u16::try_from(number).ok()) {
            Some(status @ 100..=599) => {
                answered(status, signal);
            }
            _ => signal.code(&number.to_string()),
        },
        Value::String(text) => match text.parse::<u16>() {
            Ok(status @ 100..=599) => {
                answered(status, signal);
            }
            _ => {
                let name = text.rsplit('#').next().unwrap_or(text);
                if !is_empty_word(name) && is_word(name) {
                    signal.code(name);
                }
            }
        },
        _ => {}
    }
}

/// A status named inside: gateways answer 200 and put what their provider answered into the body.
fn answered(status: u16, signal: &mut Signal) {
    if signal.status.is_none_or(|known| known < 400 && status >= 400) {
        signal.status = Some(status);
    }
}

/// Words in `type` and `status` that only say that this is an error.
fn is_empty_word(word: &str) -> bool {
    matches!(
        word,
        "error" | "failed" | "response.failed" | "Error" | "unknown" | "UnknownError" | "APIError" | "other"
    )
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 80
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.:/".contains(c))
}

/// Codex's own error class: a word, or an object named by it with the status inside.
fn codex_info(value: &Value, signal: &mut Signal) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                signal.code(name);
                if let Some(found) = inner.get("httpStatusCode").or_else(|| inner.get("http_status_code")) {
                    status(found, signal);
                }
            }
        }
        other => code(other, signal),
    }
}

fn status(value: &Value, signal: &mut Signal) {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    if let Some(status @ 100..=599) = number.and_then(|number| u16::try_from(number).ok()) {
        answered(status, signal);
    }
}

fn sentence(value: &Value, signal: &mut Signal, depth: usize) {
    match value {
        Value::String(text) => {
            let text = plain(text);
            if let Some(inner) = literal::find(&text) {
                walk(&inner, signal, depth + 1);
            }
            signal.say(&text);
        }
        other => walk(other, signal, depth + 1),
    }
}

/// `"error": "invalid_grant"` is a code, `"error": "Invalid API Key"` a sentence.
fn word_or_sentence(text: &str, signal: &mut Signal, depth: usize) {
    if is_word(text) {
        signal.code(text);
        signal.say(text);
    } else {
        sentence(&Value::String(text.to_owned()), signal, depth);
    }
}

fn headers(value: &Value, signal: &mut Signal) {
    let Value::Object(map) = value else { return };
    add_headers(map, &mut signal.headers);
    read_headers(signal);
}

fn add_headers(map: &Map<String, Value>, headers: &mut Headers) {
    for (name, value) in map {
        match value {
            Value::String(text) => headers.insert(name, text.as_str()),
            Value::Number(number) => headers.insert(name, number.to_string()),
            Value::Array(items) => {
                if let Some(text) = items.first().and_then(Value::as_str) {
                    headers.insert(name, text);
                }
            }
            _ => {}
        }
    }
}

/// Codes that only headers carry: the packed error of Codex's edge, and windows reported as closed.
fn read_headers(signal: &mut Signal) {
    if let Some(packed) = signal.headers.get("x-error-json").and_then(|text| STANDARD.decode(text).ok())
        && let Ok(value) = serde_json::from_slice::<Value>(&packed)
    {
        harvest(&value, signal);
    }
    if let Some(word) = signal.headers.get("x-openai-authorization-error").map(str::to_owned) {
        word_or_sentence(&word, signal, 0);
    }
    if let Some(word) = signal.headers.get("x-amzn-errortype").map(str::to_owned) {
        signal.code(word.split(':').next().unwrap_or_default());
    }
    if let Some(challenge) = signal.headers.get("www-authenticate").map(str::to_owned) {
        challenged(&challenge, signal);
    }
    let spent = signal.headers.get("x-ratelimit-remaining") == Some("0");
    if signal.status == Some(403) && (spent || signal.headers.get("retry-after").is_some()) {
        signal.code("throttled");
    }
    if signal.headers.get("cf-mitigated").is_some() {
        signal.code("challenged_by_edge");
    }
    closed_window(signal);
}

/// `Bearer error="invalid_token", error_description="The access token expired"`, as RFC 6750 has it.
fn challenged(challenge: &str, signal: &mut Signal) {
    for part in challenge.split(',') {
        let Some((name, value)) = part.split_once('=') else { continue };
        let value = value.trim().trim_matches('"');
        match name.trim().rsplit(' ').next() {
            Some("error") => signal.code(value),
            Some("error_description") => signal.say(&plain(value)),
            _ => {}
        }
    }
}

/// A window that headers report as closed, and the model that it is for.
fn closed_window(signal: &mut Signal) {
    const PREFIX: &str = "anthropic-ratelimit-unified-";
    let get = |name: &str| signal.headers.get(name);
    let rejected: Vec<&str> = signal
        .headers
        .iter()
        .filter(|(_, value)| *value == "rejected")
        .filter_map(|(name, _)| name.strip_prefix(PREFIX)?.strip_suffix("-status"))
        .filter(|window| *window != "overage")
        .collect();
    let model = match rejected.as_slice() {
        [window] => window.strip_prefix("7d_").map(str::to_owned),
        _ => None,
    };
    let claude = match get("anthropic-ratelimit-unified-status") {
        Some(status) => status == "rejected",
        None => !rejected.is_empty(),
    };
    let full =
        |name: &str| get(name).and_then(|value| value.parse::<f64>().ok()).is_some_and(|used| used >= 100.0);
    let codex = full("x-codex-primary-used-percent") || full("x-codex-secondary-used-percent");
    if claude || (codex && signal.status == Some(429)) {
        signal.code("window_header_rejected");
        if claude && let Some(model) = model {
            signal.model.get_or_insert(model);
        }
    }
}

/// Google names the window in the quota's id.
fn quota(value: &Value, signal: &mut Signal) {
    let Some(id) = value.as_str().map(str::to_ascii_lowercase) else { return };
    if id.contains("perday") || id.contains("daily") {
        signal.code("quota_per_day");
    } else if id.contains("perminute") || id.contains("persecond") || id.contains("perhour") {
        signal.code("quota_per_minute");
    }
}

fn limited_model(value: &Value, signal: &mut Signal) {
    if let Some(model) = value.get("model").and_then(Value::as_str) {
        signal.model.get_or_insert_with(|| model.to_owned());
    }
}
