//! Asking a provider whether a key or a login works: one small request whose answer the rules of failover judge.
//!
//! A probe condemns only what the answer condemns. No answer, a provider that is broken, or an endpoint that a gateway
//! does not have leave everything as it was. A login is condemned by a 401 alone: its access token was refused, whatever
//! its file says of how long it lasts.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};

use super::http::{Answer, HttpError, Request};
use super::id::CredentialId;
use super::state::{CredentialState, Proof, Why};
use super::tokens::Facts;
use crate::failover::charge::{Cooldowns, state_after};
use crate::failover::classify::classify;
use crate::failover::failure::{Class, Evidence, Failure};
use crate::failover::observation::{AuthKind, Channel, Observation};
use crate::harness::definition::Probe;

/// What a probe showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The key or login was taken.
    Works,
    /// There is no login in its home. The words complete "failed to …".
    Absent(String),
    /// The provider refuses it, and says so in a way that counts.
    Refused(Failure),
    /// Nothing that says anything of the key. The words follow "the probe shows nothing: ".
    Unsure(String),
}

/// The request that a definition describes, with this key or token, at this endpoint instead of its own, and in the name
/// of this account. A header that names the account is left out where none is known.
pub fn request(
    probe: &Probe,
    secret: &SecretString,
    base_url: Option<&str>,
    account: Option<&str>,
) -> Request {
    let base = base_url.unwrap_or(&probe.base_url).trim_end_matches('/');
    let mut request = Request::get(format!("{base}{}", probe.path));
    for (name, value) in &probe.headers {
        if account.is_none() && value.contains("{account}") {
            continue;
        }
        let value = value.replace("{account}", account.unwrap_or_default());
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
    let answer = match refusal(answer) {
        Ok(answer) => answer,
        Err(outcome) => return outcome,
    };
    let status = answer.status;
    let verdict = classify(&observed(harness, id, AuthKind::ApiKey, answer, now), now, zone);
    match verdict.failure().filter(|failure| failure.evidence.may_condemn() && counts(failure.class)) {
        Some(failure) => Outcome::Refused(failure.clone()),
        None => Outcome::Unsure(format!("the provider answered {status}")),
    }
}

/// Why it would show nothing to ask with this login: its access token is over, and its harness gets the next one.
pub fn not_worth_asking(facts: &Facts, now: Timestamp) -> Option<String> {
    let over = facts.expires.filter(|expires| *expires <= now)?;
    facts.renewable.then(|| {
        format!("its access token ended at {over}, and only its harness may get a new one: it does at its next start")
    })
}

/// What the answer says of the login of `id`.
pub fn judge_login(
    harness: &str,
    id: &CredentialId,
    facts: &Facts,
    answer: Result<Answer, HttpError>,
    now: Timestamp,
    zone: &TimeZone,
) -> Outcome {
    let answer = match refusal(answer) {
        Ok(answer) => answer,
        Err(outcome) => return outcome,
    };
    let status = answer.status;
    let verdict = classify(&observed(harness, id, AuthKind::Oauth, answer, now), now, zone);
    match verdict.failure() {
        // Its harness gets a new one before it gives up.
        Some(failure) if failure.class == Class::ExpiredRefreshable && facts.renewable => Outcome::Unsure(
            "the provider says that its access token is over, and only its harness may get a new one"
                .to_owned(),
        ),
        Some(failure) if status == 401 && failure.class.is_auth() => {
            // What is wrong with a key is wrong with the login that a token belongs to.
            let class =
                if failure.class == Class::InvalidKey { Class::ReloginRequired } else { failure.class };
            Outcome::Refused(Failure { class, ..failure.clone() })
        }
        _ => Outcome::Unsure(format!("the provider answered {status}")),
    }
}

/// An answer that has to be judged: neither none at all nor a good one.
fn refusal(answer: Result<Answer, HttpError>) -> Result<Answer, Outcome> {
    match answer {
        Err(error) => Err(Outcome::Unsure(format!("failed to {error}"))),
        Ok(answer) if (200..300).contains(&answer.status) => Err(Outcome::Works),
        Ok(answer) => Ok(answer),
    }
}

fn observed(harness: &str, id: &CredentialId, auth: AuthKind, answer: Answer, now: Timestamp) -> Observation {
    let mut seen = Observation::new(harness, Channel::Probe, answer.body);
    seen.status = Some(answer.status);
    seen.headers = answer.headers;
    seen.credential = Some(id.clone());
    seen.auth = Some(auth);
    seen.observed_at = Some(now);
    seen
}

/// Whether a class says something of the key rather than of the provider or of the request.
const fn counts(class: Class) -> bool {
    class.is_auth() || matches!(class, Class::AccountDisabled | Class::Billing | Class::QuotaReset)
}

/// The state that follows; `None` if nothing changes. That a key is taken does not say that its quota is back.
pub fn follows(outcome: &Outcome, before: &CredentialState, now: Timestamp) -> Option<CredentialState> {
    match (outcome, before) {
        (Outcome::Unsure(_), _) => None,
        (Outcome::Absent(_), _) => {
            let why = Why { class: Class::ReloginRequired, evidence: Evidence::Typed, at: now };
            Some(CredentialState::NeedsLogin { why })
        }
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
    use crate::failover::observation::Headers;

    fn now() -> Timestamp {
        "2026-11-22T03:00:00Z".parse().unwrap()
    }

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            headers: Headers::default(),
            body: body.to_owned(),
            at: std::time::SystemTime::UNIX_EPOCH,
            took: std::time::Duration::ZERO,
        }
    }

    fn answered(status: u16, body: &str) -> Outcome {
        let answer = answer(status, body);
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

    fn login_answered(status: u16, body: &str, renewable: bool) -> Outcome {
        let answer = answer(status, body);
        // The file says that it lasts until tomorrow.
        let expires = Some("2026-11-23T03:00:00Z".parse().unwrap());
        let facts = Facts { expires, renewable, ..Facts::default() };
        assert_eq!(not_worth_asking(&facts, now()), None);
        judge_login("codex", &"openai/work".parse().unwrap(), &facts, Ok(answer), now(), &TimeZone::UTC)
    }

    #[test]
    fn future_exp_revoked() {
        let revoked = r#"{"error":{"message":"Your authentication token has been invalidated.","code":"token_revoked"}}"#;
        for body in [revoked, "", "<html>no</html>", r#"{"detail":"Unauthorized"}"#] {
            let outcome = login_answered(401, body, true);
            let state = follows(&outcome, &CredentialState::Unknown, now());
            assert!(matches!(state, Some(CredentialState::NeedsLogin { .. })), "{body}: {outcome:?}");
        }
    }

    #[test]
    fn only_a_401_condemns_a_login() {
        let revoked = r#"{"error":{"code":"token_revoked"}}"#;
        for (status, body) in [
            (403, "<html>Just a moment...</html>"),
            (403, revoked),
            (404, ""),
            (429, r#"{"error":{"type":"usage_limit_reached","resets_in_seconds":60}}"#),
            (500, revoked),
            (503, ""),
        ] {
            let outcome = login_answered(status, body, true);
            assert!(matches!(outcome, Outcome::Unsure(_)), "{status} {body}: {outcome:?}");
        }
        let expired =
            r#"{"error":{"code":"token_expired","message":"Provided authentication token is expired."}}"#;
        assert!(matches!(login_answered(401, expired, true), Outcome::Unsure(_)), "its harness renews it");
        assert!(matches!(login_answered(401, expired, false), Outcome::Refused(_)), "nobody does");
    }

    #[test]
    fn an_access_token_that_is_over_is_not_asked_about_where_its_harness_renews_it() {
        let expires = Some("2026-11-22T02:59:00Z".parse().unwrap());
        let over = Facts { expires, renewable: true, ..Facts::default() };
        assert!(not_worth_asking(&over, now()).unwrap().contains("2026-11-22T02:59:00Z"));
        assert_eq!(not_worth_asking(&Facts { renewable: false, ..over }, now()), None);
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
        let asked = request(&probe, &"sk-1".to_owned().into(), Some("http://127.0.0.1:9/v1/"), None);
        assert_eq!(asked.url, "http://127.0.0.1:9/v1/models");
        assert_eq!(asked.headers[0].1.expose_secret(), "Bearer sk-1");
        assert!(!format!("{asked:?}").contains("sk-1"));
    }
}
