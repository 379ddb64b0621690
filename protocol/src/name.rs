//! Names of agents, and what a SEND may be addressed to.

use std::fmt;

/// A legal name: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

/// Why a name is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "read name {given:?}: a name is 1 to 64 letters, digits, '.', '_' or '-', and starts with a letter or digit"
)]
pub struct BadName {
    given: String,
}

impl Name {
    /// Checks `text` against the rule.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let mut chars = text.bytes();
        let legal = chars.next().is_some_and(|c| c.is_ascii_alphanumeric())
            && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-'))
            && text.len() <= 64;
        if legal {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadName { given: text.chars().take(80).collect() })
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Whom a message is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One name.
    Name(Name),
    /// Everyone who is connected or spawned, but for the sender (`*`).
    Everyone,
    /// Every connected person (`@users`).
    Users,
    /// The members of a channel (`#channel`).
    Channel(String),
}

impl Target {
    /// Reads the `to` of an envelope.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        match text {
            "*" => Ok(Self::Everyone),
            "@users" => Ok(Self::Users),
            channel if channel.starts_with('#') && channel.len() > 1 => Ok(Self::Channel(channel.to_owned())),
            name => Name::parse(name).map(Self::Name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule() {
        for good in ["a", "Alice", "9lives", "a.b_c-d", &"x".repeat(64)] {
            assert!(Name::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".a", "-a", "a b", "a/b", "a@b", "a:b", "*", "#a", "ä", &"x".repeat(65)] {
            assert!(Name::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn targets_are_told_apart() {
        assert_eq!(Target::parse("*"), Ok(Target::Everyone));
        assert_eq!(Target::parse("#general"), Ok(Target::Channel("#general".into())));
        assert!(Target::parse("#").is_err());
        assert!(matches!(Target::parse("bob"), Ok(Target::Name(_))));
    }
}
