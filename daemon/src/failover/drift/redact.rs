//! Takes out of a text what must not leave this machine: secrets, addresses, and whose home it is. Rather too much
//! than too little; the words of a failure are what a rule is made of, and they stay.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What stands where a secret was.
pub const SECRET: &str = "[secret]";

/// Shortest run of letters and digits that is taken for a secret.
const RUN: usize = 16;

/// What stands between words in the names of things.
const SEPARATORS: [char; 7] = ['_', '-', '.', '/', '+', '=', '~'];

static PATTERNS: LazyLock<Option<Patterns>> = LazyLock::new(|| Patterns::compile().ok());

struct Patterns {
    known: Regex,
    named: Regex,
    userinfo: Regex,
    email: Regex,
    home: Regex,
    run: Regex,
    base64: Regex,
}

impl Patterns {
    fn compile() -> Result<Self, regex::Error> {
        Ok(Self {
            // With the rest of a longer secret in whose middle such a beginning stands by chance.
            known: Regex::new(concat!(
                r"(?i)(?:[A-Za-z0-9+/]*[+/])?",
                r"\b(?:(?:sk|pk|rk|xai|gsk|key|ak|nvapi|hf|glpat|xox[a-z])[-_][A-Za-z0-9*._-]{6,}",
                r"|(?:gh[a-z]|github_pat|AIza|ya29|AKIA|ASIA|eyJ)[A-Za-z0-9_.-]{8,})",
                r"(?:[+/][A-Za-z0-9+/=]*)?",
            ))?,
            named: Regex::new(
                r#"(?i)((?:authorization|cookie|password|passwd|secret|bearer|(?:api|access|refresh|id|auth|session)?[-_ ]?(?:token|key)|code_verifier|device_code|user_code)\\?["']?\s*[:=]\s*\\?["']?(?:bearer |basic )?|\b(?:bearer|basic)\s+)([^\s"',;&}\]\\]{4,})"#,
            )?,
            userinfo: Regex::new(r"(://)[^/\s@:]+(?::[^/\s@]*)?@")?,
            email: Regex::new(r"(?i)[a-z0-9._%+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+")?,
            home: Regex::new(r#"/(?:home|Users)/[^/\s"':,;)\]]+|/root\b"#)?,
            run: Regex::new(r"[A-Za-z0-9_+=~.-]{16,}")?,
            base64: Regex::new(r"[A-Za-z0-9+/=_-]{40,}")?,
        })
    }
}

/// The text without secrets. Should the patterns not compile (a test sees to that), nothing of it is left.
#[must_use]
pub fn redact(text: &str, home: Option<&str>) -> String {
    let Some(patterns) = PATTERNS.as_ref() else { return SECRET.to_owned() };
    let mut text = text.to_owned();
    if let Some(home) = home.filter(|home| home.len() > 1) {
        text = text.replace(home, "~");
    }
    let text = patterns.userinfo.replace_all(&text, "$1");
    let text = patterns.home.replace_all(&text, "~");
    let text = patterns.email.replace_all(&text, "[email]");
    // Before what looks like a key by itself: a value goes whole, however it begins.
    let text = patterns.named.replace_all(&text, |found: &Captures<'_>| {
        let part = |at: usize| found.get(at).map_or("", |part| part.as_str());
        // `token: expired` says what happened; a value with a digit or a capital in it is somebody's.
        let plain =
            part(2).chars().all(|c| c.is_ascii_lowercase() || "_.-[".contains(c)) && part(1).contains(": ");
        if plain { format!("{}{}", part(1), part(2)) } else { format!("{}{SECRET}", part(1)) }
    });
    let text = patterns.known.replace_all(&text, |found: &Captures<'_>| {
        let whole = found.get(0).map_or("", |part| part.as_str());
        // What begins like a key and is none, as in `key_not_found`, has no digits.
        let is_none = is_words(whole) && !whole.bytes().any(|byte| byte.is_ascii_digit());
        if is_none { whole.to_owned() } else { SECRET.to_owned() }
    });
    let hide = |found: &Captures<'_>| {
        let whole = found.get(0).map_or("", |part| part.as_str());
        if is_words(whole) { whole.to_owned() } else { SECRET.to_owned() }
    };
    let text = patterns.base64.replace_all(&text, hide);
    patterns.run.replace_all(&text, hide).into_owned()
}

