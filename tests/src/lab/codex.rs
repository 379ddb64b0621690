//! Homes for codex: an API key with a provider of its own, or a ChatGPT login.

use std::io;

use serde_json::json;

use super::home::{Home, Lab};
use crate::mock::{AccountToken, MockProvider};

/// How codex proves who it is.
#[derive(Clone, Copy, Debug)]
pub enum CodexLogin<'a> {
    /// An API key, read by codex from `CODEX_LAB_KEY`.
    Key(&'a str),
    /// A ChatGPT login of this account, with tokens that are good for days.
    ChatGpt(&'a str),
}

/// Makes a `CODEX_HOME` called `name` whose provider is `mock`.
///
/// # Errors
/// When its files can't be written.
pub fn codex_home(lab: &Lab, mock: &MockProvider, name: &str, login: CodexLogin<'_>) -> io::Result<Home> {
    let mut home = lab.home(name)?;
    home.set("CODEX_HOME", home.dir.clone());
    let provider = match login {
        CodexLogin::Key(key) => {
            home.set("CODEX_LAB_KEY", key);
            key_provider(mock)
        }
        CodexLogin::ChatGpt(account) => {
            std::fs::write(home.dir.join("auth.json"), auth_file(account))?;
            chatgpt_provider(mock)
        }
    };
    let network = home.network(mock, "SSL_CERT_FILE")?.map(|(name, value)| format!("{name}={value}\n"));
    std::fs::write(home.dir.join(".env"), network.concat())?;
    std::fs::write(home.dir.join("config.toml"), config(&provider, lab))?;
    Ok(home)
}

/// What a user puts into config.toml to be left alone: the dialogs answered beforehand, background use off.
fn config(provider: &str, lab: &Lab) -> String {
    let cwd = lab.cwd();
    format!(
        r#"model = "gpt-6.1-sol"
approval_policy = "on-request"
sandbox_mode = "read-only"
check_for_update_on_startup = false
{provider}
[analytics]
enabled = false
[notice]
hide_rate_limit_model_nudge = true
[projects."{}"]
trust_level = "trusted"
"#,
        cwd.display()
    )
}

fn key_provider(mock: &MockProvider) -> String {
    let base = mock.http();
    format!(
        r#"model_provider = "lab"
[model_providers.lab]
name = "lab"
base_url = "{base}/v1"
wire_api = "responses"
env_key = "CODEX_LAB_KEY""#
    )
}

fn chatgpt_provider(mock: &MockProvider) -> String {
    let base = mock.https();
    format!(
        r#"openai_base_url = "{base}/backend-api/codex"
chatgpt_base_url = "{base}/backend-api/""#
    )
}

fn auth_file(account: &str) -> String {
    let now = jiff::Timestamp::now();
    let token = AccountToken::new(account, 1, now.as_second().unsigned_abs());
    json!({
        "auth_mode": "chatgpt", "OPENAI_API_KEY": null,
        "tokens": {
            "id_token": token.openai_jwt(), "access_token": token.openai_jwt(),
            "refresh_token": token.openai_refresh(), "account_id": account,
        },
        "last_refresh": now.to_string(),
    })
    .to_string()
}
