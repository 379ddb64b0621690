//! One failure that no rule knows, as a line of a case file: what `posthouse failure classify` reads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use posthouse_protocol::payload::FailureInfo;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::redact::redact;
use crate::failover::classify::text;
use crate::failover::observation::{Channel, Observation};

/// Most bytes of what was said that are kept: the last ones.
pub const MOST: usize = 14 * 1024;
/// Most characters of it in a list.
const SHOWN: usize = 120;

/// What is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fixture {
    /// Its name, by which it is shown; later ones sort after earlier ones.
    pub id: String,
    /// The harness.
    pub harness: String,
    /// How it was seen.
    pub channel: Channel,
    /// The response's status.
    #[serde(default)]
    pub status: Option<u16>,
    /// What was said, without secrets.
    pub body: String,
    /// What else is known, in the words of a case file.
    #[serde(default)]
    pub ctx: Map<String, Value>,
    /// Which session saw it first.
    pub session: String,
    /// When it was seen last, in Unix milliseconds.
    pub at: u64,
    /// How often.
    pub count: u32,
}

impl Fixture {
    /// What is kept of an observation.
    #[must_use]
    pub fn of(seen: &Observation, session: &str, now: Timestamp, home: Option<&str>) -> Self {
        let clean = |text: &str| redact(text, home);
        let body = match seen.channel {
            Channel::Osc => status_report(&seen.body, clean),
            _ => clean(last(&text::plain(&seen.body))),
        };
        let mut ctx = Map::new();
        let mut put = |name: &str, value: Value| {
            if !value.is_null() {
                ctx.insert(name.to_owned(), value);
            }
        };
        put("version", json!(seen.version));
        put("exit_code", json!(seen.exit));
        put("provider", json!(seen.provider()));
        put("endpoint", json!(seen.endpoint));
        put("auth", json!(seen.auth));
        put("observed_at", json!(seen.observed_at));
        if !seen.codes.is_empty() {
            put("codes", json!(seen.codes.iter().map(|code| clean(code)).collect::<Vec<_>>()));
        }
        let headers: Map<String, Value> = seen
            .headers
            .iter()
            .filter(|(name, _)| is_telling(name))
            .map(|(name, value)| (name.to_owned(), json!(clean(value))))
            .collect();
        if !headers.is_empty() {
            put("headers", Value::Object(headers));
        }
        Self {
            id: uuid::Uuid::now_v7().simple().to_string(),
            harness: seen.harness.clone(),
            channel: seen.channel,
            status: seen.status,
            body,
            ctx,
            session: session.to_owned(),
            at: u64::try_from(now.as_millisecond()).unwrap_or_default(),
            count: 1,
        }
    }

    /// Whether another is the same failure, but for numbers and time.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let shape = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
        let same = |key: &str| self.ctx.get(key) == other.ctx.get(key);
        self.harness == other.harness
            && self.channel == other.channel
            && self.status == other.status
            && same("version")
            && same("exit_code")
            && shape(&self.body) == shape(&other.body)
    }

    /// The same as an entry of a list.
    #[must_use]
    pub fn info(&self) -> FailureInfo {
        let word = |value: &Value| value.as_str().map(str::to_owned);
        let seen = text::one_line(&self.body).chars().rev().take(SHOWN).collect::<Vec<_>>();
        FailureInfo {
            id: self.id.clone(),
            at: self.at,
            harness: self.harness.clone(),
            version: self.ctx.get("version").and_then(word),
            channel: word(&json!(self.channel)).unwrap_or_default(),
            exit: self.ctx.get("exit_code").and_then(Value::as_i64).and_then(|code| i32::try_from(code).ok()),
            session: self.session.clone(),
            count: self.count,
            seen: seen.into_iter().rev().collect(),
        }
    }
}

/// The last bytes of what was said, from the beginning of a character.
fn last(text: &str) -> &str {
    let mut from = text.len().saturating_sub(MOST);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.get(from..).unwrap_or_default()
}

/// A status report carries its message packed.
fn status_report(body: &str, clean: impl Fn(&str) -> String) -> String {
    let Some((head, packed)) = body.split_once(":msg=") else { return clean(last(body)) };
    let packed = packed.split([':', '\u{7}', '\u{1b}']).next().unwrap_or_default();
    let said = STANDARD.decode(packed).unwrap_or_default();
    let said = clean(last(&text::plain(&String::from_utf8_lossy(&said))));
    format!("{}:msg={}", clean(head), STANDARD.encode(said))
}

/// Headers that say something of limits and refusals.
fn is_telling(name: &str) -> bool {
    [
        "retry-after",
        "x-ratelimit",
        "ratelimit",
        "anthropic-ratelimit",
        "x-codex",
        "x-amzn-errortype",
        "x-should-retry",
    ]
    .iter()
    .any(|start| name.starts_with(start))
        || matches!(name, "content-type" | "server" | "cf-mitigated" | "www-authenticate")
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::failover::case::Case;
    use crate::failover::classify::classify;

    fn now() -> Timestamp {
        "2026-11-22T03:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_fixture_is_a_case_that_is_judged_as_before() {
        let frame = r#"{"type":"turn.failed","error":{"message":"the frobnicator of maya@example.org jammed in /home/maya/x"}}"#;
        let mut seen = Observation::new("codex", Channel::Jsonl, frame);
        seen.exit = Some(1);
        seen.headers.insert("authorization", "Bearer abc123def456");
        seen.headers.insert("retry-after", "7");
        let fixture = Fixture::of(&seen, "builder", now(), None);
        assert!(fixture.body.contains("the frobnicator of [email] jammed in ~/x"), "{}", fixture.body);
        let line = serde_json::to_string(&fixture).unwrap();
        assert!(!line.contains("abc123") && !line.contains("maya"), "{line}");
        let again = Case::parse(&line).unwrap().observation;
        assert_eq!((again.exit, again.headers.get("retry-after")), (Some(1), Some("7")));
        let class = |seen: &Observation| classify(seen, now(), &TimeZone::UTC).failure().map(|f| f.class);
        assert_eq!(class(&again), class(&seen));
        seen.body = seen.body.replace("jammed", "jammed 3 times");
        assert!(!fixture.is_like(&Fixture::of(&seen, "other", now(), None)));
    }

    #[test]
    fn the_message_of_a_status_report_is_cleaned_too() {
        let packed = STANDARD.encode("it said sk-ant-oat01-AbCdEf0123456789AbCdEf and stopped");
        let seen = Observation::new(
            "claude",
            Channel::Osc,
            format!("7501;state=error:app=claude-code:msg={packed}"),
        );
        let body = Fixture::of(&seen, "s", now(), None).body;
        let said = STANDARD.decode(body.split_once(":msg=").unwrap().1).unwrap();
        assert_eq!(String::from_utf8(said).unwrap(), "it said [secret] and stopped");
    }
}
