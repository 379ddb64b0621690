//! Mounts (`harness@provider/alias[:model]`) and routes, the ordered lists of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::credential::id::{CredentialId, NameError, check_name};

/// Longest model name, in bytes.
const MODEL_MAX: usize = 128;

/// One concrete way to run: a harness on a credential, with a model if one was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mount {
    /// The harness, by the name of its definition.
    pub harness: String,
    /// The credential it runs on.
    pub credential: CredentialId,
    /// The model; `None` leaves the choice to the harness.
    pub model: Option<String>,
}

/// Why a route or mount can't be read; completes "failed to read the route: …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// No mount in it.
    #[error("a route needs at least one mount, as in codex@openai/work")]
    Empty,
    /// No `@`.
    #[error("`{0}` is not HARNESS@PROVIDER/ALIAS[:MODEL], as in codex@openai/work")]
    NoHarness(String),
    /// A name in it is wrong.
    #[error("in `{mount}`: {why}")]
    Name {
        /// The mount as it was given.
        mount: String,
        /// What is wrong.
        why: NameError,
    },
    /// The model part is unusable.
    #[error("in `{0}`: the model after `:` must be 1 to 128 visible characters without blanks and commas")]
    Model(String),
    /// The same mount twice, which could never be tried twice.
    #[error("`{0}` is on the route twice")]
    Twice(Mount),
}

impl Mount {
    /// The provider that answers.
    #[must_use]
    pub fn provider(&self) -> &str {
        self.credential.provider()
    }
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.harness, self.credential)?;
        match &self.model {
            Some(model) => write!(f, ":{model}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Mount {
    type Err = RouteError;

    fn from_str(text: &str) -> Result<Self, RouteError> {
        let text = text.trim();
        let named = |why| RouteError::Name { mount: text.to_owned(), why };
        let (harness, rest) = text.split_once('@').ok_or_else(|| RouteError::NoHarness(text.to_owned()))?;
        check_name("harness", harness).map_err(named)?;
        let (credential, model) = match rest.split_once(':') {
            Some((credential, model)) => (credential, Some(model)),
            None => (rest, None),
        };
        let credential = credential.parse().map_err(named)?;
        if model.is_some_and(|model| !is_model(model)) {
            return Err(RouteError::Model(text.to_owned()));
        }
        Ok(Self { harness: harness.to_owned(), credential, model: model.map(str::to_owned) })
    }
}

impl TryFrom<String> for Mount {
    type Error = RouteError;

    fn try_from(text: String) -> Result<Self, RouteError> {
        text.parse()
    }
}

impl From<Mount> for String {
    fn from(mount: Mount) -> Self {
        mount.to_string()
    }
}

fn is_model(model: &str) -> bool {
    (1..=MODEL_MAX).contains(&model.len()) && model.bytes().all(|b| b.is_ascii_graphic() && b != b',')
}

/// Mounts in order of preference: the first usable one runs, the rest are fallbacks. Never empty, no mount twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Mount>", into = "Vec<Mount>")]
pub struct Route(Vec<Mount>);

impl Route {
    /// A route of these mounts.
    ///
    /// # Errors
    /// When there is none, or one is there twice.
    pub fn new(mounts: Vec<Mount>) -> Result<Self, RouteError> {
        if mounts.is_empty() {
            return Err(RouteError::Empty);
        }
        for (i, mount) in mounts.iter().enumerate() {
            if mounts.iter().take(i).any(|earlier| earlier == mount) {
                return Err(RouteError::Twice(mount.clone()));
            }
        }
        Ok(Self(mounts))
    }

    /// The mounts, best first.
    #[must_use]
    pub fn mounts(&self) -> &[Mount] {
        &self.0
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mount) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{mount}")?;
        }
        Ok(())
    }
}

impl FromStr for Route {
    type Err = RouteError;

    fn from_str(text: &str) -> Result<Self, RouteError> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        Self::new(parts.map(str::parse).collect::<Result<_, _>>()?)
    }
}

impl TryFrom<Vec<Mount>> for Route {
    type Error = RouteError;

    fn try_from(mounts: Vec<Mount>) -> Result<Self, RouteError> {
        Self::new(mounts)
    }
}

impl From<Route> for Vec<Mount> {
    fn from(route: Route) -> Self {
        route.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_a_route_as_people_write_it() {
        let route: Route =
            " codex@OpenAI/work, codex@codex/personal:gpt-6.1-sol ,claude@anthropic/max".parse().unwrap();
        assert_eq!(
            route.to_string(),
            "codex@openai/work, codex@openai/personal:gpt-6.1-sol, claude@anthropic/max"
        );
    }

    #[test]
    fn a_model_may_have_slashes_and_colons() {
        let mount: Mount = "opencode@openrouter/main:anthropic/claude-sonnet:beta".parse().unwrap();
        assert_eq!(mount.model.as_deref(), Some("anthropic/claude-sonnet:beta"));
        assert_eq!(mount.provider(), "openrouter");
    }

    #[test]
    fn says_what_is_wrong() {
        let wrong = |text: &str| text.parse::<Route>().unwrap_err().to_string();
        insta::assert_snapshot!(
            [" , ", "openai/work", "codex@openai", "codex@openai/a b", "c@o/a:", "c@o/a, c@O/a"].map(wrong).join("\n"),
            @"
        a route needs at least one mount, as in codex@openai/work
        `openai/work` is not HARNESS@PROVIDER/ALIAS[:MODEL], as in codex@openai/work
        in `codex@openai`: `openai` is not PROVIDER/ALIAS, as in openai/work
        in `codex@openai/a b`: alias `a b` must be 1 to 64 of A-Z a-z 0-9 . _ - and start with a letter or digit
        in `c@o/a:`: the model after `:` must be 1 to 128 visible characters without blanks and commas
        `c@o/a` is on the route twice
        "
        );
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(
            harness in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
            provider in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
            alias in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
            model in proptest::option::of("[!-+.-~]{1,128}"),
        ) {
            let mount = Mount { harness, credential: CredentialId::new(&provider, &alias).unwrap(), model };
            prop_assert_eq!(mount.to_string().parse::<Mount>().unwrap(), mount);
        }

        #[test]
        fn any_text_is_answered(text in "\\PC{0,80}") {
            let _ = text.parse::<Route>();
        }
    }
}
