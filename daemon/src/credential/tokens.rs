//! Reading a login that a harness keeps: never to use it for a turn, only to know whose it is and whether it still works.
//!
//! The file is the harness's: it is read, and neither written nor copied. Some harnesses truncate it before they write
//! it, so that half a document is met at times; that is "not readable just now", and never "logged out".

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::harness::login_file::{LoginFile, Place};

/// Largest file that is taken for a login, in bytes.
const LARGEST: u64 = 1 << 20;
/// How often a file is looked at that holds no whole document.
const TRIES: usize = 5;
/// Time between two such looks: a harness that rewrites its file is done with it long before.
const BETWEEN: Duration = Duration::from_millis(40);
/// Numbers from here on count milliseconds; in seconds they would be in the year 5138.
pub(super) const MILLISECONDS: f64 = 1e11;

/// What a login's file says.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The access token.
    pub access: SecretString,
    /// The refresh token, where there is one.
    pub refresh: Option<SecretString>,
    /// The account's id, as the provider knows it.
    pub account_id: Option<String>,
    /// What may be told.
    pub facts: Facts,
}

/// What may be told of a login.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whose it is.
    pub account: Option<Account>,
    /// The account's plan.
    pub plan: Option<String>,
    /// When the access token ends.
    pub expires: Option<Timestamp>,
    /// Whether its harness can get a new access token by itself.
    pub renewable: bool,
}

/// Whose a login is, as far as the journal may know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Tells accounts apart, and nothing else.
    pub mark: String,
    /// For people; the name behind it can't be read off.
    pub shown: String,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Why a login can't be read; completes "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// There is no file.
    #[error("find a login: there is no {}", path.display())]
    Missing {
        /// Where it would be.
        path: PathBuf,
    },
    /// Somebody is writing it, or it is damaged.
    #[error("read {}: it holds no whole document{why}", path.display())]
    Partial {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        why: String,
    },
    /// It has no access token in it.
    #[error("find a login in {}: it holds no access token", path.display())]
    NoToken {
        /// The file.
        path: PathBuf,
    },
    /// The system refused it.
    #[error("read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Reads the login of `home`. Blocks on the disk, and up to a fifth of a second while the file is being written.
///
/// # Errors
/// When there is no login that can be read.
pub fn read(how: &LoginFile, home: &Path) -> Result<Tokens, TokensError> {
    let mut tries = 1;
    loop {
        match read_once(how, home) {
            Err(TokensError::Partial { .. }) if tries < TRIES => std::thread::sleep(BETWEEN),
            outcome => return outcome,
        }
        tries += 1;
    }
}

/// The same with a single look.
///
/// # Errors
/// When there is no login that can be read now.
pub fn read_once(how: &LoginFile, home: &Path) -> Result<Tokens, TokensError> {
    let path = home.join(&how.path);
    let document = document(&path)?;
    let whose = how.whose.as_ref().and_then(|file| self::document(&home.join(file)).ok());
    parse(how, &document, whose.as_ref()).ok_or(TokensError::NoToken { path })
}

/// The document in a file, whole.
pub(super) fn document(path: &Path) -> Result<Value, TokensError> {
    let io = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => TokensError::Missing { path: path.to_owned() },
        _ => TokensError::Io { path: path.to_owned(), source },
    };
    let partial = |why: String| TokensError::Partial { path: path.to_owned(), why };
    let length = std::fs::metadata(path).map_err(io)?.len();
    if length > LARGEST {
        return Err(partial(format!(" (it is {length} bytes long)")));
    }
    let bytes = std::fs::read(path).map_err(io)?;
    // The parser's own words would quote the document.
    serde_json::from_slice(&bytes)
        .map_err(|e| partial(format!(" (line {}, column {})", e.line(), e.column())))
}

/// What a document says; `None` without an access token. `whose` is looked into for what it says of no one.
pub(super) fn parse(how: &LoginFile, login: &Value, whose: Option<&Value>) -> Option<Tokens> {
    let text = |places: &[Place], document: &Value| {
        first(places, document)
            .and_then(|value| Some(value.as_str()?.to_owned()))
            .filter(|text| !text.is_empty())
    };
    let access = text(&how.access, login)?;
    let of_whom = |places: &[Place]| text(places, login).or_else(|| text(places, whose?));
    let account_id = of_whom(&how.account);
    let name = of_whom(&how.name);
    let facts = Facts {
        account: account_id
            .as_deref()
            .or(name.as_deref())
            .map(|id| Account { mark: mark(id), shown: masked(name.as_deref().unwrap_or(id)) }),
        plan: text(&how.plan, login),
        expires: first(&how.expires, login).as_ref().and_then(time),
        renewable: text(&how.refresh, login).is_some(),
    };
    let refresh = text(&how.refresh, login).map(SecretString::from);
    Some(Tokens { access: access.into(), refresh, account_id, facts })
}

fn first(places: &[Place], document: &Value) -> Option<Value> {
    places.iter().find_map(|place| at(place, document)).filter(|value| !value.is_null())
}

fn at(place: &[String], document: &Value) -> Option<Value> {
    let Some((key, rest)) = place.split_first() else { return Some(document.clone()) };
    match document {
        Value::String(token) => at(place, &claims(token)?),
        _ => at(rest, document.get(key)?),
    }
}

