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
    /// Its own name is none.
    #[error("`{name}`: {why}")]
    Named {
        /// What was given.
        name: String,
        /// What is wrong.
        why: NameError,
    },
    /// The word on costs is none.
    #[error("`cost={0}`: it is ask or allow")]
    Cost(String),
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

/// Whether a session may leave a subscription for a key that is billed by use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cost {
    /// A person is asked first.
    #[default]
    Ask,
    /// It may.
    Allow,
}

impl Cost {
    /// The word, as in `cost=allow`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Allow => "allow",
        }
    }
}

impl FromStr for Cost {
    type Err = RouteError;

    fn from_str(word: &str) -> Result<Self, RouteError> {
        match word {
            "ask" => Ok(Self::Ask),
            "allow" => Ok(Self::Allow),
            _ => Err(RouteError::Cost(word.to_owned())),
        }
    }
}

/// Mounts in order of preference: the first usable one runs, the rest are fallbacks. Never empty, no mount twice.
/// As text: mounts and at most one `cost=ask|allow`, with commas between; `name=NAME` where it has one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Route {
    mounts: Vec<Mount>,
    name: Option<String>,
    cost: Cost,
}

/// A route as documents keep it. One without a name and with nothing allowed is its mounts alone.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Mounts(Vec<Mount>),
    Whole {
        mounts: Vec<Mount>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        #[serde(default)]
        cost: Cost,
    },
}

impl Route {
    /// A route of these mounts, without a name; a person is asked before it costs.
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
        Ok(Self { mounts, name: None, cost: Cost::Ask })
    }

    /// The same under a name.
    ///
    /// # Errors
    /// When it is none.
    pub fn named(self, name: &str) -> Result<Self, RouteError> {
        check_name("route", name).map_err(|why| RouteError::Named { name: name.to_owned(), why })?;
        Ok(Self { name: Some(name.to_owned()), ..self })
    }

    /// The same with another word on costs.
    #[must_use]
    pub fn with_cost(self, cost: Cost) -> Self {
        Self { cost, ..self }
    }

    /// The name of a route that a text means rather than a route, and what it says about costs beside that, as in
    /// `night, cost=allow`.
    #[must_use]
    pub fn reference(text: &str) -> Option<(&str, Cost)> {
        let (name, cost) = match text.split_once(',') {
            Some((name, cost)) => (name, cost.trim().strip_prefix("cost=")?.parse().ok()?),
            None => (text, Cost::Ask),
        };
        let name = name.trim();
        (!name.contains('=') && check_name("route", name).is_ok()).then_some((name, cost))
    }

    /// The mounts as they are listed, best first.
    #[must_use]
    pub fn mounts(&self) -> &[Mount] {
        &self.mounts
    }

    /// Its name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether it may lead from a subscription to a key that is billed by use.
    #[must_use]
    pub const fn cost(&self) -> Cost {
        self.cost
    }

    /// The mounts in the order in which they are tried: those of one provider together, providers and mounts as listed.
    pub fn ranked(&self) -> impl Iterator<Item = &Mount> {
        let first_of = |i: &usize| {
            let provider = self.mounts.get(*i).map(Mount::provider);
            let earlier = self.mounts.iter().take(*i).map(Mount::provider);
            earlier.into_iter().all(|earlier| Some(earlier) != provider)
        };
        let providers = (0..self.mounts.len()).filter(first_of).filter_map(|i| self.mounts.get(i));
        providers
            .flat_map(|first| self.mounts.iter().filter(move |mount| mount.provider() == first.provider()))
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "name={name}, ")?;
        }
        for (i, mount) in self.mounts.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{mount}")?;
        }
        match self.cost {
            Cost::Ask => Ok(()),
            Cost::Allow => f.write_str(", cost=allow"),
        }
    }
}

impl FromStr for Route {
    type Err = RouteError;

    fn from_str(text: &str) -> Result<Self, RouteError> {
        let (mut mounts, mut name, mut cost) = (Vec::new(), None, Cost::Ask);
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some(("cost", word)) => cost = word.parse()?,
                Some(("name", word)) => name = Some(word),
                _ => mounts.push(part.parse()?),
            }
        }
        let route = Self::new(mounts)?.with_cost(cost);
        match name {
            Some(name) => route.named(name),
            None => Ok(route),
        }
    }
}

impl TryFrom<Stored> for Route {
    type Error = RouteError;

    fn try_from(stored: Stored) -> Result<Self, RouteError> {
        let (mounts, name, cost) = match stored {
            Stored::Mounts(mounts) => (mounts, None, Cost::Ask),
            Stored::Whole { mounts, name, cost } => (mounts, name, cost),
        };
        let route = Self::new(mounts)?.with_cost(cost);
        match name {
            Some(name) => route.named(&name),
            None => Ok(route),
        }
    }
}

impl From<Route> for Stored {
    fn from(route: Route) -> Self {
        match route {
            Route { mounts, name: None, cost: Cost::Ask } => Self::Mounts(mounts),
            Route { mounts, name, cost } => Self::Whole { mounts, name, cost },
        }
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

    #[test]
    fn costs_and_names_are_written_with_the_mounts() {
        let route: Route = "c@o/a, cost=allow , c@o/b, name=night".parse().unwrap();
        assert_eq!((route.name(), route.cost()), (Some("night"), Cost::Allow));
        assert_eq!(route.to_string(), "name=night, c@o/a, c@o/b, cost=allow");
        assert_eq!(route.to_string().parse::<Route>().unwrap(), route);
        let stored = serde_json::to_string(&route).unwrap();
        assert_eq!(stored, r#"{"mounts":["c@o/a","c@o/b"],"name":"night","cost":"allow"}"#);
        assert_eq!(serde_json::from_str::<Route>(&stored).unwrap(), route);
        let plain: Route = "c@o/a".parse().unwrap();
        assert_eq!(serde_json::to_string(&plain).unwrap(), r#"["c@o/a"]"#);
        assert_eq!(Route::reference(" night "), Some(("night", Cost::Ask)));
        assert_eq!(Route::reference("night, cost=allow"), Some(("night", Cost::Allow)));
        assert_eq!(
            (Route::reference("c@o/a"), Route::reference("a, b"), Route::reference("")),
            (None, None, None)
        );
        assert_eq!(
            "c@o/a, cost=yes".parse::<Route>().unwrap_err().to_string(),
            "`cost=yes`: it is ask or allow"
        );
    }

    #[test]
    fn the_mounts_of_one_provider_are_tried_together() {
        let route: Route = "c@o/a, d@p/x, c@o/b, e@q/y, d@p/z".parse().unwrap();
        let ranked: Vec<String> = route.ranked().map(ToString::to_string).collect();
        assert_eq!(ranked, ["c@o/a", "c@o/b", "d@p/x", "d@p/z", "e@q/y"]);
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
