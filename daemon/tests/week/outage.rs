//! What goes wrong, where, when, and how the provider says so.

use jiff::{SignedDuration, Timestamp};
use posthoused::failover::observation::{Channel, Observation};
use posthoused::failover::route::Mount;

/// How something fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A usage limit with its reset.
    Limit,
    /// The same for one model.
    ModelLimit(&'static str),
    /// The login is revoked until a person makes a new one.
    Revoked,
    /// The provider answers 401 to everyone.
    RefusesEveryone,
    /// Overloaded.
    Overloaded,
    /// Too many requests, for a few seconds each time.
    Throttled,
    /// No credit, until somebody tops it up.
    NoCredit,
    /// Broken and whole again, in turns of so many minutes.
    FlapsEvery(i64),
}

/// Something goes wrong for a while.
#[derive(Clone, Debug)]
pub struct Outage {
    /// `provider`, or `provider/alias`.
    pub place: &'static str,
    /// From then on, after the week's start.
    pub from: SignedDuration,
    /// So long.
    pub length: SignedDuration,
    /// How.
    pub kind: Kind,
    /// Requests that ran into it.
    pub hits: usize,
}

pub const fn hours(n: i64) -> SignedDuration {
    SignedDuration::from_hours(n)
}

impl Outage {
    pub fn new(place: &'static str, from: SignedDuration, length: SignedDuration, kind: Kind) -> Self {
        Self { place, from, length, kind, hits: 0 }
    }

    pub fn end(&self) -> SignedDuration {
        self.from.checked_add(self.length).unwrap()
    }

    /// Whether a request on `mount` runs into it, so long after the week's start.
    pub fn strikes(&self, mount: &Mount, at: SignedDuration) -> bool {
        let id = mount.credential.to_string();
        let here = id == self.place || mount.provider() == self.place;
        let model = match self.kind {
            Kind::ModelLimit(model) => mount.model.as_deref() == Some(model),
            _ => true,
        };
        let now = match self.kind {
            Kind::FlapsEvery(minutes) => (at.as_mins() / minutes) % 2 == 0,
            _ => true,
        };
        here && model && now && (self.from..self.end()).contains(&at)
    }

    /// What the harness's conversation file says of it.
    pub fn seen(&self, mount: &Mount, start: Timestamp, now: Timestamp) -> Observation {
        let resets = start.checked_add(self.end()).unwrap().as_second();
        let (status, body) = match (self.kind, mount.harness.as_str()) {
            (Kind::Limit, _) => (
                429,
                format!(r#"{{"error":{{"type":"usage_limit_reached","message":"The usage limit has been reached","resets_at":{resets}}}}}"#),
            ),
            (Kind::ModelLimit(model), _) => (
                429,
                format!(r#"{{"error":{{"type":"usage_limit_reached","message":"You've reached your {model} limit","resets_at":{resets}}}}}"#),
            ),
            (Kind::Revoked, _) => (
                401,
                r#"{"error":{"message":"Your authentication token has been invalidated. Please try signing in again.","type":"invalid_request_error","code":"token_invalidated"}}"#.to_owned(),
            ),
            (Kind::RefusesEveryone, _) => (401, r#"{"detail":"Unauthorized"}"#.to_owned()),
            (Kind::Overloaded | Kind::FlapsEvery(_), "claude") => {
                (529, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#.to_owned())
            }
            (Kind::Overloaded | Kind::FlapsEvery(_), _) => (
                503,
                r#"{"error":{"type":"server_error","code":"server_is_overloaded","message":"The server is overloaded"}}"#.to_owned(),
            ),
            (Kind::Throttled, _) => (
                429,
                r#"{"error":{"code":"rate_limit_exceeded","message":"Rate limit reached. Please try again in 6.5s."}}"#.to_owned(),
            ),
            (Kind::NoCredit, _) => (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."}}"#.to_owned(),
            ),
        };
        let mut seen = Observation::new(&mount.harness, Channel::Http, body);
        seen.status = Some(status);
        seen.endpoint = Some(posthoused::failover::observation::Endpoint::Inference);
        seen.credential = Some(mount.credential.clone());
        seen.model.clone_from(&mount.model);
        seen.observed_at = Some(now);
        seen
    }
}
