//! What a successful reply says, before a protocol gives it a shape.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::conversation::Conversation;
use super::directive::Directives;

/// How often a slow reply sends another piece.
const BEAT: Duration = Duration::from_millis(200);
/// How much of the user's text the default reply quotes, in characters.
const QUOTE: usize = 200;

/// A reply to be.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    /// The pieces of the text, each sent `pause` after the one before.
    pub pieces: Vec<String>,
    /// The time between two pieces.
    pub pause: Duration,
    /// A shell command to call instead of saying the text.
    pub command: Option<String>,
}

impl Plan {
    /// Plans the reply to `conversation`; `over` and `command` are the scenario's, the prompt's directives go first.
    pub(super) fn new(
        conversation: &Conversation,
        body: &Value,
        over: Duration,
        command: Option<String>,
    ) -> Self {
        if let Some(schema) = body.pointer("/text/format/schema").filter(|_| conversation.side_request) {
            return Self { pieces: vec![sample(schema)], pause: Duration::ZERO, command: None };
        }
        let newest = conversation.newest_user_blocks();
        let asked = Directives::read(&newest.join("\n"));
        let count = conversation.user_blocks().count();
        let text = asked.say.unwrap_or_else(|| {
            let last = newest.last().copied().unwrap_or_default();
            let skip = last.chars().count().saturating_sub(QUOTE);
            format!("ACK users={count} last={}", Value::from(last.chars().skip(skip).collect::<String>()))
        });
        let command = asked.tool.or(command).filter(|_| !conversation.after_tool());
        let over = asked.slow.unwrap_or(over);
        let beats = (over.as_millis() / BEAT.as_millis()) as u32;
        let mut pieces: Vec<String> = (0..beats).map(|beat| format!("piece {beat} ")).collect();
        pieces.push(text);
        Self { pause: over / pieces.len() as u32, pieces, command }
    }

    /// The whole text.
    pub(super) fn text(&self) -> String {
        self.pieces.concat()
    }
}

/// The smallest JSON text that a schema of string fields accepts.
fn sample(schema: &Value) -> String {
    let fields = schema.get("properties").and_then(Value::as_object);
    let filled = fields.into_iter().flatten().map(|(name, _)| (name.clone(), json!("mock")));
    Value::Object(filled.collect::<Map<_, _>>()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::conversation::{Role, Utterance};

    fn asking(text: &str) -> Conversation {
        let utterances = vec![Utterance { role: Role::User, blocks: vec![text.to_owned()] }];
        Conversation { utterances, ..Conversation::default() }
    }

    #[test]
    fn the_default_reply_quotes_the_newest_text() {
        let plan = Plan::new(&asking("a\"b"), &Value::Null, Duration::ZERO, None);
        assert_eq!(plan.text(), r#"ACK users=1 last="a\"b""#);
        assert_eq!(plan.pieces.len(), 1);
    }

    #[test]
    fn directives_outrank_the_scenario() {
        let plan = Plan::new(
            &asking("MOCK:slow=1\nMOCK:say=hi"),
            &Value::Null,
            Duration::from_secs(60),
            Some("touch x".into()),
        );
        assert_eq!((plan.pieces.len(), plan.pieces.last().unwrap().as_str()), (6, "hi"));
        assert!(plan.pause * 6 <= Duration::from_secs(1));
        assert_eq!(plan.command.as_deref(), Some("touch x"));
    }
}
