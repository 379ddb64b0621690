//! OpenAI's Responses API: refusals and the event stream of a reply.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::answer::Refused;
use super::anthropic::mcp;
use super::conversation::Conversation;
use super::plan::Plan;
use super::scenario::Refusal;
use super::sse::Script;

/// How OpenAI words a refusal.
pub(super) fn refuse(refusal: &Refusal) -> Refused {
    let invalid = "invalid_request_error";
    match refusal {
        Refusal::TokenInvalidated => error(
            401,
            invalid,
            "token_invalidated",
            "Your authentication token has been invalidated. Please try signing in again.",
        ),
        Refusal::TokenExpired => error(
            401,
            invalid,
            "token_expired",
            "Provided authentication token is expired. Please try signing in again.",
        ),
        Refusal::BadKey => error(401, invalid, "invalid_api_key", "Incorrect API key provided."),
        Refusal::Revoked => error(403, invalid, "account_deactivated", "Your account has been deactivated."),
        Refusal::UsageLimit { resets_at } => usage_limit(*resets_at),
        Refusal::RateLimit => error(
            429,
            "tokens",
            "rate_limit_exceeded",
            "Rate limit reached on tokens per min (TPM): Limit 30000. Please try again in 1s.",
        )
        .header("retry-after", 1),
        Refusal::Billing => error(
            429,
            "insufficient_quota",
            "insufficient_quota",
            "You exceeded your current quota, please check your plan and billing details.",
        ),
        Refusal::Overloaded => error(
            503,
            "service_unavailable_error",
            "server_is_overloaded",
            "Our servers are currently overloaded. Please try again later.",
        ),
        Refusal::ServerError => error(
            500,
            "server_error",
            "server_error",
            "The server had an error while processing your request.",
        ),
        Refusal::BadRequest => error(400, invalid, "unsupported_value", "Unsupported value: mock."),
    }
}

/// The event in which a running reply says that it failed.
pub(super) fn failure() -> Value {
    json!({"type": "response.failed", "response": {
        "id": "resp_mock", "object": "response", "status": "failed", "output": [],
        "error": {"code": "server_error", "message": "The mock failed this reply."},
    }})
}

/// The events of a successful reply.
pub(super) fn reply(plan: &Plan, conversation: &Conversation, body: &Value) -> Script {
    let response = json!({
        "id": "resp_mock", "object": "response", "status": "in_progress",
        "model": body.get("model"), "output": [],
    });
    let mut script = Script::default();
    let mut now = |data: Value| script.event(Duration::ZERO, &data);
    now(json!({"type": "response.created", "response": response}));
    let item = match &plan.command {
        Some(command) => call(command, &conversation.tools),
        None => {
            json!({"type": "message", "id": "msg_mock", "role": "assistant", "status": "in_progress", "content": []})
        }
    };
    now(json!({"type": "response.output_item.added", "output_index": 0, "item": item}));
    let mut done = item;
    if plan.command.is_none() {
        let part =
            |kind: &str| json!({"type": kind, "item_id": "msg_mock", "output_index": 0, "content_index": 0});
        let with = |mut part: Value, key: &str, value: Value| {
            part[key] = value;
            part
        };
        let empty = json!({"type": "output_text", "text": ""});
        script.event(Duration::ZERO, &with(part("response.content_part.added"), "part", empty));
        for piece in &plan.pieces {
            script.event(plan.pause, &with(part("response.output_text.delta"), "delta", json!(piece)));
        }
        script.ending();
        let text = plan.text();
        script.event(Duration::ZERO, &with(part("response.output_text.done"), "text", json!(text)));
        done["status"] = json!("completed");
        done["content"] = json!([{"type": "output_text", "text": text, "annotations": []}]);
    } else {
        script.ending();
    }
    script.event(
        Duration::ZERO,
        &json!({"type": "response.output_item.done", "output_index": 0, "item": done}),
    );
    let mut completed = response;
    completed["status"] = json!("completed");
    completed["usage"] = json!({
        "input_tokens": 111, "input_tokens_details": {"cached_tokens": 11},
        "output_tokens": 22, "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 133,
    });
    script.event(Duration::ZERO, &json!({"type": "response.completed", "response": completed}));
    script
}

/// A call of whichever shell tool is on offer. A leading `sudo ` asks to leave the sandbox, which needs approval.
fn call(command: &str, tools: &[String]) -> Value {
    if let Some((tool, arguments)) = mcp(command) {
        let name = format!("mcp__{tool}");
        if tools.iter().any(|tool| tool == "exec") {
            let program = format!("const r = await tools.{name}({arguments}); text(JSON.stringify(r));");
            return json!({"type": "custom_tool_call", "id": "ctc_mock", "call_id": "call_mock", "name": "exec", "input": program});
        }
        return json!({
            "type": "function_call", "id": "fc_mock", "call_id": "call_mock", "name": name, "arguments": arguments,
        });
    }
    let arguments = match command.strip_prefix("sudo ") {
        Some(command) => json!({
            "cmd": command, "sandbox_permissions": "require_escalated", "justification": "the mock asks for it",
        }),
        None => json!({"cmd": command}),
    };
    if tools.iter().any(|tool| tool == "exec") {
        let program = format!("const r = await tools.exec_command({arguments}); text(r);");
        return json!({"type": "custom_tool_call", "id": "ctc_mock", "call_id": "call_mock", "name": "exec", "input": program});
    }
    json!({
        "type": "function_call", "id": "fc_mock", "call_id": "call_mock",
        "name": "exec_command", "arguments": arguments.to_string(),
    })
}

fn error(status: u16, kind: &str, code: &str, message: &str) -> Refused {
    Refused::new(
        status,
        json!({"error": {"message": message, "type": kind, "param": null, "code": code}, "status": status}),
    )
}

fn usage_limit(resets_at: SystemTime) -> Refused {
    let epoch = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let at = epoch(resets_at);
    let wait = at.saturating_sub(epoch(SystemTime::now()));
    let body = json!({"error": {
        "type": "usage_limit_reached", "message": "The usage limit has been reached",
        "plan_type": "plus", "resets_at": at, "resets_in_seconds": wait,
    }});
    Refused::new(429, body)
        .header("x-codex-primary-used-percent", "100.0")
        .header("x-codex-primary-window-minutes", 300)
        .header("x-codex-primary-reset-at", at)
        .header("x-codex-secondary-used-percent", "40.0")
        .header("x-codex-secondary-window-minutes", 10_080)
        .header("x-codex-secondary-reset-at", at.saturating_add(400_000))
}