/// The claims of a JSON web token. Nobody checks its signature: what it says is shown, and decides nothing alone.
fn claims(token: &str) -> Option<Value> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&claims).ok()
}

fn time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(number) => {
            let number = number.as_f64()?;
            let seconds = if number.abs() >= MILLISECONDS { number / 1000.0 } else { number };
            Timestamp::from_second(seconds as i64).ok()
        }
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn mark(id: &str) -> String {
    Sha256::digest(id.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// `ann@example.org` as `a…@example.org`, an id as its last four characters.
fn masked(name: &str) -> String {
    let visible = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
    match name.split_once('@') {
        Some((person, host)) => {
            format!("{}…@{}", visible(&person.chars().take(1).collect::<String>()), visible(host))
        }
        None => {
            let skip = name.chars().count().saturating_sub(4);
            format!("…{}", visible(&name.chars().skip(skip).collect::<String>()))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;
    use serde_json::json;

    use super::*;
    use crate::harness::catalog::Catalog;

    fn how(harness: &str) -> LoginFile {
        Catalog::builtin().unwrap().get(harness).unwrap().credential.login.clone().unwrap()
    }

    fn jwt(claims: &Value) -> String {
        format!("x.{}.y", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn nested_and_flat_auth_json() {
        let access =
            jwt(&json!({"exp": 1_800_000_000, "https://api.openai.com/auth": {"chatgpt_plan_type": "plus"}}));
        let tokens = json!({
            "access_token": access, "refresh_token": "rt-canary", "account_id": "acct-1234",
            "id_token": jwt(&json!({"email": "ann@example.org"})),
        });
        let nested = json!({"auth_mode": "chatgpt", "OPENAI_API_KEY": null, "tokens": tokens});
        for document in [&nested, &tokens] {
            let read = parse(&how("codex"), document, None).unwrap();
            assert_eq!(read.access.expose_secret(), access);
            assert_eq!(read.account_id.as_deref(), Some("acct-1234"));
            let facts = &read.facts;
            assert_eq!((facts.plan.as_deref(), facts.renewable), (Some("plus"), true));
            assert_eq!(facts.account.as_ref().unwrap().shown, "a…@example.org");
            assert_eq!(facts.expires.unwrap().as_second(), 1_800_000_000);
            assert!(!format!("{read:?}").contains("canary") && !format!("{read:?}").contains(&access));
        }
        let oauth = json!({"accessToken": "sk-ant-oat01-x", "refreshToken": "r", "expiresAt": 1_800_000_000_000_u64, "subscriptionType": "max"});
        let whose = json!({"oauthAccount": {"emailAddress": "bob@example.org", "accountUuid": "u-1"}});
        for document in [&json!({"claudeAiOauth": oauth}), &oauth] {
            let read = parse(&how("claude"), document, Some(&whose)).unwrap();
            assert_eq!(read.access.expose_secret(), "sk-ant-oat01-x");
            assert_eq!(read.facts.expires.unwrap().as_second(), 1_800_000_000);
            assert_eq!(read.facts.account.unwrap().shown, "b…@example.org");
        }
        assert!(parse(&how("codex"), &json!({"OPENAI_API_KEY": "sk-x", "tokens": null}), None).is_none());
    }

    #[test]
    fn partial_auth_json_is_retried() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("auth.json");
        let whole = json!({"tokens": {"access_token": "a"}}).to_string();
        assert!(matches!(read(&how("codex"), home.path()), Err(TokensError::Missing { .. })));
        std::fs::write(&path, &whole[..9]).unwrap();
        let half = read_once(&how("codex"), home.path()).unwrap_err();
        assert!(matches!(half, TokensError::Partial { .. }), "{half}");
        // The writer comes back for the rest while it is being read.
        let writer = std::thread::spawn(move || {
            std::thread::park_timeout(BETWEEN);
            std::fs::write(&path, whole).unwrap();
        });
        let read = read(&how("codex"), home.path());
        writer.join().unwrap();
        assert_eq!(read.unwrap().access.expose_secret(), "a");
    }

    #[test]
    fn what_the_provider_signed_goes_before_what_the_file_says() {
        let access = jwt(&json!({"exp": 1_700_000_000}));
        let document = json!({"tokens": {"access_token": access, "expires_at": "2030-01-01T00:00:00Z"}});
        assert_eq!(
            parse(&how("codex"), &document, None).unwrap().facts.expires.unwrap().as_second(),
            1_700_000_000
        );
        let opaque = json!({"tokens": {"access_token": "opaque", "expires_at": "2030-01-01T00:00:00Z"}});
        assert!(parse(&how("codex"), &opaque, None).unwrap().facts.expires.is_some());
    }

    proptest! {
        #[test]
        fn any_document_is_read_without_a_panic_and_errors_quote_nothing(text in ".{0,80}", number in any::<f64>()) {
            let home = tempfile::tempdir().unwrap();
            std::fs::write(home.path().join("auth.json"), format!("{{\"canary{text}")).unwrap();
            if let Err(error) = read_once(&how("codex"), home.path()) {
                prop_assert!(!error.to_string().contains("canary"));
            }
            let _ = time(&json!(number));
            let _ = (masked(&text), claims(&text), mark(&text));
        }
    }
}
