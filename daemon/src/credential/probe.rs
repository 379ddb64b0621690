//! Asking a provider whether a key works: one small request whose answer the rules of failover judge.
//!
//! A probe condemns only what the answer condemns. No answer, a provider that is broken, or an endpoint that a gateway
//! does not have leave everything as it was.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};

use super::http::{Answer, HttpError, Request};
use super::id::CredentialId;
use super::state::{CredentialState, Proof, Why};
use crate::failover::charge::{Cooldowns, state_after};
use crate::failover::classify::classify;
use crate::failover::failure::{Class, Failure};
use crate::failover::observation::{AuthKind, Channel, Observation};
use crate::harness::definition::Probe;

/// What a probe showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The key was taken.
    Works,
    /// The provider refuses it, and says so in a way that counts.
    Refused(Failure),
    /// Nothing that says anything of the key. The words follow "the probe shows nothing: ".
    Unsure(String),
}

/// The request that a definition describes, for this key and this endpoint.
pub fn request(probe: &Probe, secret: &SecretString, base_url: Option<&str>) -> Request {
    let base = base_url.unwrap_or(&probe.base_url).trim_end_matches('/');
    let mut request = Request::get(format!("{base}{}", probe.path));
    for (name, value) in &probe.headers {
        request = request.header(name, value.replace("{secret}", secret.expose_secret()));
    }
    request
}

/// What the answer says of the key of `id`, as a provider's answer to `harness`.
pub fn judge(
    harness: &str,
    id: &CredentialId,
    answer: Result<Answer, HttpError>,
    now: Timestamp,
    zone: &TimeZone,
) -> Outcome {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Outcome::Unsure(format!("failed to {error}")),
    };
    if (200..300).contains(&answer.status) {
        return Outcome::Works;
    }
    let mut seen = Observation::new(harness, Channel::Probe, answer.body);
    seen.status = Some(answer.status);
    seen.headers = answer.headers;
    seen.credential = Some(id.clone());
    seen.auth = Some(AuthKind::ApiKey);
    seen.observed_at = Some(now);
    let verdict = classify(&seen, now, zone);
    match verdict.failure().filter(|failure| failure.evidence.may_condemn() && counts(failure.class)) {
        Some(failure) => Outcome::Refused(failure.clone()),
        None => Outcome::Unsure(format!("the provider answered {}", answer.status)),
    }
}

/// Whether a class says something of the key rather than of the provider or of the request.
const fn counts(class: Class) -> bool {
    class.is_auth() || matches!(class, Class::AccountDisabled | Class::Billing | Class::QuotaReset)
}

/// The state that follows; `None` if nothing changes. That a key is taken does not say that its quota is back.
pub fn follows(outcome: &Outcome, before: &CredentialState, now: Timestamp) -> Option<CredentialState> {
    match (outcome, before) {
        (Outcome::Unsure(_), _) => None,
        (Outcome::Works, CredentialState::Cooling { why, .. }) if !why.class.is_auth() => None,
        (Outcome::Works, _) => Some(CredentialState::Valid { proof: Proof::Probe, at: now }),
        (Outcome::Refused(failure), _) => {
            let why = Why { class: failure.class, evidence: failure.evidence, at: now };
            // A probe that fails is proof enough of what was merely likely.
            if failure.class.is_auth() && failure.class != Class::InvalidKey {
                return Some(CredentialState::NeedsLogin { why });
            }
            state_after(failure, why, before, 0, &Cooldowns::default(), now)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::failover::failure::Evidence;
    use crate::failover::observation::Headers;

    fn now() -> Timestamp {
        "2026-11-22T03:00:00Z".parse().unwrap()
    }

    fn answered(status: u16, body: &str) -> Outcome {
        let answer = Answer {
            status,
            headers: Headers::default(),
            body: body.to_owned(),
            at: std::time::SystemTime::UNIX_EPOCH,
            took: std::time::Duration::ZERO,
        };
        let id = "openai/key".parse().unwrap();
        judge("codex", &id, Ok(answer), now(), &TimeZone::UTC)
    }

    #[test]
    fn transient_5xx_keeps_credential() {
        for (status, body) in [
            (500, ""),
            (502, "<html>Bad Gateway</html>"),
            (503, r#"{"error":{"code":"server_is_overloaded"}}"#),
            (404, "not found"),
            (302, ""),
            (429, r#"{"error":{"code":"rate_limit_exceeded","message":"Please try again in 2s."}}"#),
        ] {
            let outcome = answered(status, body);
            assert!(matches!(outcome, Outcome::Unsure(_)), "{status}: {outcome:?}");
            assert_eq!(follows(&outcome, &CredentialState::Unknown, now()), None);
        }
    }

    #[test]
    fn a_refused_key_is_out_of_use_and_a_taken_one_is_proven() {
        let refused =
            answered(401, r#"{"error":{"code":"invalid_api_key","message":"Incorrect API key provided"}}"#);
        let state = follows(&refused, &CredentialState::Unknown, now()).unwrap();
        assert!(matches!(state, CredentialState::Disabled { .. }), "{state:?}");
        let taken = follows(&answered(200, r#"{"data":[]}"#), &state, now());
        assert_eq!(taken, Some(CredentialState::Valid { proof: Proof::Probe, at: now() }));
    }

    #[test]
    fn a_key_that_is_taken_does_not_end_a_cooldown() {
        let why = Why { class: Class::QuotaReset, evidence: Evidence::Typed, at: now() };
        let until = "2026-11-22T05:00:00Z".parse().unwrap();
        let cooling = CredentialState::Cooling { until, why, unproven: false };
        assert_eq!(follows(&Outcome::Works, &cooling, now()), None);
        let why = Why { class: Class::AuthAmbiguous, evidence: Evidence::Terminal, at: now() };
        let doubtful = CredentialState::Cooling { until, why, unproven: true };
        assert!(follows(&Outcome::Works, &doubtful, now()).is_some());
    }

    #[test]
    fn the_request_carries_the_key_in_a_header_alone() {
        let probe = Probe {
            base_url: "https://api.example.com/v1".into(),
            path: "/models".into(),
            headers: BTreeMap::from([("authorization".to_owned(), "Bearer {secret}".to_owned())]),
        };
        let asked = request(&probe, &"sk-1".to_owned().into(), Some("http://127.0.0.1:9/v1/"));
        assert_eq!(asked.url, "http://127.0.0.1:9/v1/models");
        assert_eq!(asked.headers[0].1.expose_secret(), "Bearer sk-1");
        assert!(!format!("{asked:?}").contains("sk-1"));
    }
}
