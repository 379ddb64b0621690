//! From the editor's words to a message, and from what was said to updates. Pure.

use posthouse_protocol::payload::Said;
use serde::Deserialize;
use serde_json::{Value, json};

/// A part of a prompt.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Block {
    /// Text.
    Text {
        /// It.
        text: String,
    },
    /// A file that the agent can look at itself.
    ResourceLink {
        /// Where it is.
        uri: String,
    },
    /// A file's contents.
    Resource {
        /// They.
        resource: Resource,
    },
    /// What a terminal can't be given.
    #[serde(other)]
    Other,
}

/// A file's contents.
#[derive(Debug, Deserialize)]
pub struct Resource {
    uri: String,
    text: Option<String>,
}

/// The message that a prompt becomes.
///
/// # Errors
/// If there is nothing in it that can be typed.
pub fn message(prompt: &[Block]) -> Result<String, String> {
    let mut text = String::new();
    for block in prompt {
        match block {
            Block::Text { text: part } => text.push_str(part),
            Block::ResourceLink { uri } => text.push_str(place(uri)),
            Block::Resource { resource: Resource { uri, text: Some(contents) } } => {
                text.push_str(&format!("\n{}:\n{contents}\n", place(uri)));
            }
            Block::Resource { resource: Resource { uri, text: None } } => text.push_str(place(uri)),
            Block::Other => {
                return Err(
                    "a session takes text and files; there are pictures or sound in the prompt".into()
                );
            }
        }
    }
    if text.trim().is_empty() { Err("the prompt is empty".to_owned()) } else { Ok(text) }
}

/// A file's path where it is one.
fn place(uri: &str) -> &str {
    uri.strip_prefix("file://").unwrap_or(uri)
}

/// Says what was said in a session, in the protocol's words.
#[derive(Debug, Default)]
pub struct Narrator {
    tools: u64,
    /// A tool that is told as still at work.
    open: Option<String>,
    /// The last thing told was the agent's own text.
    mid_text: bool,
}

impl Narrator {
    /// One thing that was said or done.
    pub fn tell(&mut self, said: &Said) -> Vec<Value> {
        let mut updates = self.settle();
        let after_text = std::mem::take(&mut self.mid_text);
        match said.role.as_str() {
            "agent" => {
                self.mid_text = true;
                // Editors join what follows one another.
                let gap = if after_text { "\n\n" } else { "" };
                updates.push(chunk("agent_message_chunk", &format!("{gap}{}", said.text)));
            }
            "user" => updates.push(chunk("user_message_chunk", &said.text)),
            "tool" => {
                self.tools += 1;
                let id = format!("tool-{}", self.tools);
                updates.push(json!({
                    "sessionUpdate": "tool_call", "toolCallId": id, "title": said.text, "kind": "other",
                    "status": "in_progress",
                }));
                self.open = Some(id);
            }
            _ => {}
        }
        updates
    }

    /// The turn is over.
    pub fn end_turn(&mut self) -> Vec<Value> {
        self.mid_text = false;
        self.settle()
    }

    /// The tool that was at work has ended: something followed it.
    fn settle(&mut self) -> Vec<Value> {
        let done =
            |id| json!({ "sessionUpdate": "tool_call_update", "toolCallId": id, "status": "completed" });
        self.open.take().map(done).into_iter().collect()
    }

    /// What a person has to know of the session.
    pub fn notice(&mut self, text: &str) -> Value {
        let gap = if std::mem::replace(&mut self.mid_text, true) { "\n\n" } else { "" };
        chunk("agent_message_chunk", &format!("{gap}Posthouse: {}", crate::escape::block(text)))
    }
}

fn chunk(kind: &str, text: &str) -> Value {
    json!({ "sessionUpdate": kind, "content": { "type": "text", "text": text } })
}

/// Without white space: harnesses wrap and indent what they record.
pub fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(role: &str, text: &str) -> Said {
        Said { role: role.into(), text: text.into() }
    }

    #[test]
    fn a_prompt_becomes_one_text() {
        let prompt: Vec<Block> = serde_json::from_value(json!([
            { "type": "text", "text": "look at " },
            { "type": "resource_link", "uri": "file:///src/a.rs", "name": "a.rs" },
            { "type": "resource", "resource": { "uri": "zed:///selection", "text": "let x = 1;" } },
        ]))
        .unwrap();
        assert_eq!(message(&prompt).unwrap(), "look at /src/a.rs\nzed:///selection:\nlet x = 1;\n");
        let picture = json!([{ "type": "image", "data": "", "mimeType": "image/png" }]);
        assert!(message(&serde_json::from_value::<Vec<Block>>(picture).unwrap()).is_err());
        assert!(message(&[]).is_err());
    }

    #[test]
    fn tools_end_before_what_follows_them() {
        let mut narrator = Narrator::default();
        let told: Vec<Value> =
            [said("agent", "a"), said("agent", "b"), said("tool", "Bash: ls"), said("agent", "c")]
                .iter()
                .flat_map(|said| narrator.tell(said))
                .collect();
        let kinds: Vec<&str> = told.iter().map(|told| told["sessionUpdate"].as_str().unwrap()).collect();
        let text = "agent_message_chunk";
        assert_eq!(kinds, [text, text, "tool_call", "tool_call_update", text]);
        assert_eq!(told[1]["content"]["text"], "\n\nb");
        assert_eq!(told[3]["toolCallId"], told[2]["toolCallId"]);
        assert_eq!(narrator.end_turn(), Vec::<Value>::new());
        assert_eq!(narrator.tell(&said("agent", "d"))[0]["content"]["text"], "d");
    }
}
