//! Which service a URL path means, and the scenario it names.

use super::scenario::{Scenario, UnknownScenario};

/// What a request asks for, recognised by the tail of its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// A model call in OpenAI's Responses API.
    Responses,
    /// An attempt to carry the Responses API over a WebSocket, which is always answered with 426.
    ResponsesUpgrade,
    /// A model call in Anthropic's Messages API.
    Messages,
    /// Anthropic's token counting.
    CountTokens,
    /// An OAuth refresh at either provider.
    Token,
    /// Codex asking for a code that a person types in elsewhere.
    DeviceCode,
    /// Codex asking whether the person did so.
    DevicePoll,
    /// Codex asking ChatGPT which workspaces the account has.
    AccountsCheck,
    /// How much of the plan is used, asked at either provider.
    Usage,
    /// Anything else that a harness asks for on the side.
    Side,
    /// A tunnel asked of the mock as a proxy.
    Connect,
}

impl Endpoint {
    /// The endpoint of `path`, without its query.
    pub(super) fn of(path: &str, upgrade: bool) -> Self {
        let ends = |tail: &str| path.ends_with(tail);
        match () {
            () if ends("/responses") && upgrade => Self::ResponsesUpgrade,
            () if ends("/responses") => Self::Responses,
            () if ends("/messages") => Self::Messages,
            () if ends("/count_tokens") => Self::CountTokens,
            () if ends("/oauth/token") => Self::Token,
            () if ends("/deviceauth/usercode") => Self::DeviceCode,
            () if ends("/deviceauth/token") => Self::DevicePoll,
            () if ends("/wham/accounts/check") => Self::AccountsCheck,
            () if ends("/wham/usage") || ends("/oauth/usage") => Self::Usage,
            () => Self::Side,
        }
    }

    /// Whether a model is asked.
    pub fn is_model_call(self) -> bool {
        matches!(self, Self::Responses | Self::Messages)
    }
}

/// The scenario in `/s/<scenario>/…`, percent-decoded; `None` where the path names none.
pub(super) fn scenario_in(path: &str) -> Option<Result<Scenario, UnknownScenario>> {
    let name = path.strip_prefix("/s/")?.split('/').next()?;
    Some(percent_decode(name).parse())
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = (first == b'%').then(|| tail.get(..2)).flatten();
        let value = escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(value.unwrap_or(first));
        rest = if value.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_endpoints_and_scenarios() {
        assert_eq!(Endpoint::of("/s/ok/v1/responses", false), Endpoint::Responses);
        assert_eq!(Endpoint::of("/backend-api/codex/responses", true), Endpoint::ResponsesUpgrade);
        assert_eq!(Endpoint::of("/v1/messages/count_tokens", false), Endpoint::CountTokens);
        assert_eq!(Endpoint::of("/v1/models", false), Endpoint::Side);
        assert_eq!(
            scenario_in("/s/tool=touch%20x/v1/responses").unwrap().unwrap(),
            Scenario::Tool("touch x".into())
        );
        assert!(scenario_in("/v1/responses").is_none());
        assert_eq!(scenario_in("/s/100%/x").unwrap().unwrap_err().0, "100%");
    }
}
