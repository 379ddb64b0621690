//! The rules as data: read once from the built-in tables, compiled, and asked in order.

use std::sync::LazyLock;

use regex::{Regex, RegexSet, RegexSetBuilder};
use serde::Deserialize;

use crate::failover::failure::{Action, Class, Evidence, Scope};
use crate::failover::observation::{AuthKind, Endpoint};

use super::signal::{Signal, canonical_code};

/// The built-in tables, compiled on first use. Should they not load (a test sees to that), no rule fits,
/// everything is `unknown`, and unknown never moves anything.
pub(super) static RULES: LazyLock<Rules> = LazyLock::new(|| {
    Rules::load(CODES, TEXTS, STATUSES).unwrap_or_else(|why| {
        tracing::error!("failed to load the failure rules: {why}");
        Rules::default()
    })
});

const CODES: &str = include_str!("../rules/codes.toml");
const TEXTS: &str = include_str!("../rules/texts.toml");
const STATUSES: &str = include_str!("../rules/status.toml");

/// Why the tables can't be used; completes "failed to load the failure rules: …".
#[derive(Debug, thiserror::Error)]
pub(super) enum RuleError {
    /// Not the TOML that a table is.
    #[error("{0}")]
    Table(#[from] toml::de::Error),
    /// A pattern does not compile.
    #[error("{0}")]
    Pattern(#[from] regex::Error),
}

/// The tables, ready to be asked.
#[derive(Default)]
pub(super) struct Rules {
    codes: Codes,
    texts: Vec<TextRule>,
    /// One pattern per text rule, for messages that are known to report a failure.
    anywhere: RegexSet,
    /// The patterns for terminal lines, and which text rule each belongs to.
    lines: RegexSet,
    line_of: Vec<usize>,
    /// A word without which no line is worth a closer look.
    words: Option<Regex>,
    statuses: Vec<StatusRule>,
}

/// What a rule concludes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conclusion {
    pub(super) rule: String,
    pub(super) says: Says,
    pub(super) action: Option<Action>,
    pub(super) scope: Option<Scope>,
    /// The level of the rule itself; what carried it may be weaker.
    pub(super) evidence: Evidence,
    pub(super) model: Option<String>,
}

/// Failure of a class, or none at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Says {
    NotAFailure,
    #[serde(untagged)]
    Class(Class),
}

#[derive(Deserialize, Default)]
struct Codes {
    evidence: Evidence,
    decisive: Vec<CodeRule>,
    generic: Vec<CodeRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeRule {
    id: String,
    class: Class,
    action: Option<Action>,
    scope: Option<Scope>,
    #[serde(default)]
    codes: Vec<String>,
    /// A shape that codes nobody has seen yet are likely to have, in canonical spelling.
    like: Option<Pattern>,
    endpoint: Option<Endpoint>,
    text: Option<Pattern>,
    unless: Option<Pattern>,
    evidence: Option<Evidence>,
}

#[derive(Deserialize)]
struct TextTable {
    evidence: Evidence,
    ending: String,
    words: Vec<String>,
    rule: Vec<TextRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextRule {
    id: String,
    class: Says,
    action: Option<Action>,
    scope: Option<Scope>,
    text: Pattern,
    unless: Option<Pattern>,
    status: Option<Vec<u16>>,
    provider: Option<Vec<String>>,
    line: Option<Line>,
    #[serde(skip)]
    evidence: Evidence,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    /// The sentence itself, if it starts the line.
    AsText(bool),
    /// A stricter form of it.
    Pattern(String),
}

#[derive(Deserialize)]
struct StatusTable {
    evidence: Evidence,
    rule: Vec<StatusRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusRule {
    id: String,
    class: Class,
    status: Vec<u16>,
    endpoint: Option<Endpoint>,
    auth: Option<AuthKind>,
    #[serde(skip)]
    evidence: Evidence,
}

impl CodeRule {
    fn is_like(&self, codes: &[String]) -> bool {
        self.like.as_ref().is_some_and(|like| codes.iter().any(|code| like.0.is_match(code)))
    }
}

/// Room for the automaton that many patterns at once make, in bytes. With the usual 2 MiB it is thrown away and made
/// anew within one text, which costs milliseconds.
const AUTOMATON: usize = 32 << 20;

/// Patterns that are looked for all at once.
pub(super) fn set<P: AsRef<str>>(patterns: impl IntoIterator<Item = P>) -> Result<RegexSet, regex::Error> {
    let patterns = patterns.into_iter().map(|pattern| plain_bounds(pattern.as_ref()));
    RegexSetBuilder::new(patterns).dfa_size_limit(AUTOMATON).build()
}

/// Words bounded by ASCII alone. An automaton that has to know where Unicode words end gives up at the first character
/// that is not ASCII, and what stands in for it is a hundred times slower.
fn plain_bounds(pattern: &str) -> String {
    pattern.replace(r"\b", r"(?-u:\b)")
}

/// A pattern written with free blanks, for text without any.
struct Pattern(Regex);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = String::deserialize(deserializer)?;
        Regex::new(&free(&written)).map(Self).map_err(serde::de::Error::custom)
    }
}

fn free(written: &str) -> String {
    format!("(?x){}", plain_bounds(written))
}

impl Rules {
    fn load(codes: &str, texts: &str, statuses: &str) -> Result<Self, RuleError> {
        let mut codes: Codes = toml::from_str(codes)?;
        for rule in codes.decisive.iter_mut().chain(&mut codes.generic) {
            for code in &mut rule.codes {
                *code = canonical_code(code);
            }
        }
        let mut table: TextTable = toml::from_str(texts)?;
        let (mut lines, mut line_of) = (Vec::new(), Vec::new());
        for (index, rule) in table.rule.iter_mut().enumerate() {
            rule.evidence = table.evidence;
            let line = match &rule.line {
                Some(Line::Pattern(line)) => line.as_str(),
                Some(Line::AsText(true)) => rule.text.0.as_str().trim_start_matches("(?x)"),
                Some(Line::AsText(false)) | None => continue,
            };
            lines.push(format!("(?x)^(?:{line}){}", table.ending));
            line_of.push(index);
        }
        let mut statuses: StatusTable = toml::from_str(statuses)?;
        for rule in &mut statuses.rule {
            rule.evidence = statuses.evidence;
        }
        Ok(Self {
            codes,
            anywhere: set(table.rule.iter().map(|rule| rule.text.0.as_str()))?,
            lines: set(lines)?,
            line_of,
            words: Some(Regex::new(
                &table.words.iter().map(|word| regex::escape(word)).collect::<Vec<_>>().join("|"),
            )?),
            texts: table.rule,
            statuses: statuses.rule,
        })
    }

