//! What harnesses ask for besides the model: workspaces, plan usage, model lists.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// The workspaces of `account`, without which codex makes no model call.
pub(super) fn accounts(account: &str) -> Value {
    json!({
        "accounts": [{
            "id": account, "plan_type": "plus", "name": account, "structure": "personal",
            "workspace_backend_origin": "NO_CONSTRAINT", "account_routing_override": "NO_CONSTRAINT",
        }],
        "account_ordering": [account], "default_account_id": account,
    })
}

/// The use of the plan's two windows, in percent of each.
pub(super) fn usage(primary: u8) -> Value {
    let at = SystemTime::now() + Duration::from_secs(5400);
    let at = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let window = |percent: u8, seconds: u32| {
        json!({
            "used_percent": percent, "limit_window_seconds": seconds,
            "reset_after_seconds": 5400, "reset_at": at,
        })
    };
    json!({"plan_type": "plus", "rate_limit": {
        "allowed": primary < 100, "limit_reached": primary >= 100,
        "primary_window": window(primary, 18_000), "secondary_window": window(34, 604_800),
    }})
}

/// An empty list of models, in both providers' shapes.
pub(super) fn models() -> Value {
    json!({"object": "list", "data": [], "models": []})
}

/// The answer to a path nobody serves.
pub(super) fn not_found() -> Value {
    json!({"error": {"message": "the mock provider has nothing here", "type": "not_found"}})
}
