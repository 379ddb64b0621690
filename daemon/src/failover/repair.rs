//! The exact command (or page) that repairs a credential.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::failure::Class;
use super::route::Mount;

/// Where a credential's secret is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// A login in a harness's own home directory.
    Home(PathBuf),
    /// A key that Posthouse keeps.
    Key,
    /// A key in an environment variable of this name.
    Env(String),
}

/// What a person has to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// Run this.
    Run(String),
    /// Look here.
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

/// What repairs `mount` after a failure of `class`; `None` where time or nothing does.
/// `headless` picks logins that need no browser on this machine.
#[must_use]
pub fn repair(class: Class, mount: &Mount, secret: &Secret, headless: bool) -> Option<Repair> {
    match class {
        class if class.is_auth() => Some(Repair::Run(renew(mount, secret, headless))),
        Class::Billing => page(BILLING, mount.provider()),
        Class::AccountDisabled | Class::UserActionRequired | Class::Entitlement => page(ACCOUNT, mount.provider()),
        _ => None,
    }
}

const BILLING: [(&str, &str); 6] = [
    ("openai", "https://platform.openai.com/settings/organization/billing"),
    ("anthropic", "https://platform.claude.com/settings/billing"),
    ("google", "https://aistudio.google.com/billing"),
    ("openrouter", "https://openrouter.ai/settings/credits"),
    ("xai", "https://console.x.ai"),
    ("zai", "https://z.ai/manage-apikey/billing"),
];

const ACCOUNT: [(&str, &str); 5] = [
    ("openai", "https://chatgpt.com/#settings"),
    ("anthropic", "https://claude.ai/settings"),
    ("google", "https://myaccount.google.com"),
    ("openrouter", "https://openrouter.ai/settings"),
    ("xai", "https://grok.com"),
];

fn page(pages: impl IntoIterator<Item = (&'static str, &'static str)>, provider: &str) -> Option<Repair> {
    pages.into_iter().find(|(name, _)| *name == provider).map(|(_, url)| Repair::Visit(url.to_owned()))
}

fn renew(mount: &Mount, secret: &Secret, headless: bool) -> String {
    match secret {
        Secret::Home(home) => login(&mount.harness, home, headless),
        Secret::Key => {
            let id = &mount.credential;
            format!("posthouse credential add {} {} --api-key-stdin", id.provider(), id.alias())
        }
        Secret::Env(name) => {
            let id = &mount.credential;
            format!("export {name}=… && posthouse credential add {} {} --env {name}", id.provider(), id.alias())
        }
    }
}

/// The harness's own login, in the home directory that the credential lives in.
fn login(harness: &str, home: &Path, headless: bool) -> String {
    let home = quoted(home);
    match harness {
        "codex" if headless => format!("CODEX_HOME={home} codex login --device-auth"),
        "codex" => format!("CODEX_HOME={home} codex login"),
        "claude" => format!("CLAUDE_CONFIG_DIR={home} claude auth login"),
        // Gemini has no login command: its `/auth` dialog is reached by starting it.
        "gemini" if headless => format!("HOME={home} NO_BROWSER=true gemini"),
        "gemini" => format!("HOME={home} gemini"),
        "opencode" => format!("XDG_DATA_HOME={home} opencode auth login"),
        other => format!("HOME={home} {other} login"),
    }
}

/// A path as a POSIX shell reads it back.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%,:=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(class: Class, mount: &str, secret: &Secret, headless: bool) -> String {
        let mount = mount.parse().unwrap();
        repair(class, &mount, secret, headless).map_or_else(|| "nothing".to_owned(), |repair| repair.as_str().to_owned())
    }

    #[test]
    fn the_command_names_the_home_directory() {
        let home = Secret::Home("/home/me/.codex-work".into());
        let odd = Secret::Home("/home/me/it's here".into());
        let dead = Class::TokenRevoked;
        insta::assert_snapshot!(
            [
                shown(dead, "codex@openai/work", &home, false),
                shown(dead, "codex@openai/work", &home, true),
                shown(Class::AuthAmbiguous, "claude@anthropic/max", &odd, true),
                shown(dead, "gemini@google/me", &home, false),
                shown(dead, "opencode@openrouter/me", &home, false),
                shown(Class::InvalidKey, "codex@openai/key", &Secret::Key, false),
                shown(Class::InvalidKey, "claude@anthropic/key", &Secret::Env("ANTHROPIC_API_KEY".into()), false),
                shown(Class::Billing, "claude@anthropic/key", &Secret::Key, false),
                shown(Class::QuotaReset, "codex@openai/work", &home, false),
            ]
            .join("\n"),
            @r"
        CODEX_HOME=/home/me/.codex-work codex login
        CODEX_HOME=/home/me/.codex-work codex login --device-auth
        CLAUDE_CONFIG_DIR='/home/me/it'\''s here' claude auth login
        HOME=/home/me/.codex-work gemini
        XDG_DATA_HOME=/home/me/.codex-work opencode auth login
        posthouse credential add openai key --api-key-stdin
        export ANTHROPIC_API_KEY=… && posthouse credential add anthropic key --env ANTHROPIC_API_KEY
        https://platform.claude.com/settings/billing
        nothing
        "
        );
    }
}