    /// Whether a line of a terminal has any of the words that harnesses report failures with.
    pub(super) fn may_speak(&self, squashed: &str) -> bool {
        self.words.as_ref().is_some_and(|words| words.is_match(squashed))
    }

    /// The first rule that one of the signal's codes settles.
    pub(super) fn by_decisive_code(&self, signal: &Signal, squashed: &str) -> Option<Conclusion> {
        self.by_code(&self.codes.decisive, signal, squashed)
    }

    /// The family that one of the signal's codes belongs to.
    pub(super) fn by_generic_code(&self, signal: &Signal, squashed: &str) -> Option<Conclusion> {
        self.by_code(&self.codes.generic, signal, squashed)
    }

    fn by_code(&self, rules: &[CodeRule], signal: &Signal, squashed: &str) -> Option<Conclusion> {
        let rule = rules.iter().find(|rule| {
            (rule.codes.iter().any(|code| signal.codes.contains(code)) || rule.is_like(&signal.codes))
                && rule.endpoint.is_none_or(|endpoint| signal.endpoint == Some(endpoint))
                && rule.text.as_ref().is_none_or(|text| text.0.is_match(squashed))
                && !rule.unless.as_ref().is_some_and(|unless| unless.0.is_match(squashed))
        })?;
        Some(Conclusion {
            rule: rule.id.clone(),
            says: Says::Class(rule.class),
            action: rule.action,
            scope: rule.scope,
            evidence: rule.evidence.unwrap_or(self.codes.evidence),
            model: None,
        })
    }

    /// The first sentence found anywhere in a message that is known to report a failure.
    pub(super) fn by_text(&self, signal: &Signal, squashed: &str) -> Option<Conclusion> {
        let matches = self.anywhere.matches(squashed);
        let index = matches.iter().find(|&index| self.fits(index, signal, squashed))?;
        self.conclude(index, squashed)
    }

    /// The first sentence that this line of a terminal consists of.
    pub(super) fn by_line(&self, signal: &Signal, squashed: &str) -> Option<Conclusion> {
        let matches = self.lines.matches(squashed);
        let mut indexes = matches.iter().filter_map(|line| self.line_of.get(line).copied());
        let index = indexes.find(|&index| self.fits(index, signal, squashed))?;
        self.conclude(index, squashed)
    }

    fn fits(&self, index: usize, signal: &Signal, squashed: &str) -> bool {
        self.texts.get(index).is_some_and(|rule| {
            rule.status.as_ref().is_none_or(|list| signal.status.is_some_and(|status| list.contains(&status)))
                && rule.provider.as_ref().is_none_or(|list| {
                    signal.provider.as_ref().is_some_and(|provider| list.contains(provider))
                })
                && !rule.unless.as_ref().is_some_and(|unless| unless.0.is_match(squashed))
        })
    }

    fn conclude(&self, index: usize, squashed: &str) -> Option<Conclusion> {
        let rule = self.texts.get(index)?;
        let pattern = &rule.text.0;
        let model = pattern.captures(squashed).and_then(|found| {
            let named = pattern.capture_names().flatten().find_map(|name| found.name(name));
            named.map(|model| model.as_str().to_owned())
        });
        Some(Conclusion {
            rule: rule.id.clone(),
            says: rule.class,
            action: rule.action,
            scope: rule.scope,
            evidence: rule.evidence,
            model,
        })
    }

    /// What the status alone says.
    pub(super) fn by_status(&self, signal: &Signal, auth: Option<AuthKind>) -> Option<Conclusion> {
        let status = signal.status?;
        let rule = self.statuses.iter().find(|rule| {
            rule.status.contains(&status)
                && rule.endpoint.is_none_or(|endpoint| signal.endpoint == Some(endpoint))
                && rule.auth.is_none_or(|kind| auth == Some(kind))
        })?;
        Some(Conclusion {
            rule: rule.id.clone(),
            says: Says::Class(rule.class),
            action: None,
            scope: None,
            evidence: rule.evidence,
            model: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_built_in_tables_load() {
        let rules = Rules::load(CODES, TEXTS, STATUSES).unwrap();
        let mut ids = HashSet::new();
        let codes = rules.codes.decisive.iter().chain(&rules.codes.generic).map(|rule| &rule.id);
        for id in codes
            .chain(rules.texts.iter().map(|rule| &rule.id))
            .chain(rules.statuses.iter().map(|rule| &rule.id))
        {
            assert!(ids.insert(id), "two rules are called {id}");
        }
        assert!(ids.len() > 80);
    }
}
