//! Anthropic's Messages API: refusals, the event stream of a reply, and a whole reply.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::answer::Refused;
use super::plan::Plan;
use super::scenario::Refusal;
use super::sse::Script;

/// How Anthropic words a refusal.
pub(super) fn refuse(refusal: &Refusal) -> Refused {
    let auth = "authentication_error";
    match refusal {
        Refusal::TokenInvalidated => error(401, auth, "Invalid authentication credentials"),
        Refusal::TokenExpired => error(
            401,
            auth,
            "OAuth token has expired. Please obtain a new token or refresh your existing token.",
        ),
        Refusal::BadKey => error(401, auth, "invalid x-api-key"),
        Refusal::Revoked => {
            error(403, "permission_error", "OAuth token has been revoked. Please obtain a new token.")
        }
        Refusal::UsageLimit { resets_at } => usage_limit(*resets_at),
        Refusal::RateLimit => error(
            429,
            "rate_limit_error",
            "This request would exceed your organization's rate limit of 30,000 input tokens per minute.",
        )
        .header("retry-after", 1),
        Refusal::Billing => error(
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API. \
             Please go to Plans & Billing to upgrade or purchase credits.",
        ),
        Refusal::Overloaded => error(529, "overloaded_error", "Overloaded"),
        Refusal::ServerError => error(500, "api_error", "Internal server error"),
        Refusal::BadRequest => error(400, "invalid_request_error", "messages.0: mock bad request"),
    }
}

/// The event in which a running reply says that it failed.
pub(super) fn failure() -> Value {
    json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
}

/// `mcp SERVER__TOOL ARGUMENTS`: a call of a server's tool instead of the shell's.
pub(super) fn mcp(command: &str) -> Option<(&str, &str)> {
    command.strip_prefix("mcp ")?.split_once(' ')
}

/// The events of a successful reply.
pub(super) fn reply(plan: &Plan, body: &Value) -> Script {
    let mut script = Script::default();
    script.event(
        Duration::ZERO,
        &json!({"type": "message_start", "message": message(body, json!([]), Value::Null)}),
    );
    let start = |block: Value| json!({"type": "content_block_start", "index": 0, "content_block": block});
    let delta = |delta: Value| json!({"type": "content_block_delta", "index": 0, "delta": delta});
    match &plan.command {
        Some(command) => {
            let shell = json!({"command": command, "description": "what the mock asks for"}).to_string();
            let (name, input) = match mcp(command) {
                Some((tool, arguments)) => (format!("mcp__{tool}"), arguments.to_owned()),
                None => ("Bash".to_owned(), shell),
            };
            let block = json!({"type": "tool_use", "id": "toolu_mock", "name": name, "input": {}});
            script.event(Duration::ZERO, &start(block));
            script.event(Duration::ZERO, &delta(json!({"type": "input_json_delta", "partial_json": input})));
        }
        None => {
            script.event(Duration::ZERO, &start(json!({"type": "text", "text": ""})));
            for piece in &plan.pieces {
                script.event(plan.pause, &delta(json!({"type": "text_delta", "text": piece})));
            }
        }
    }
    script.ending();
    script.event(Duration::ZERO, &json!({"type": "content_block_stop", "index": 0}));
    let stop = if plan.command.is_some() { "tool_use" } else { "end_turn" };
    script.event(
        Duration::ZERO,
        &json!({
            "type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null},
            "usage": {"output_tokens": 22},
        }),
    );
    script.event(Duration::ZERO, &json!({"type": "message_stop"}));
    script
}

/// A successful reply to a call that doesn't stream.
pub(super) fn whole(plan: &Plan, body: &Value) -> Value {
    message(body, json!([{"type": "text", "text": plan.text()}]), json!("end_turn"))
}

fn message(body: &Value, content: Value, stop_reason: Value) -> Value {
    json!({
        "id": "msg_mock", "type": "message", "role": "assistant", "model": body.get("model"),
        "content": content, "stop_reason": stop_reason, "stop_sequence": null,
        "usage": {
            "input_tokens": 111, "output_tokens": 22,
            "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0,
        },
    })
}

fn error(status: u16, kind: &str, message: &str) -> Refused {
    let error = json!({"type": kind, "message": message});
    Refused::new(status, json!({"type": "error", "error": error, "request_id": "req_mock"}))
}

fn usage_limit(resets_at: SystemTime) -> Refused {
    let epoch = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let at = epoch(resets_at);
    let wait = at.saturating_sub(epoch(SystemTime::now()));
    error(
        429,
        "rate_limit_error",
        "This request would exceed your account's rate limit. Please try again later.",
    )
    .header("retry-after", wait)
    .header("x-should-retry", false)
    .header("anthropic-ratelimit-unified-status", "rejected")
    .header("anthropic-ratelimit-unified-reset", at)
    .header("anthropic-ratelimit-unified-representative-claim", "five_hour")
    .header("anthropic-ratelimit-unified-5h-status", "rejected")
    .header("anthropic-ratelimit-unified-5h-reset", at)
    .header("anthropic-ratelimit-unified-5h-utilization", "1.0")
    .header("anthropic-ratelimit-unified-7d-status", "allowed")
    .header("anthropic-ratelimit-unified-7d-reset", at.saturating_add(400_000))
    .header("anthropic-ratelimit-unified-7d-utilization", "0.4")
    .header("anthropic-ratelimit-unified-overage-status", "rejected")
    .header("anthropic-ratelimit-unified-overage-disabled-reason", "org_level_disabled")
}
