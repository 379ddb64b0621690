//! One recorded case, as a line of a case file: an observation and, in a corpus, what is expected of it.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::observation::{AuthKind, Channel, Corroboration, Endpoint, Headers, Observation};

/// A case without what is expected of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its name, given back with the answer.
    pub id: String,
    /// What was seen.
    pub observation: Observation,
}

/// Why a line is no case; completes "failed to read a case: …".
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// Not the JSON that a case is.
    #[error("{0}")]
    Shape(#[from] serde_json::Error),
    /// A field of `ctx` has a value that it can't have.
    #[error("ctx.{field} can't be {value}")]
    Context {
        /// Which field.
        field: &'static str,
        /// As it was given.
        value: Value,
    },
}

#[derive(Deserialize)]
struct Line {
    id: String,
    harness: String,
    channel: Channel,
    #[serde(default)]
    status: Option<u16>,
    #[serde(default)]
    body: Value,
    #[serde(default)]
    ctx: Map<String, Value>,
}

impl Case {
    /// Reads one line of a case file. What a corpus says is expected is not looked at.
    ///
    /// # Errors
    /// When it isn't a JSON object with `id`, `harness`, `channel` and `body`, or a `ctx` field is unusable.
    pub fn parse(line: &str) -> Result<Self, CaseError> {
        let line: Line = serde_json::from_str(line)?;
        let body = match line.body {
            Value::String(text) => text,
            Value::Null => String::new(),
            frame => frame.to_string(),
        };
        let mut observation = Observation::new(&line.harness, line.channel, body);
        observation.status = line.status;
        context(&mut observation, &line.ctx)?;
        Ok(Self { id: line.id, observation })
    }
}

fn context(seen: &mut Observation, ctx: &Map<String, Value>) -> Result<(), CaseError> {
    seen.endpoint = one_of::<Endpoint>(ctx, "endpoint")?;
    seen.auth = one_of::<AuthKind>(ctx, "auth")?;
    seen.observed_at = one_of(ctx, "observed_at")?.or(one_of(ctx, "now")?);
    seen.zone = one_of::<String>(ctx, "zone")?.or(one_of(ctx, "tz")?);
    seen.provider = one_of(ctx, "provider")?;
    seen.model = one_of(ctx, "model")?;
    seen.version = one_of(ctx, "version")?;
    seen.credential = one_of(ctx, "credential")?;
    seen.codes = one_of::<Vec<String>>(ctx, "codes")?.unwrap_or_default();
    seen.exit = one_of::<i32>(ctx, "exit_code")?.or(one_of(ctx, "exit")?);
    if let Some(Value::Object(headers)) = ctx.get("headers") {
        seen.headers = headers.iter().map(|(name, value)| (name, plain(value))).collect::<Headers>();
    }
    seen.corroboration = Corroboration {
        exit_nonzero: seen.exit.is_some_and(|code| code != 0),
        osc_error: ctx.get("osc").map(plain).is_some_and(|osc| is_osc_error(&osc)),
        login_screen: one_of(ctx, "login_screen")?.unwrap_or(false),
        probe_failed: ctx.get("probe").map(plain).is_some_and(|probe| probe == "failed"),
    };
    Ok(())
}

fn is_osc_error(osc: &str) -> bool {
    osc.contains("error") || (osc.contains("blocked") && osc.contains("auth"))
}

fn one_of<T: serde::de::DeserializeOwned>(
    ctx: &Map<String, Value>,
    field: &'static str,
) -> Result<Option<T>, CaseError> {
    match ctx.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => serde_json::from_value(value.clone())
            .map(Some)
            .map_err(|_| CaseError::Context { field, value: value.clone() }),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_context() {
        let line = r#"{"id":"x","harness":"Codex","channel":"http","status":429,"body":{"a":1},
            "ctx":{"endpoint":"oauth_token","auth":"api_key","exit_code":1,"headers":{"Retry-After":7},
                   "observed_at":"2026-11-22T03:00:00Z","provider":"zai"}}"#;
        let case = Case::parse(&line.replace('\n', "")).unwrap();
        let seen = case.observation;
        assert_eq!((seen.endpoint, seen.auth), (Some(Endpoint::Token), Some(AuthKind::ApiKey)));
        assert_eq!(seen.headers.get("retry-after"), Some("7"));
        assert_eq!(seen.body, r#"{"a":1}"#);
        assert!(seen.corroboration.exit_nonzero);
        assert_eq!(seen.provider().as_deref(), Some("zai"));
    }

    #[test]
    fn says_which_field_is_wrong() {
        let line = r#"{"id":"x","harness":"codex","channel":"http","body":"","ctx":{"exit_code":"moon"}}"#;
        assert_eq!(Case::parse(line).unwrap_err().to_string(), "ctx.exit_code can't be \"moon\"");
    }
}
