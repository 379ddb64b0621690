//! The OAuth token endpoint of both providers.

use serde_json::{Value, json};

use super::answer::Refused;
use super::credential::{AccountToken, LIFETIME};
use super::scenario::{RefreshFault, Scenario};

/// The label of the refresh token in a request to the endpoint.
pub(super) fn refresh_token(body: &Value) -> &str {
    body.get("refresh_token").and_then(Value::as_str).unwrap_or_default()
}

/// The endpoint's answer: fresh tokens, unless the scenario is about refreshing.
pub(super) fn answer(scenario: &Scenario, body: &Value, fresh: &AccountToken) -> Refused {
    let Scenario::Refresh(fault) = scenario else { return Refused::new(200, grant(body, fresh)) };
    let nested = |code: &str, message: &str| {
        let error = json!({"message": message, "type": "invalid_request_error", "param": null, "code": code});
        Refused::new(401, json!({"error": error}))
    };
    match fault {
        RefreshFault::Reused => nested(
            "refresh_token_reused",
            "Your refresh token has already been used to generate a new access token. Please try signing in again.",
        ),
        RefreshFault::Expired => {
            nested("refresh_token_expired", "Your refresh token has expired. Please try signing in again.")
        }
        RefreshFault::Invalidated => {
            nested("refresh_token_invalidated", "Your session has ended. Please log in again.")
        }
        RefreshFault::InvalidGrant => {
            let why = "Refresh token not found or invalid";
            Refused::new(400, json!({"error": "invalid_grant", "error_description": why}))
        }
        RefreshFault::ServerError => Refused::new(500, json!({"error": "server_error"})),
    }
}

fn grant(body: &Value, fresh: &AccountToken) -> Value {
    if refresh_token(body).starts_with("sk-ant-") {
        json!({
            "access_token": fresh.anthropic_access(), "refresh_token": fresh.anthropic_refresh(),
            "token_type": "Bearer", "expires_in": LIFETIME, "scope": "user:inference user:profile",
        })
    } else {
        json!({
            "id_token": fresh.openai_jwt(), "access_token": fresh.openai_jwt(),
            "refresh_token": fresh.openai_refresh(), "token_type": "Bearer", "expires_in": LIFETIME,
        })
    }
}
