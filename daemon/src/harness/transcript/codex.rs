//! Codex's rollout files: lines of `{timestamp, ordinal, type, payload}`.

use serde::Deserialize;
use serde_json::Value;

use super::{ApiError, Event, Lines, tool};

/// Reads a rollout. Remembers the last rate limits told, since the failure itself has no reset time.
#[derive(Debug, Default)]
pub struct Rollout {
    resets_at: Option<i64>,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    payload: Value,
}

/// The first line of a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Meta {
    /// The thread's id.
    pub id: String,
    /// The folder it was started in.
    pub cwd: std::path::PathBuf,
    /// The model provider's id in codex's configuration. A thread resumes under this id only.
    #[serde(default)]
    pub model_provider: Option<String>,
}

/// Reads the first line of a rollout, if it is one.
pub fn meta(line: &[u8]) -> Option<Meta> {
    let line: Line = serde_json::from_slice(line).ok()?;
    (line.kind == "session_meta").then(|| serde_json::from_value(line.payload).ok())?
}

impl Lines for Rollout {
    fn read(&mut self, line: &[u8], events: &mut Vec<Event>) {
        let Ok(Line { kind, payload }) = serde_json::from_slice::<Line>(line) else { return };
        let payload_kind = text(&payload, "type");
        match (kind.as_str(), payload_kind) {
            ("session_meta", _) => events.extend(string(&payload, "id").map(Event::SessionId)),
            ("event_msg", "task_started") => events.push(Event::TurnStarted),
            ("event_msg", "turn_aborted") => events.push(Event::TurnEnded { aborted: true }),
            ("event_msg", "task_complete") => {
                events
                    .extend(payload.get("error").and_then(|error| self.failure(error)).map(Event::ApiError));
                events.push(Event::TurnEnded { aborted: false });
            }
            ("event_msg", "token_count") => self.note_limits(payload.get("rate_limits")),
            ("event_msg", "item_completed") => {
                events.extend(payload.get("item").and_then(message));
            }
            ("response_item", item) if item.ends_with("_call") => {
                let on = string(&payload, "input").or_else(|| string(&payload, "arguments"));
                events.push(Event::ToolUsed { what: tool(text(&payload, "name"), on.as_deref()) });
            }
            _ => {}
        }
    }
}

impl Rollout {
    fn failure(&self, error: &Value) -> Option<ApiError> {
        let message = string(error, "message")?;
        let info = error.get("codex_error_info");
        // Either a bare word, or `{"word": {"http_status_code": n}}`.
        let (code, detail) = match info {
            Some(Value::String(word)) => (Some(word.clone()), None),
            Some(Value::Object(map)) => {
                map.iter().next().map(|(k, v)| (Some(k.clone()), Some(v))).unwrap_or_default()
            }
            _ => (None, None),
        };
        let status = detail.and_then(|d| d.get("http_status_code")).and_then(Value::as_u64);
        Some(ApiError {
            text: message,
            status: status.and_then(|s| u16::try_from(s).ok()),
            resets_at: self.resets_at.filter(|_| code.as_deref() == Some("usage_limit_exceeded")),
            code,
            kind: None,
            last: true,
        })
    }

    /// Of the windows that are used up, the one that is lifted last.
    fn note_limits(&mut self, limits: Option<&Value>) {
        let window = |name| {
            let window = limits?.get(name)?;
            let full = window.get("used_percent")?.as_f64()? >= 100.0;
            full.then(|| window.get("resets_at")?.as_i64()).flatten()
        };
        self.resets_at = window("primary").max(window("secondary"));
    }
}

/// What the user or the model said.
fn message(item: &Value) -> Option<Event> {
    let blocks = item.get("content")?.as_array()?;
    let words: Vec<&str> = blocks.iter().filter_map(|block| block.get("text")?.as_str()).collect();
    let said = words.join("\n");
    match text(item, "type") {
        "UserMessage" => Some(Event::UserMessage { text: said }),
        "AgentMessage" => Some(Event::AgentMessage { text: said }),
        _ => None,
    }
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn string(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}
