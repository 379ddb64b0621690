//! Logging codex in by a code that a person types in on another machine.

use serde_json::{Value, json};

use super::answer::Refused;
use super::openai;
use super::scenario::Scenario;

/// What requests for a code are called in scenarios: they carry no credential.
pub(super) const LABEL: &str = "device";

/// A code, unless the scenario refuses it.
pub(super) fn code(scenario: &Scenario) -> Refused {
    match scenario {
        Scenario::Refuse(refusal) => openai::refuse(refusal),
        _ => Refused::new(200, json!({"device_auth_id": "d-1", "user_code": "ABCD-1234", "interval": "1"})),
    }
}

/// Whether the code was typed in. The grant carries the account's name.
pub(super) fn poll(approved: Option<&str>) -> Refused {
    match approved {
        None => Refused::new(403, json!({"error": {"code": "authorization_pending"}})),
        Some(account) => Refused::new(
            200,
            json!({"authorization_code": account, "code_challenge": "c", "code_verifier": "v"}),
        ),
    }
}

/// Whose tokens a request to the token endpoint is granted for such a code.
pub(super) fn account(body: &Value) -> Option<String> {
    Some(body.get("code")?.as_str()?.to_owned())
}