/// Whether a run is made of words and small numbers, as names of codes, models, hosts and files are.
fn is_words(run: &str) -> bool {
    // Words have some length: what falls into crumbs was cut at random.
    let pieces = run.split(SEPARATORS).count();
    if run.len() >= RUN && (run.contains("==") || pieces * 4 > run.len()) {
        return false;
    }
    run.split(SEPARATORS).all(|piece| {
        let digits = piece.chars().filter(char::is_ascii_digit).count();
        let letters = piece.len() - digits;
        let capitals = piece.chars().filter(char::is_ascii_uppercase).count();
        let mixed = capitals > 0 && capitals < letters;
        match (letters, digits) {
            (0, digits) => digits <= 8,
            // ThrottlingException has few capitals, a secret many.
            (letters, 0) => letters <= 24 && (!mixed || capitals * 4 <= letters || letters < RUN / 2),
            (letters, digits) => letters + digits <= 6,
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_of_a_failure_stay() {
        for text in [
            "unexpected status 401 Unauthorized: Your authentication token has been invalidated. Please try signing in again.",
            r#"{"error":{"code":"refresh_token_already_used","type":"invalid_request_error","status":429}}"#,
            "ThrottlingException: model claude-opus-4-5-20251101 at https://chatgpt.com/backend-api/codex/responses",
            "You've hit your usage limit. Try again at 3:09 AM.",
            "token: expired",
        ] {
            assert_eq!(redact(text, None), text);
        }
    }

    #[test]
    fn whose_machine_it_is_goes() {
        let text =
            "maya@example.org in /home/maya/.codex, /Users/maya/x and /srv/maya/y via https://u:p@proxy/x";
        assert_eq!(redact(text, Some("/srv/maya")), "[email] in ~/.codex, ~/x and ~/y via https://proxy/x");
    }

    fn canaries() -> impl Strategy<Value = String> {
        prop_oneof![
            "sk-[a-zA-Z0-9]{20,48}",
            "sk-ant-oat01-[a-zA-Z0-9_]{30,60}",
            "gh[pous]_[A-Za-z0-9]{36}",
            "AIza[A-Za-z0-9_-]{35}",
            "eyJ[A-Za-z0-9]{20,40}\\.eyJ[A-Za-z0-9]{20,40}\\.[A-Za-z0-9]{20,40}",
            "[0-9a-f]{32}",
            "[0-9a-f]{64}",
            "[A-Za-z0-9+/]{60}==",
            "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}",
        ]
        // What is by chance all letters or all digits is no secret that anyone could tell.
        .prop_filter("both letters and digits", |canary| {
            canary.chars().filter(char::is_ascii_digit).count() >= 3
                && canary.chars().filter(char::is_ascii_lowercase).count() >= 3
        })
    }

    #[test]
    fn a_named_value_goes_whole_though_it_begins_like_a_key() {
        assert_eq!(redact("password=ghAaaaAa0aa%tail", None), "password=[secret]");
        assert_eq!(redact("token: sk-AbCdEf0123#tail", None), "token: [secret]");
    }

    #[test]
    fn a_secret_goes_whole_though_a_key_seems_to_begin_in_its_middle() {
        let secret = "a++aAA+AAaa+gha00aAaA0Aaa+aaA00a+0aA+AA0AA0+AA0AaaA+0aAaaa+a==";
        assert_eq!(redact(&format!("'{secret}',"), None), "'[secret]',");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

        #[test]
        fn no_secret_survives(canary in canaries(), shape in 0usize..9, noise in "[a-z .:\"{},=\n]{0,30}") {
            let text = match shape {
                0 => format!("{noise} {canary} {noise}"),
                1 => format!(r#"{{"token":"{canary}"}}{noise}"#),
                2 => format!("Authorization: Bearer {canary}"),
                3 => format!("https://x.example/cb?code={canary}&state=1 {noise}"),
                4 => format!("API_KEY={canary}{noise}"),
                5 => format!("({canary})"),
                6 => format!(r#"{{\"refresh_token\":\"{canary}\"}}"#),
                7 => format!("'{canary}',{noise}"),
                _ => format!("key {canary}."),
            };
            let clean = redact(&text, None);
            prop_assert!(!clean.contains(&canary), "{}", clean);
            // Nor most of it: no stretch of a dozen characters.
            for at in 0..canary.len().saturating_sub(12) {
                let stretch = &canary[at..at + 12];
                prop_assert!(!clean.contains(stretch), "{} of {} in {}", stretch, canary, clean);
            }
        }

        #[test]
        fn a_password_that_is_named_goes(value in "[a-zA-Z0-9!#%]{6,20}", name in "(password|api_key|client_secret|access_token)") {
            let clean = redact(&format!("{name}={value}"), None);
            prop_assert_eq!(clean, format!("{name}={SECRET}"));
        }
    }
}
