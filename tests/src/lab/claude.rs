//! Homes for claude: an API key, a long-lived OAuth token, or a login with a refresh token.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::home::{Home, Lab};
use crate::mock::{AccountToken, MockProvider};

/// How claude proves who it is.
#[derive(Clone, Copy, Debug)]
pub enum ClaudeLogin<'a> {
    /// `ANTHROPIC_API_KEY`.
    Key(&'a str),
    /// `CLAUDE_CODE_OAUTH_TOKEN` of this account, which nobody refreshes.
    Token(&'a str),
    /// `.credentials.json` of this account, whose access token is good for this long (or already expired).
    Stored(&'a str, Expiry),
}

/// Whether a stored access token is still good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// For hours.
    Ahead,
    /// Since an hour: claude refreshes before it asks anything.
    Past,
}

/// Makes a `CLAUDE_CONFIG_DIR` called `name` whose provider is `mock`.
///
/// # Errors
/// When its files can't be written.
pub fn claude_home(lab: &Lab, mock: &MockProvider, name: &str, login: ClaudeLogin<'_>) -> io::Result<Home> {
    let mut home = lab.home(name)?;
    home.set("CLAUDE_CONFIG_DIR", home.dir.clone());
    let quiet = [
        "DISABLE_AUTOUPDATER",
        "DISABLE_TELEMETRY",
        "DISABLE_ERROR_REPORTING",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    ];
    let mut settings: BTreeMap<_, _> = quiet.map(|name| (name, "1".to_owned())).into();
    settings.insert("ANTHROPIC_BASE_URL", mock.http());
    settings.extend(home.network(mock, "NODE_EXTRA_CA_CERTS")?);
    // Auto mode, the default, has each call checked by a service that only the real provider has.
    let permissions =
        json!({"defaultMode": "default", "allow": ["Bash(echo:*)", "Bash(sleep:*)", "mcp__posthouse"]});
    let settings = json!({"env": settings, "permissions": permissions});
    std::fs::write(home.dir.join("settings.json"), settings.to_string())?;

    let mut state = json!({
        "hasCompletedOnboarding": true, "hasSeenAutoDefaultNudge": true, "theme": "dark",
        "projects": {(lab.cwd().to_string_lossy()): {"hasTrustDialogAccepted": true}},
    });
    match login {
        ClaudeLogin::Key(key) => {
            home.set("ANTHROPIC_API_KEY", key);
            state["customApiKeyResponses"] = json!({"approved": [tail(key)], "rejected": []});
        }
        ClaudeLogin::Token(account) => {
            let (token, _) = tokens(account);
            home.set("CLAUDE_CODE_OAUTH_TOKEN", token.anthropic_access());
        }
        ClaudeLogin::Stored(account, expiry) => {
            std::fs::write(home.dir.join(".credentials.json"), stored(account, expiry).to_string())?;
        }
    }
    std::fs::write(home.dir.join(".claude.json"), state.to_string())?;
    Ok(home)
}

/// The part of a key by which claude remembers that its user approved it.
fn tail(key: &str) -> String {
    let skip = key.chars().count().saturating_sub(20);
    key.chars().skip(skip).collect()
}

fn tokens(account: &str) -> (AccountToken, Duration) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (AccountToken::new(account, 1, now.as_secs()), now)
}

fn stored(account: &str, expiry: Expiry) -> Value {
    const HOUR: Duration = Duration::from_secs(3600);
    let (token, now) = tokens(account);
    let expires = match expiry {
        Expiry::Ahead => now + 8 * HOUR,
        Expiry::Past => now.saturating_sub(HOUR),
    };
    json!({"claudeAiOauth": {
        "accessToken": token.anthropic_access(), "refreshToken": token.anthropic_refresh(),
        "expiresAt": u64::try_from(expires.as_millis()).unwrap_or(u64::MAX),
        "scopes": ["user:inference", "user:profile"], "subscriptionType": "max",
    }})
}
