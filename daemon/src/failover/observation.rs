//! The one record that every way of noticing a failure fills in, whatever channel it came by.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use posthouse_protocol::provider;

use crate::credential::id::CredentialId;

/// Something that was seen and may be a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The harness, by the name of its definition.
    pub harness: String,
    /// The harness's version, where it is known.
    pub version: Option<String>,
    /// How it was seen.
    pub channel: Channel,
    /// One frame, one response body, or the text of a region of the screen, as it came.
    pub body: String,
    /// What kind of endpoint answered, where that is known.
    pub endpoint: Option<Endpoint>,
    /// The response's status.
    pub status: Option<u16>,
    /// The response's headers.
    pub headers: Headers,
    /// Typed codes that the observer took from the frame itself.
    pub codes: Vec<String>,
    /// The harness's exit code, if it ended.
    pub exit: Option<i32>,
    /// The credential that the request was sent with, noted when it was sent.
    pub credential: Option<CredentialId>,
    /// The provider that answered, where that is known.
    pub provider: Option<String>,
    /// The model that was asked.
    pub model: Option<String>,
    /// What kind of secret the request carried.
    pub auth: Option<AuthKind>,
    /// What else speaks for it in the same turn.
    pub corroboration: Corroboration,
    /// When it was seen. `None` for a recording of unknown age; its reset times are then taken as they stand.
    pub observed_at: Option<Timestamp>,
    /// The zone that times without one are in, by name; `None` means the zone of this process.
    pub zone: Option<String>,
}

impl Observation {
    /// An observation of which only the essentials are known.
    #[must_use]
    pub fn new(harness: &str, channel: Channel, body: impl Into<String>) -> Self {
        Self {
            harness: harness.to_ascii_lowercase(),
            version: None,
            channel,
            body: body.into(),
            endpoint: None,
            status: None,
            headers: Headers::default(),
            codes: Vec::new(),
            exit: None,
            credential: None,
            provider: None,
            model: None,
            auth: None,
            corroboration: Corroboration::default(),
            observed_at: None,
            zone: None,
        }
    }

    /// The provider that answered: as noted, else by the credential, else the one the harness belongs to.
    #[must_use]
    pub fn provider(&self) -> Option<String> {
        if let Some(provider) = &self.provider {
            return Some(provider::canonical(provider));
        }
        if let Some(credential) = &self.credential {
            return Some(credential.provider().to_owned());
        }
        matches!(self.harness.as_str(), "codex" | "claude" | "gemini")
            .then(|| provider::canonical(&self.harness))
    }
}

/// How something was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// An HTTP response.
    Http,
    /// An event of a server-sent stream.
    Sse,
    /// A WebSocket message.
    #[serde(alias = "websocket")]
    Ws,
    /// A line of a harness's structured output.
    #[serde(alias = "json", alias = "stream_json")]
    Jsonl,
    /// A message of `codex app-server`.
    AppServer,
    /// A message of the Agent Client Protocol.
    Acp,
    /// Text that a person would read.
    #[serde(alias = "tui", alias = "text", alias = "stderr")]
    Terminal,
    /// A status OSC that the harness wrote to its terminal.
    Osc,
    /// The end of the harness's process.
    Exit,
    /// A request made to find out.
    Probe,
}

impl Channel {
    /// Whether the body is what a provider answered, rather than what a harness made of it.
    #[must_use]
    pub const fn is_response(self) -> bool {
        matches!(self, Self::Http | Self::Sse | Self::Ws | Self::Probe)
    }
}

/// What kind of endpoint answered; the same code means opposite things at different ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// Where refresh tokens are spent.
    #[serde(alias = "oauth_token", alias = "oauth", alias = "refresh")]
    Token,
    /// Where turns are answered.
    Inference,
    /// Anything else: model lists, tool servers, account settings.
    #[serde(other)]
    Side,
}

/// What kind of secret a request carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthKind {
    /// A token from a login.
    #[serde(alias = "chatgpt", alias = "subscription", alias = "token", alias = "bearer")]
    Oauth,
    /// A key.
    #[serde(alias = "key", alias = "apikey")]
    ApiKey,
}

/// What else, in the same turn, speaks for a failure that only text reports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corroboration {
    /// The harness ended with a code other than zero.
    pub exit_nonzero: bool,
    /// The harness's own status OSC said `error` or `blocked:kind=auth`.
    pub osc_error: bool,
    /// The harness shows its login screen to a run that was started on a credential.
    pub login_screen: bool,
    /// A probe of the credential failed.
    pub probe_failed: bool,
}

impl Corroboration {
    /// Whether anything does.
    #[must_use]
    pub const fn any(self) -> bool {
        self.exit_nonzero || self.osc_error || self.login_screen || self.probe_failed
    }
}

/// Response headers, found by name in any case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(BTreeMap<String, String>);

impl Headers {
    /// Adds one; a later value of the same name wins.
    pub fn insert(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_ascii_lowercase(), value.into());
    }

    /// The value under a lower-case name, trimmed.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.trim()))
    }
}

impl<N: AsRef<str>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut headers = Self::default();
        for (name, value) in pairs {
            headers.insert(name.as_ref(), value);
        }
        headers
    }
}
