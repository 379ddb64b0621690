//! What a model call carries, reduced to who said which texts.

use serde::Serialize;
use serde_json::Value;

use super::endpoint::Endpoint;

/// Who speaks in an utterance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The person, or the harness in the person's name.
    User,
    /// The model.
    Assistant,
    /// The harness's own instructions.
    System,
    /// The output of a tool.
    Tool,
}

/// One item of a conversation with its text blocks, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Utterance {
    /// Who speaks.
    pub role: Role,
    /// The text blocks in order; harnesses put their own notes in blocks of their own.
    pub blocks: Vec<String>,
}

/// The whole conversation of one model call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Conversation {
    /// In the order in which the harness sent them.
    pub utterances: Vec<Utterance>,
    /// The names of the tools on offer.
    pub tools: Vec<String>,
    /// A reply in JSON of a given schema is wanted: the harness asks for itself (a title, say), not for the user.
    pub side_request: bool,
}

impl Conversation {
    /// Reads the body of a call to `endpoint`; what it can't read it leaves out.
    pub(super) fn read(endpoint: Endpoint, body: &Value) -> Self {
        match endpoint {
            Endpoint::Responses => Self::of_responses(body),
            Endpoint::Messages => Self::of_messages(body),
            _ => Self::default(),
        }
    }

    /// All text blocks the user said, oldest first.
    pub fn user_blocks(&self) -> impl Iterator<Item = &str> {
        self.utterances.iter().filter(|u| u.role == Role::User).flat_map(|u| &u.blocks).map(String::as_str)
    }

    /// The user's text blocks since the model last spoke or called a tool.
    pub fn newest_user_blocks(&self) -> Vec<&str> {
        let start = self.utterances.iter().rposition(|u| u.role == Role::Assistant).map_or(0, |at| at + 1);
        let newest = self.utterances.get(start..).unwrap_or_default();
        newest.iter().filter(|u| u.role == Role::User).flat_map(|u| &u.blocks).map(String::as_str).collect()
    }

    /// Whether the call hands the model the output of a tool it asked for.
    pub fn after_tool(&self) -> bool {
        self.utterances.iter().rev().take_while(|u| u.role != Role::Assistant).any(|u| u.role == Role::Tool)
    }

    fn of_responses(body: &Value) -> Self {
        let mut read =
            Self { side_request: body.pointer("/text/format/schema").is_some(), ..Self::default() };
        read.offer(body.get("tools"));
        for item in items(body.get("input")) {
            let kind = item.get("type").and_then(Value::as_str).unwrap_or("message");
            match kind {
                "message" => read.say(role(item), texts(item.get("content"))),
                "additional_tools" => read.offer(item.get("tools")),
                _ if kind.ends_with("_output") => read.say(Role::Tool, texts(item.get("output"))),
                _ if kind.ends_with("_call") || kind == "reasoning" => read.say(Role::Assistant, Vec::new()),
                _ => {}
            }
        }
        read
    }

    fn of_messages(body: &Value) -> Self {
        let mut read =
            Self { side_request: body.pointer("/output_config/format").is_some(), ..Self::default() };
        read.offer(body.get("tools"));
        for message in items(body.get("messages")) {
            let content = message.get("content");
            for block in items(content).filter(|block| kind(block) == Some("tool_result")) {
                read.say(Role::Tool, texts(block.get("content")));
            }
            let blocks = texts(content);
            if !blocks.is_empty() || role(message) == Role::Assistant {
                read.say(role(message), blocks);
            }
        }
        read
    }

    fn say(&mut self, role: Role, blocks: Vec<String>) {
        self.utterances.push(Utterance { role, blocks });
    }

    /// Adds the names of offered tools, also those inside a namespace.
    fn offer(&mut self, tools: Option<&Value>) {
        for tool in items(tools) {
            match tool.get("tools") {
                Some(inner) => self.offer(Some(inner)),
                None => self.tools.extend(tool.get("name").and_then(Value::as_str).map(str::to_owned)),
            }
        }
    }
}

fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn kind(value: &Value) -> Option<&str> {
    value.get("type")?.as_str()
}

fn role(message: &Value) -> Role {
    match message.get("role").and_then(Value::as_str) {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        _ => Role::System,
    }
}

/// The text blocks of a content value, which may also be one bare string.
fn texts(content: Option<&Value>) -> Vec<String> {
    match content {
        Some(Value::String(text)) => vec![text.clone()],
        content => {
            items(content).filter_map(|block| block.get("text")?.as_str()).map(str::to_owned).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn responses_input_is_read() {
        let body = json!({"input": [
            {"type": "additional_tools", "tools": [{"type": "namespace", "tools": [{"name": "exec"}]}]},
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "rules"}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "one"}]},
            {"type": "custom_tool_call", "name": "exec"},
            {"type": "custom_tool_call_output", "output": "done"},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": " two\n"}]},
        ]});
        let read = Conversation::read(Endpoint::Responses, &body);
        assert_eq!(read.tools, ["exec"]);
        assert_eq!(read.user_blocks().collect::<Vec<_>>(), ["one", " two\n"]);
        assert_eq!(read.newest_user_blocks(), [" two\n"]);
        assert!(read.after_tool() && !read.side_request);
    }

    #[test]
    fn messages_are_read_block_by_block() {
        let body = json!({"tools": [{"name": "Bash"}], "messages": [
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": [{"type": "tool_use", "name": "Bash"}]},
            {"role": "user", "content": [
                {"type": "tool_result", "content": "out"}, {"type": "text", "text": "note"}, {"type": "text", "text": "two"},
            ]},
        ]});
        let read = Conversation::read(Endpoint::Messages, &body);
        assert_eq!(read.newest_user_blocks(), ["note", "two"]);
        assert!(read.after_tool());
        assert_eq!(read.utterances[2].role, Role::Tool);
    }
}
