//! Homes for codex: an API key with a provider of its own, or a ChatGPT login.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

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
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let token = AccountToken::new(account, 1, now);
    json!({
        "auth_mode": "chatgpt", "OPENAI_API_KEY": null,
        "tokens": {
            "id_token": token.openai_jwt(), "access_token": token.openai_jwt(),
            "refresh_token": token.openai_refresh(), "account_id": account,
        },
        "last_refresh": rfc3339(now),
    })
    .to_string()
}

/// Seconds since the epoch as codex writes times.
fn rfc3339(seconds: u64) -> String {
    let days = i64::try_from(seconds / 86_400).unwrap_or_default();
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    // Civil date from days, counting years from March so that leap days come last.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}
