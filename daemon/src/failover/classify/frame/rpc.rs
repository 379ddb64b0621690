//! JSON-RPC as the Agent Client Protocol and app servers speak it.

use serde_json::Value;

use super::super::signal::{Reading, Signal, Voice};
use super::{failed, text};

pub(super) fn read(frame: &Value, signal: &Signal) -> Option<Reading> {
    let is_rpc = frame.get("jsonrpc").is_some() || (frame.get("id").is_some() && frame.get("type").is_none());
    if let Some(error) = frame.get("error").filter(|error| error.get("code").is_some_and(Value::is_i64))
        && (is_rpc
            || text(error, "message").is_empty()
            || error.get("code").and_then(Value::as_i64) < Some(-30_000))
    {
        return Some(failed(signal, Voice::FinalFrame, error));
    }
    if !is_rpc {
        return None;
    }
    if let Some(result) = frame.get("result") {
        return Some(stopped(text(result, "stopReason"), signal));
    }
    frame.get("jsonrpc").filter(|_| frame.get("method").is_some()).map(|_| Reading::CONTENT)
}

/// How a prompt ended that did not fail.
fn stopped(reason: &str, signal: &Signal) -> Reading {
    let code = match reason {
        "cancelled" => "cancelled",
        "refusal" => "content_policy",
        "max_turn_requests" | "max_tokens" => "max_turns",
        "end_turn" => return Reading::SUCCESS,
        _ => return Reading::CONTENT,
    };
    let mut signal = signal.clone();
    signal.code(code);
    Reading::Failed(signal)
}
