//! The name of a credential: whose account (`provider`) and which login or key there (`alias`).

use std::fmt;
use std::str::FromStr;

use posthouse_protocol::provider;
use serde::{Deserialize, Serialize};

/// Longest name, in bytes.
pub const NAME_MAX: usize = 64;

/// `provider/alias`, with the provider in its canonical lower-case spelling.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CredentialId {
    provider: String,
    alias: String,
}

/// Why something is not the name of a credential; completes "failed to read the credential name: …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A part breaks the rule for names.
    #[error("{what} `{value}` must be 1 to 64 of A-Z a-z 0-9 . _ - and start with a letter or digit")]
    Charset {
        /// Which part.
        what: &'static str,
        /// As it was given.
        value: String,
    },
    /// There is no `/`.
    #[error("`{0}` is not PROVIDER/ALIAS, as in openai/work")]
    NoAlias(String),
}

impl CredentialId {
    /// Puts a name together; `codex`, `claude`, `gemini` and `grok` are taken as the providers behind them.
    ///
    /// # Errors
    /// When either part is not a name.
    pub fn new(provider: &str, alias: &str) -> Result<Self, NameError> {
        check_name("provider", provider)?;
        check_name("alias", alias)?;
        Ok(Self { provider: provider::canonical(provider), alias: alias.to_owned() })
    }

    /// Whose account it is.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Which login or key there.
    #[must_use]
    pub fn alias(&self) -> &str {
        &self.alias
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.alias)
    }
}

impl FromStr for CredentialId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (provider, alias) = text.split_once('/').ok_or_else(|| NameError::NoAlias(text.to_owned()))?;
        Self::new(provider, alias)
    }
}

impl TryFrom<String> for CredentialId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<CredentialId> for String {
    fn from(id: CredentialId) -> Self {
        id.to_string()
    }
}

/// Checks `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
///
/// # Errors
/// When `value` breaks it; `what` says which part was meant.
pub fn check_name(what: &'static str, value: &str) -> Result<(), NameError> {
    let mut chars = value.bytes();
    let first = chars.next().is_some_and(|b| b.is_ascii_alphanumeric());
    let rest = chars.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if first && rest && value.len() <= NAME_MAX {
        Ok(())
    } else {
        Err(NameError::Charset { what, value: value.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harness_names_stand_for_their_providers_in_any_case() {
        for (given, meant) in
            [("Codex", "openai"), ("CLAUDE", "anthropic"), ("gemini", "google"), ("OpenAI", "openai")]
        {
            assert_eq!(CredentialId::new(given, "work").unwrap().provider(), meant);
        }
    }

    #[test]
    fn reads_back_what_it_shows() {
        let id: CredentialId = "anthropic/Max-2".parse().unwrap();
        assert_eq!(id.to_string().parse::<CredentialId>().unwrap(), id);
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"anthropic/Max-2\"");
    }

    #[test]
    fn refuses_what_could_leave_a_directory() {
        for bad in ["openai", "openai/", "openai/../x", "openai/a b", "/x", "openai/.hidden", "openai/a/b"] {
            assert!(bad.parse::<CredentialId>().is_err(), "{bad}");
        }
        assert!(CredentialId::new("openai", &"a".repeat(65)).is_err());
    }
}
