//! Takes messages out of the dress that harnesses and SDKs put them in: `API Error: 401 …`,
//! `unexpected status 429 …, url: …`, `Reconnecting... 2/5 (…)`, `[API Error: …]`.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use super::rules::set;
use serde::Deserialize;

use crate::failover::observation::Endpoint;

use super::signal::Signal;
use super::text::one_line;

/// Most layers of dress.
const LAYERS: usize = 5;

static WRAPPERS: LazyLock<Wrappers> = LazyLock::new(|| {
    Wrappers::load(include_str!("../rules/wrappers.toml")).unwrap_or_else(|why| {
        tracing::error!("failed to load the message wrappers: {why}");
        Wrappers::default()
    })
});

/// All wrappers; the set finds the first that fits in one pass.
#[derive(Default)]
struct Wrappers {
    any: RegexSet,
    each: Vec<Wrapper>,
}

struct Wrapper {
    pattern: Regex,
    as_written: Written,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "id")]
    _id: String,
    pattern: String,
    #[serde(default)]
    trusted: bool,
    #[serde(default)]
    progress: bool,
    #[serde(default)]
    reconnect: bool,
    endpoint: Option<Endpoint>,
}

#[derive(Deserialize)]
struct Table {
    #[serde(rename = "version")]
    _version: u32,
    wrapper: Vec<Written>,
}

#[derive(Debug, thiserror::Error)]
enum WrapperError {
    #[error("{0}")]
    Table(#[from] toml::de::Error),
    #[error("{0}")]
    Pattern(#[from] regex::Error),
}

impl Wrappers {
    fn load(text: &str) -> Result<Self, WrapperError> {
        let table: Table = toml::from_str(text)?;
        let any = set(table.wrapper.iter().map(|written| &written.pattern))?;
        let each = table.wrapper.into_iter();
        let each =
            each.map(|as_written| Ok(Wrapper { pattern: Regex::new(&as_written.pattern)?, as_written }));
        Ok(Self { any, each: each.collect::<Result<_, WrapperError>>()? })
    }

    fn first(&self, message: &str) -> Option<&Wrapper> {
        self.each.get(self.any.matches(message).iter().next()?)
    }
}

/// A message without its dress.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Peeled {
    /// The message.
    pub(super) inner: String,
    /// The status that the dress names.
    pub(super) status: Option<u16>,
    /// The endpoint that it names.
    pub(super) endpoint: Option<Endpoint>,
    /// A code that it names.
    pub(super) code: Option<String>,
    /// On a terminal only a harness dresses a message like this.
    pub(super) trusted: bool,
    /// The harness is still trying.
    pub(super) progress: bool,
    /// It is trying by opening its stream again.
    pub(super) reconnecting: bool,
}

impl Peeled {
    /// Puts what the dress says where rules look for it; what is typed already stays.
    pub(super) fn put(self, signal: &mut Signal) {
        if let Some(status) = self.status {
            signal.status.get_or_insert(status);
        }
        if let Some(endpoint) = self.endpoint {
            signal.endpoint =
                signal.endpoint.filter(|known| *known != Endpoint::Inference).or(Some(endpoint));
        }
        if let Some(code) = self.code {
            signal.code(&code);
        }
        signal.reconnecting |= self.reconnecting;
    }
}

/// Peels a message.
pub(super) fn peel(message: &str) -> Peeled {
    let mut peeled = Peeled { inner: one_line(message), ..Peeled::default() };
    for _ in 0..LAYERS {
        let Some(wrapper) = WRAPPERS.first(&peeled.inner) else { break };
        let Some(found) = wrapper.pattern.captures(&peeled.inner) else { break };
        let named = |name: &str| found.name(name).map(|part| part.as_str().trim().to_owned());
        let inner = named("inner").unwrap_or_default();
        let status = named("status").and_then(|status| status.parse().ok());
        let endpoint = wrapper.as_written.endpoint.or_else(|| named("url").and_then(|url| endpoint_of(&url)));
        let code = named("code");
        peeled.status = peeled.status.or(status);
        peeled.endpoint = peeled.endpoint.or(endpoint);
        peeled.code = peeled.code.or(code);
        peeled.trusted |= wrapper.as_written.trusted;
        peeled.progress |= wrapper.as_written.progress;
        peeled.reconnecting |= wrapper.as_written.reconnect;
        peeled.inner = inner;
    }
    peeled
}

/// What kind of endpoint a URL is of, where its path tells.
pub(super) fn endpoint_of(url: &str) -> Option<Endpoint> {
    let path = url.split(['?', '#']).next().unwrap_or(url).trim_end_matches('/');
    let last = path.rsplit('/').next().unwrap_or_default();
    match last {
        "responses" | "messages" | "completions" | "chat" => Some(Endpoint::Inference),
        "token" if path.contains("oauth") => Some(Endpoint::Token),
        "models" | "mcp" | "usage" | "user" | "check" | "list" | "plugins" | "apps" => Some(Endpoint::Side),
        _ if path.contains("/mcp/") || path.contains("/wham/") || path.contains("/ps/") => {
            Some(Endpoint::Side)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_wrappers_load() {
        assert!(Wrappers::load(include_str!("../rules/wrappers.toml")).unwrap().each.len() > 15);
    }

    #[test]
    fn dress_comes_off() {
        let peeled = peel(
            "unexpected status 401 Unauthorized: Your authentication token has been invalidated. Please try signing in \
             again., url: https://chatgpt.com/backend-api/codex/responses, cf-ray: x, request id: y",
        );
        assert_eq!(peeled.status, Some(401));
        assert_eq!(peeled.endpoint, Some(Endpoint::Inference));
        assert_eq!(
            peeled.inner,
            "Your authentication token has been invalidated. Please try signing in again."
        );
        let peeled = peel("Reconnecting... 2/5 (unexpected status 404)");
        assert!(peeled.reconnecting && peeled.progress && peeled.inner.is_empty());
        let peeled = peel("Please run /login · API Error: 401 OAuth token has\nexpired.");
        assert_eq!((peeled.status, peeled.inner.as_str()), (Some(401), "OAuth token has expired."));
    }

    #[test]
    fn a_url_tells_its_endpoint() {
        for (url, endpoint) in [
            ("https://chatgpt.com/backend-api/codex/responses", Some(Endpoint::Inference)),
            ("https://chatgpt.com/backend-api/codex/models?client_version=1", Some(Endpoint::Side)),
            ("https://auth.openai.com/oauth/token", Some(Endpoint::Token)),
            ("https://example.com/x", None),
        ] {
            assert_eq!(endpoint_of(url), endpoint, "{url}");
        }
    }
}
