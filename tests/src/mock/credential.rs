//! Which credential made a request, and made-up tokens that carry their account's name.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::HeaderMap;
use serde_json::{Value, json};

/// The claim in which ChatGPT tokens name their account.
const OPENAI_CLAIM: &str = "https://api.openai.com/auth";
/// Seconds for which a made-up access token says it is good.
pub(super) const LIFETIME: u64 = 864_000;

/// One generation of a login's made-up tokens.
#[derive(Clone, Debug)]
pub struct AccountToken {
    account: String,
    generation: u32,
    now: u64,
}

impl AccountToken {
    /// The tokens of `account` in this generation, issued at `now` (seconds since the epoch).
    pub fn new(account: &str, generation: u32, now: u64) -> Self {
        Self { account: account.to_owned(), generation, now }
    }

    /// A ChatGPT access or id token: a JWT nobody signed, which no client here verifies.
    pub fn openai_jwt(&self) -> String {
        let email = format!("{}@example.invalid", self.account);
        let user = format!("user-{}", self.account);
        let claims = json!({
            "iss": "https://auth.openai.com", "aud": ["app_mock"],
            "iat": self.now.saturating_sub(60), "exp": self.now + LIFETIME,
            "jti": format!("{}-{}", self.account, self.generation), "email": email,
            OPENAI_CLAIM: {
                "chatgpt_plan_type": "plus", "chatgpt_account_id": self.account,
                "chatgpt_user_id": user, "user_id": user,
            },
            "https://api.openai.com/profile": {"email": email, "email_verified": true},
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!(
            "{}.{}.{}",
            part(&json!({"alg": "RS256", "typ": "JWT"})),
            part(&claims),
            URL_SAFE_NO_PAD.encode("no signature")
        )
    }

    /// A ChatGPT refresh token.
    pub fn openai_refresh(&self) -> String {
        self.opaque("rt")
    }

    /// An Anthropic OAuth access token.
    pub fn anthropic_access(&self) -> String {
        self.opaque("sk-ant-oat01")
    }

    /// An Anthropic OAuth refresh token.
    pub fn anthropic_refresh(&self) -> String {
        self.opaque("sk-ant-ort01")
    }

    fn opaque(&self, kind: &str) -> String {
        format!("{kind}.{}.{}", self.account, self.generation)
    }
}

/// The name by which tests know a secret: the account inside a made-up token, or the secret itself.
pub fn label_of(secret: &str) -> String {
    account_in_jwt(secret).or_else(|| account_in_opaque(secret)).unwrap_or_else(|| secret.to_owned())
}

/// The label of the credential in a request's headers; empty when it carries none.
pub(super) fn presented(headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text("authorization").and_then(|value| value.strip_prefix("Bearer "));
    bearer.or_else(|| text("x-api-key")).map(label_of).unwrap_or_default()
}

fn account_in_jwt(token: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    Some(claims.get(OPENAI_CLAIM)?.get("chatgpt_account_id")?.as_str()?.to_owned())
}

fn account_in_opaque(token: &str) -> Option<String> {
    let mut parts = token.split('.');
    let (_kind, account, generation) = (parts.next()?, parts.next()?, parts.next()?);
    let whole = parts.next().is_none() && generation.parse::<u32>().is_ok();
    whole.then(|| account.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_made_up_token_names_its_account() {
        let token = AccountToken::new("acct-A", 3, 1_800_000_000);
        for secret in
            [token.openai_jwt(), token.openai_refresh(), token.anthropic_access(), token.anthropic_refresh()]
        {
            assert_eq!(label_of(&secret), "acct-A", "{secret}");
        }
        assert_eq!(label_of("sk-key-with.two.dots"), "sk-key-with.two.dots");
    }
}
