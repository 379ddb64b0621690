//! What a token endpoint grants, and how it is put into a login's file: everything else in the file stays as it is.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::tokens::MILLISECONDS;
use crate::harness::login_file::{LoginFile, Place, Renew};

/// What was granted.
#[derive(Debug)]
pub struct Grant {
    access: SecretString,
    /// A new refresh token; without one the old one goes on.
    refresh: Option<SecretString>,
    lifetime: Option<SignedDuration>,
    /// What else of the answer is kept, by its name there.
    beside: BTreeMap<String, SecretString>,
}

impl Grant {
    /// Reads the answer of a token endpoint; `None` if there is no access token in it.
    pub fn read(body: &str, renew: &Renew) -> Option<Self> {
        let answer: Value = serde_json::from_str(body).ok()?;
        let text = |name: &str| {
            answer.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(SecretString::from)
        };
        Some(Self {
            access: text("access_token")?,
            refresh: text("refresh_token"),
            lifetime: answer.get("expires_in").and_then(Value::as_i64).map(SignedDuration::from_secs),
            beside: renew.beside.keys().filter_map(|name| Some((name.clone(), text(name)?))).collect(),
        })
    }

    /// Puts it into a login's document, where the old tokens are. `None` if there are none.
    pub fn put(&self, how: &LoginFile, renew: &Renew, login: &mut Value, now: Timestamp) -> Option<()> {
        let access = how.access.iter().find(|place| is_text(login, place))?;
        *at(login, access)? = self.access.expose_secret().into();
        if let Some(new) = &self.refresh {
            let place = how.refresh.iter().find(|place| is_text(login, place))?;
            *at(login, place)? = new.expose_secret().into();
        }
        let ends = self.lifetime.and_then(|lifetime| now.checked_add(lifetime).ok());
        for place in &how.expires {
            if let (Some(ends), Some(old)) = (ends, at(login, place)) {
                *old = written_like(old, ends);
            }
        }
        for (name, places) in &renew.beside {
            let kept = places.iter().find(|place| is_text(login, place));
            if let (Some(new), Some(place)) = (self.beside.get(name), kept) {
                *at(login, place)? = new.expose_secret().into();
            }
        }
        if let Some(stamp) = renew.stamp.as_ref().and_then(|place| at(login, place)) {
            *stamp = now.to_string().into();
        }
        Some(())
    }
}

fn is_text(login: &mut Value, place: &Place) -> bool {
    at(login, place).is_some_and(|value| value.is_string())
}

/// The value at a place, through objects alone: what is inside a token is its provider's.
fn at<'a>(login: &'a mut Value, place: &Place) -> Option<&'a mut Value> {
    place.iter().try_fold(login, |value, key| value.get_mut(key))
}

/// A time in the form that the file has it in.
fn written_like(old: &Value, time: Timestamp) -> Value {
    match old {
        Value::Number(number) if number.as_f64().is_some_and(|number| number.abs() >= MILLISECONDS) => {
            time.as_millisecond().into()
        }
        Value::Number(_) => time.as_second().into(),
        Value::String(_) => time.to_string().into(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::harness::catalog::Catalog;

    fn put(harness: &str, login: &Value, answer: &Value) -> Value {
        let how = Catalog::builtin().unwrap().get(harness).unwrap().credential.login.clone().unwrap();
        let mut login = login.clone();
        let renew = how.renew.as_ref().unwrap();
        let grant = Grant::read(&answer.to_string(), renew).unwrap();
        assert!(!format!("{grant:?}").contains("new"));
        grant.put(&how, renew, &mut login, Timestamp::UNIX_EPOCH).unwrap();
        login
    }

    #[test]
    fn new_tokens_take_the_places_of_the_old_ones_and_nothing_else_is_touched() {
        let tokens =
            json!({"id_token": "old", "access_token": "old", "refresh_token": "old", "account_id": "a"});
        let login = json!({"OPENAI_API_KEY": null, "auth_mode": "chatgpt", "tokens": tokens, "last_refresh": "old", "x": [1]});
        let answer =
            json!({"id_token": "new-i", "access_token": "new-a", "refresh_token": "new-r", "expires_in": 60});
        let tokens = json!({"id_token": "new-i", "access_token": "new-a", "refresh_token": "new-r", "account_id": "a"});
        assert_eq!(
            put("codex", &login, &answer),
            json!({"OPENAI_API_KEY": null, "auth_mode": "chatgpt", "tokens": tokens, "last_refresh": "1970-01-01T00:00:00Z", "x": [1]})
        );
        let oauth = |access: &str, refresh: &str, ends: u64| json!({"claudeAiOauth": {"accessToken": access, "refreshToken": refresh, "expiresAt": ends, "scopes": ["a"]}});
        let answer = json!({"access_token": "new-a", "refresh_token": "new-r", "expires_in": 60});
        let old = oauth("old", "old", 1_800_000_000_000);
        // Such a time is written as it was, in milliseconds.
        assert_eq!(put("claude", &old, &answer), oauth("new-a", "new-r", 60_000));
    }

    #[test]
    fn without_a_new_refresh_token_the_old_one_goes_on() {
        let login = json!({"tokens": {"access_token": "old", "refresh_token": "kept"}});
        let after = put("codex", &login, &json!({"access_token": "new-a"}));
        assert_eq!(after, json!({"tokens": {"access_token": "new-a", "refresh_token": "kept"}}));
    }

    #[test]
    fn what_grants_nothing_is_no_grant() {
        let codex = Catalog::builtin().unwrap().get("codex").unwrap();
        let renew = codex.credential.login.clone().unwrap().renew.unwrap();
        for body in ["", "null", "{}", "<html>", r#"{"access_token":""}"#, r#"{"access_token":7}"#] {
            assert!(Grant::read(body, &renew).is_none(), "{body}");
        }
    }
}
