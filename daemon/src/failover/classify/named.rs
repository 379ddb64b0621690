//! What credentials have taught: one test per lesson, by the name that it is known under.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::classify;
use crate::failover::failure::{Class, Failure, Verdict};
use crate::failover::observation::{AuthKind, Channel, Endpoint, Headers, Observation};

fn now() -> Timestamp {
    "2026-11-22T03:00:00Z".parse().unwrap()
}

fn judge(seen: &Observation) -> Option<Failure> {
    match classify(seen, now(), &TimeZone::UTC) {
        Verdict::Failure(failure) => Some(failure),
        Verdict::NotAFailure(_) => None,
    }
}

fn answer(endpoint: Endpoint, status: u16, body: &str) -> Observation {
    let mut seen = Observation::new("codex", Channel::Http, body);
    (seen.endpoint, seen.status, seen.auth) = (Some(endpoint), Some(status), Some(AuthKind::Oauth));
    seen
}

fn class_of(seen: &Observation) -> Option<Class> {
    judge(seen).map(|failure| failure.class)
}

/// The same OAuth error nested and flat, with its class in `error`, `code` or `type`; and a body that is none.
#[test]
fn nested_and_flat() {
    let known = [
        ("invalid_grant", 400, Class::ReloginRequired),
        ("refresh_token_reused", 401, Class::RefreshReused),
        ("refresh_token_expired", 401, Class::ReloginRequired),
        ("refresh_token_invalidated", 401, Class::ReloginRequired),
        ("token_expired", 401, Class::ReloginRequired),
        ("invalid_scope", 400, Class::BadRequest),
        ("temporarily_unavailable", 503, Class::ServerError),
    ];
    for (code, status, class) in known {
        let shapes: [Value; 8] = [
            json!({ "error": code }),
            json!({ "error": code, "error_description": "words" }),
            json!({ "code": code, "message": "words" }),
            json!({ "error": { "code": code } }),
            json!({ "error": { "type": code, "message": "words" } }),
            json!({ "error": { "error": code, "error_description": "words" } }),
            json!({ "detail": { "code": code } }),
            json!({ "error": json!({ "code": code }).to_string() }),
        ];
        for shape in shapes {
            let found = class_of(&answer(Endpoint::Token, status, &shape.to_string()));
            let alike = if class == Class::ServerError { Some(Class::Overloaded) } else { None };
            assert!(found == Some(class) || (alike.is_some() && found == alike), "{shape}: {found:?}");
        }
    }
    for (status, class) in [
        (400, Class::AuthAmbiguous),
        (401, Class::ReloginRequired),
        (403, Class::ReloginRequired),
        (404, Class::ServerError),
        (429, Class::RateLimit),
        (502, Class::ServerError),
    ] {
        for body in ["", "<html>no", "{\"error\": {\"code\": \"inval", "\u{0}\u{1}", "[]", "null", "42"] {
            assert_eq!(class_of(&answer(Endpoint::Token, status, body)), Some(class), "{status} {body:?}");
        }
    }
}

/// Every way in which a token endpoint can answer, and not answer.
#[test]
fn token_endpoint_answers() {
    let with = |mut seen: Observation, headers: &[(&str, &str)]| {
        seen.headers = headers.iter().map(|(name, value)| (name, *value)).collect::<Headers>();
        seen
    };
    let token = |status, body: &str| answer(Endpoint::Token, status, body);
    let page = "<!DOCTYPE html><title>Sign in</title>";
    let cases = [
        ("200 with a token", token(200, r#"{"access_token":"x","expires_in":60}"#), None),
        ("200 and empty", token(200, ""), Some(Class::ServerError)),
        ("200 and a page", token(200, page), Some(Class::ServerError)),
        ("200 and an error", token(200, r#"{"error":"invalid_grant"}"#), Some(Class::ReloginRequired)),
        ("204", token(204, ""), Some(Class::ServerError)),
        ("302 to a login page", token(302, page), Some(Class::ServerError)),
        ("401", token(401, ""), Some(Class::ReloginRequired)),
        ("403 for now", with(token(403, ""), &[("retry-after", "30")]), Some(Class::RateLimit)),
        (
            "403 spent",
            with(token(403, "Forbidden"), &[("x-ratelimit-remaining", "0")]),
            Some(Class::RateLimit),
        ),
        ("403", token(403, ""), Some(Class::ReloginRequired)),
        ("404", token(404, "Not Found"), Some(Class::ServerError)),
        ("429", with(token(429, ""), &[("retry-after", "30")]), Some(Class::RateLimit)),
        ("500", token(500, r#"{"error":"invalid_grant"}"#), Some(Class::ServerError)),
        ("529", token(529, ""), Some(Class::Overloaded)),
    ];
    for (what, seen, class) in cases {
        let found = judge(&seen);
        let alike =
            class == Some(Class::Overloaded) && found.as_ref().map(|f| f.class) == Some(Class::ServerError);
        assert!(found.as_ref().map(|failure| failure.class) == class || alike, "{what}: {found:?}");
        if seen.status.is_some_and(|status| !matches!(status, 200 | 401 | 403)) || seen.body.is_empty() {
            let dead = found.as_ref().is_some_and(|failure| failure.class.is_dead_login());
            assert!(!dead || matches!(seen.status, Some(401 | 403)), "{what} proves no death");
        }
    }
    let late = judge(&with(token(429, ""), &[("retry-after", "30")])).and_then(|failure| failure.until);
    assert_eq!(late.map(|until| until.duration_since(now()).as_secs()), Some(30));
    let mut hang = Observation::new("codex", Channel::Http, "error sending request: operation timed out");
    hang.endpoint = Some(Endpoint::Token);
    assert_eq!(class_of(&hang), Some(Class::Network));
}

/// A code and words that nobody has seen get the cautious class of the status, and are not condemned by it.
#[test]
fn wording_free_classification() {
    let bodies = [
        r#"{"error":{"code":"zyx_41","message":"Gjennomføringen stanset","type":"zyx"}}"#,
        r#"{"oops":true}"#,
        "何かがおかしい",
        "",
    ];
    for (status, class) in [
        (400, Class::BadRequest),
        (401, Class::AuthAmbiguous),
        (402, Class::Billing),
        (403, Class::AuthAmbiguous),
        (404, Class::BadRequest),
        (408, Class::Network),
        (413, Class::ContextOverflow),
        (429, Class::RateLimit),
        (500, Class::ServerError),
        (503, Class::ServerError),
        (529, Class::Overloaded),
    ] {
        for body in bodies {
            let seen = answer(Endpoint::Inference, status, body);
            let failure = judge(&seen).unwrap();
            assert_eq!(failure.class, class, "{status} {body}");
            assert!(!failure.class.is_dead_login());
            assert_eq!(seen.body, body, "what was said is kept as it was");
        }
    }
    for (harness, frame) in [
        ("codex", json!({"type": "turn.failed", "error": {"message": "Gjennomføringen stanset"}})),
        ("claude", json!({"type": "result", "is_error": true, "result": "Gjennomføringen stanset"})),
        (
            "opencode",
            json!({"type": "error", "error": {"name": "Zyx", "data": {"message": "Gjennomføringen stanset"}}}),
        ),
    ] {
        let failure = judge(&Observation::new(harness, Channel::Jsonl, frame.to_string())).unwrap();
        assert_eq!((failure.class, failure.corroborated), (Class::Unknown, false), "{harness}");
    }
    for text in ["Gjennomføringen stanset", "zyx_41: stop"] {
        assert_eq!(judge(&Observation::new("codex", Channel::Terminal, text)), None);
    }
}
