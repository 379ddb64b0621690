//! What the mock does with a credential's calls, as values and as the names used in URLs.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

/// The behaviour of the provider towards one credential or one URL.
#[derive(Clone, Debug, PartialEq)]
pub enum Scenario {
    /// Every call succeeds; directives in the prompt shape the reply.
    Ok,
    /// Every reply is spread over this long.
    Slow(Duration),
    /// Every first reply of a turn is this shell command as a tool call.
    Tool(String),
    /// Model calls are refused with a status and a typed body.
    Refuse(Refusal),
    /// Model calls say the access token expired, and the refresh that follows is refused.
    Refresh(RefreshFault),
    /// The reply starts well and ends badly.
    Stream(StreamFault),
    /// The request is read and never answered.
    Hang,
}

/// Why a model call is refused before any of the reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// 401: the login was invalidated on the server; a refresh succeeds and doesn't help.
    TokenInvalidated,
    /// 401: the access token expired.
    TokenExpired,
    /// 401: no such API key.
    BadKey,
    /// 403: the OAuth token was revoked.
    Revoked,
    /// 429: the plan's window is used up until then.
    UsageLimit {
        /// When the window opens again.
        resets_at: SystemTime,
    },
    /// 429: too many requests per minute.
    RateLimit,
    /// The account has no money: `insufficient_quota` at OpenAI, a low credit balance at Anthropic.
    Billing,
    /// 503 or 529: the provider is overloaded.
    Overloaded,
    /// 500.
    ServerError,
    /// 400: the request itself is at fault.
    BadRequest,
}

/// How the OAuth token endpoint refuses a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshFault {
    /// The single-use token was used before.
    Reused,
    /// The token is too old.
    Expired,
    /// The session was ended.
    Invalidated,
    /// The plain OAuth answer.
    InvalidGrant,
    /// The endpoint itself is broken.
    ServerError,
}

/// How a reply that began ends badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamFault {
    /// The connection breaks.
    Cut,
    /// Nothing more comes and the connection stays open.
    Stall,
    /// A typed error event in the stream.
    Failed,
}

/// No scenario has this name.
#[derive(Debug, thiserror::Error)]
#[error("no scenario is called `{0}`")]
pub struct UnknownScenario(pub String);

/// The names that URLs and [`Scenario::from_str`] know; `slow`, `tool` and `usage_limit` take `=value`.
pub const fn scenario_names() -> &'static [&'static str] {
    NAMES
}

const NAMES: &[&str] = &[
    "ok",
    "slow",
    "tool",
    "token_invalidated",
    "token_expired",
    "auth_401",
    "revoked_403",
    "usage_limit",
    "rate_429",
    "billing",
    "overloaded",
    "server_500",
    "bad_request",
    "refresh_reused",
    "refresh_expired",
    "refresh_invalidated",
    "refresh_invalid_grant",
    "refresh_500",
    "sse_cut",
    "sse_stall",
    "sse_failed",
    "hang",
];

impl Scenario {
    /// A usage limit that ends `wait` from now.
    pub fn usage_limit(wait: Duration) -> Self {
        Self::Refuse(Refusal::UsageLimit { resets_at: SystemTime::now() + wait })
    }
}

impl FromStr for Scenario {
    type Err = UnknownScenario;

    fn from_str(text: &str) -> Result<Self, UnknownScenario> {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        let seconds = |default| {
            value
                .map_or(Ok(default), |v| v.parse().map_err(|_| UnknownScenario(text.to_owned())))
                .and_then(|s| Duration::try_from_secs_f64(s).map_err(|_| UnknownScenario(text.to_owned())))
        };
        Ok(match name {
            "ok" => Self::Ok,
            "slow" => Self::Slow(seconds(5.0)?),
            "tool" => Self::Tool(value.unwrap_or("true").to_owned()),
            "token_invalidated" => Self::Refuse(Refusal::TokenInvalidated),
            "token_expired" => Self::Refuse(Refusal::TokenExpired),
            "auth_401" => Self::Refuse(Refusal::BadKey),
            "revoked_403" => Self::Refuse(Refusal::Revoked),
            "usage_limit" => Self::usage_limit(seconds(5400.0)?),
            "rate_429" => Self::Refuse(Refusal::RateLimit),
            "billing" => Self::Refuse(Refusal::Billing),
            "overloaded" => Self::Refuse(Refusal::Overloaded),
            "server_500" => Self::Refuse(Refusal::ServerError),
            "bad_request" => Self::Refuse(Refusal::BadRequest),
            "refresh_reused" => Self::Refresh(RefreshFault::Reused),
            "refresh_expired" => Self::Refresh(RefreshFault::Expired),
            "refresh_invalidated" => Self::Refresh(RefreshFault::Invalidated),
            "refresh_invalid_grant" => Self::Refresh(RefreshFault::InvalidGrant),
            "refresh_500" => Self::Refresh(RefreshFault::ServerError),
            "sse_cut" => Self::Stream(StreamFault::Cut),
            "sse_stall" => Self::Stream(StreamFault::Stall),
            "sse_failed" => Self::Stream(StreamFault::Failed),
            "hang" => Self::Hang,
            _ => return Err(UnknownScenario(text.to_owned())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_is_a_scenario() {
        for name in NAMES {
            name.parse::<Scenario>().unwrap_or_else(|error| panic!("{error}"));
        }
    }

    #[test]
    fn values_are_read_and_nonsense_is_named() {
        assert_eq!("slow=0.5".parse::<Scenario>().unwrap(), Scenario::Slow(Duration::from_millis(500)));
        assert_eq!("tool=ls -l".parse::<Scenario>().unwrap(), Scenario::Tool("ls -l".to_owned()));
        for bad in ["slow=-1", "slow=soon", "", "OK"] {
            assert_eq!(bad.parse::<Scenario>().unwrap_err().0, bad);
        }
    }
}
