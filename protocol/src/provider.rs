//! The names that people have for a provider: its own, and those of the harnesses that run on it.

const ALIASES: [(&str, &str); 4] =
    [("codex", "openai"), ("claude", "anthropic"), ("gemini", "google"), ("grok", "xai")];

/// The provider that people mean when they name a harness instead; any other name in lower case.
#[must_use]
pub fn canonical(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let known = ALIASES.iter().find(|(alias, _)| *alias == name);
    known.map_or(name.as_str(), |(_, provider)| *provider).to_owned()
}

/// The same of `provider/alias`, whose alias keeps its case; a provider alone is taken as well.
#[must_use]
pub fn canonical_credential(name: &str) -> String {
    match name.split_once('/') {
        Some((provider, alias)) => format!("{}/{alias}", canonical(provider)),
        None => canonical(name),
    }
}

/// The other names of a provider.
pub fn aliases_of(provider: &str) -> impl Iterator<Item = &'static str> {
    ALIASES.iter().filter(move |(_, name)| *name == provider).map(|(alias, _)| *alias)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_harness_stands_for_the_provider_behind_it_in_any_case() {
        assert_eq!(canonical("Codex"), "openai");
        assert_eq!(canonical("Example"), "example");
        assert_eq!(canonical_credential("CLAUDE/Max"), "anthropic/Max");
        assert_eq!(canonical_credential("gemini"), "google");
        assert_eq!(aliases_of("openai").collect::<Vec<_>>(), ["codex"]);
    }
}
