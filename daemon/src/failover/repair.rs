//! What a person does about a failure: run the command that renews the login, or see a page.

use serde::{Deserialize, Serialize};

use super::failure::Class;

/// What a person has to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// Run this command.
    Run(String),
    /// See this page.
    Visit(String),
}

impl Repair {
    /// The command or address itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Run(text) | Self::Visit(text) => text,
        }
    }
}

/// What repairs a credential of `provider` after a failure of `class`; `renew` is the command that makes its login
/// or key anew. `None` where time helps, or nothing does.
#[must_use]
pub fn repair(class: Class, provider: &str, renew: Option<&str>) -> Option<Repair> {
    let page = |pages: &[(&str, &str)]| {
        let found = pages.iter().find(|(name, _)| *name == provider);
        found.map(|(_, url)| Repair::Visit((*url).to_owned()))
    };
    match class {
        class if class.is_auth() => renew.map(|command| Repair::Run(command.to_owned())),
        Class::Billing => page(&BILLING),
        Class::AccountDisabled | Class::UserActionRequired | Class::Entitlement => page(&ACCOUNT),
        _ => None,
    }
}

const BILLING: [(&str, &str); 4] = [
    ("openai", "https://platform.openai.com/settings/organization/billing"),
    ("anthropic", "https://platform.claude.com/settings/billing"),
    ("google", "https://aistudio.google.com/billing"),
    ("openrouter", "https://openrouter.ai/settings/credits"),
];

const ACCOUNT: [(&str, &str); 4] = [
    ("openai", "https://chatgpt.com/#settings"),
    ("anthropic", "https://claude.ai/settings"),
    ("google", "https://myaccount.google.com"),
    ("openrouter", "https://openrouter.ai/settings"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_login_is_renewed_and_an_empty_account_topped_up() {
        let renew = Some("CODEX_HOME=/c codex login");
        let run = |class| repair(class, "openai", renew).map(|repair| repair.as_str().to_owned());
        assert_eq!(run(Class::TokenRevoked).as_deref(), renew);
        assert_eq!(run(Class::AuthAmbiguous).as_deref(), renew);
        assert!(run(Class::Billing).unwrap().starts_with("https://platform.openai.com"));
        assert_eq!(run(Class::QuotaReset), None);
        assert_eq!(repair(Class::Billing, "elsewhere", renew), None);
    }
}
