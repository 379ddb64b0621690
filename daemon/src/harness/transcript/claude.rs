//! Claude's conversation files: lines of `{type, message, …}`, one file for each session id.

use serde::Deserialize;
use serde_json::Value;

use super::{ApiError, Event, Lines, tool};

/// What an interrupted turn leaves as a message of the user's.
const INTERRUPTED: &str = "[Request interrupted by user";

/// Reads a conversation. Tells its id once.
#[derive(Debug, Default)]
pub struct Conversation {
    told_id: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    subtype: String,
    #[serde(default)]
    operation: String,
    session_id: Option<String>,
    /// Lines of a subagent's own conversation.
    #[serde(default)]
    is_sidechain: bool,
    /// Lines that claude wrote in the user's name.
    #[serde(default)]
    is_meta: bool,
    message: Option<Message>,
    content: Option<Value>,
    attachment: Option<Value>,
    error: Option<Value>,
    #[serde(default)]
    is_api_error_message: bool,
    api_error: Option<String>,
    api_error_code: Option<String>,
    api_error_status: Option<u16>,
    api_error_type: Option<String>,
    quota_limits: Option<Value>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Value,
}

impl Lines for Conversation {
    fn read(&mut self, line: &[u8], events: &mut Vec<Event>) {
        let Ok(mut line) = serde_json::from_slice::<Line>(line) else { return };
        if let (false, Some(id)) = (self.told_id, line.session_id.take()) {
            self.told_id = true;
            events.push(Event::SessionId(id));
        }
        if line.is_sidechain {
            return;
        }
        match (line.kind.as_str(), line.subtype.as_str()) {
            ("user", _) if !line.is_meta => user(&line, events),
            ("assistant", _) if line.is_api_error_message => events.push(Event::ApiError(last_error(line))),
            ("assistant", _) => events.extend(blocks(&line).iter().filter_map(said)),
            ("queue-operation", _) if line.operation == "enqueue" => {
                let text = line.content.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
                events.push(Event::Queued { text });
            }
            ("attachment", _) => events.extend(line.attachment.as_ref().and_then(queued)),
            ("system", "turn_duration") => events.push(Event::TurnEnded { aborted: false }),
            ("system", "api_error") => events.extend(line.error.as_ref().map(retried).map(Event::ApiError)),
            _ => {}
        }
    }
}

fn user(line: &Line, events: &mut Vec<Event>) {
    let blocks = blocks(line);
    if blocks.iter().any(|block| kind(block) == "tool_result") {
        return;
    }
    let text = text_of(line);
    if text.starts_with(INTERRUPTED) {
        events.push(Event::TurnEnded { aborted: true });
    } else if !text.is_empty() {
        events.push(Event::TurnStarted);
        events.push(Event::UserMessage { text });
    }
}

/// A block of the model's answer.
fn said(block: &Value) -> Option<Event> {
    let text = |value: &Value, name: &str| value.get(name)?.as_str().map(str::to_owned);
    match kind(block) {
        "text" => {
            text(block, "text").filter(|text| !text.is_empty()).map(|text| Event::AgentMessage { text })
        }
        "tool_use" => {
            let input = block.get("input");
            let on = ["command", "file_path", "path", "pattern", "url", "description"];
            let on = on.iter().find_map(|name| text(input?, name));
            Some(Event::ToolUsed { what: tool(&text(block, "name").unwrap_or_default(), on.as_deref()) })
        }
        _ => None,
    }
}

/// A message that was typed during a turn and given to the model together with a tool's result.
fn queued(attachment: &Value) -> Option<Event> {
    let text =
        (kind(attachment) == "queued_command").then(|| attachment.get("prompt")?.as_str()).flatten()?;
    Some(Event::UserMessage { text: text.to_owned() })
}

/// A failure after which claude tries again.
fn retried(error: &Value) -> ApiError {
    let status = error.get("status").and_then(Value::as_u64).and_then(|s| u16::try_from(s).ok());
    let text = error.get("formatted").or_else(|| error.get("message")).and_then(Value::as_str);
    ApiError { text: text.unwrap_or_default().to_owned(), status, ..ApiError::default() }
}

fn last_error(line: Line) -> ApiError {
    let class = line.error.as_ref().and_then(Value::as_str).map(str::to_owned);
    let quota = line.quota_limits.as_ref();
    let rejected = quota.and_then(|q| q.get("status")).and_then(Value::as_str) == Some("rejected");
    let resets_at = quota.filter(|_| rejected).and_then(|q| q.get("resetsAt")).and_then(Value::as_i64);
    ApiError {
        text: text_of(&line),
        status: line.api_error_status,
        code: line.api_error_code.or(line.api_error).or(class),
        kind: line.api_error_type,
        resets_at,
        last: true,
    }
}

fn blocks(line: &Line) -> &[Value] {
    line.message.as_ref().and_then(|m| m.content.as_array()).map_or(&[], Vec::as_slice)
}

fn text_of(line: &Line) -> String {
    match line.message.as_ref().map(|m| &m.content) {
        Some(Value::String(text)) => text.clone(),
        _ => {
            blocks(line).iter().filter_map(|block| block.get("text")?.as_str()).collect::<Vec<_>>().join("\n")
        }
    }
}

fn kind(value: &Value) -> &str {
    value.get("type").and_then(Value::as_str).unwrap_or_default()
}
