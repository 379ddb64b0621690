//! One thing to be typed into a harness: a message with its header line, an operator's plain text, or a
//! sentence of the house's own.

use std::time::Instant;

use posthouse_protocol::When;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::header::{Header, MarkKey};
use crate::post::command::Injection;

/// Most characters of a plain text that are looked for on the screen.
const SOUGHT_LENGTH: usize = 40;

/// One thing to be typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// The message's id, or the house's own for this prompt.
    pub id: Uuid,
    /// Who wants it typed.
    pub source: Source,
    /// Everything that is typed before Enter.
    pub text: String,
    /// The mark of its header line; `None` for text that stands alone.
    pub mark: Option<String>,
    /// What gives it away on a screen or in a conversation, without white space.
    pub sought: String,
    /// When it may be typed.
    pub when: When,
    /// It is not to be started after this. What is submitted again has none.
    #[serde(skip)]
    pub deadline: Option<Instant>,
    /// Counts submissions, from 1: the one that is next or under way.
    pub attempt: u32,
    /// Scripts of this attempt that ended before their first byte.
    #[serde(default)]
    pub unused_scripts: u32,
}

/// Who wants something typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A message, whose sender hears of every step.
    Message,
    /// A message whose receipt has ended and that is submitted again on another mount.
    Resubmission,
    /// The house itself; nobody hears of it.
    House,
}

impl Prompt {
    /// A message as it is typed: header line, then the body unchanged; an operator's plain text stands alone.
    pub fn of_message(injection: &Injection, key: &MarkKey, deadline: Option<Instant>) -> Self {
        let (text, mark, sought) = if injection.plain {
            (injection.body.clone(), None, opening(&injection.body))
        } else {
            let mark = key.mark(injection.message);
            let header = Header {
                from: &injection.from,
                to: injection.original_to.as_deref(),
                thread: injection.thread.as_deref(),
                expects_answer: injection.expects_answer,
                message: injection.message,
                mark: &mark,
            };
            (format!("{header}\n{}", injection.body), Some(mark.clone()), mark)
        };
        Self {
            id: injection.message,
            source: Source::Message,
            text,
            mark,
            sought,
            when: injection.when,
            deadline,
            attempt: 1,
            unused_scripts: 0,
        }
    }

    /// A sentence of the house's own, typed once the harness is ready.
    pub fn of_house(id: Uuid, text: String) -> Self {
        let sought = opening(&text);
        Self {
            id,
            source: Source::House,
            text,
            mark: None,
            sought,
            when: When::Idle,
            deadline: None,
            attempt: 1,
            unused_scripts: 0,
        }
    }

    /// The same, to be submitted once more on another mount.
    pub fn again(self, ended: bool) -> Self {
        let source = match self.source {
            Source::Message if ended => Source::Resubmission,
            source => source,
        };
        Self { source, attempt: self.attempt.saturating_add(1), unused_scripts: 0, deadline: None, ..self }
    }

    /// All but what is typed.
    pub fn without_text(&self) -> Self {
        Self { text: String::new(), mark: self.mark.clone(), sought: self.sought.clone(), ..*self }
    }
}

/// `text` without white space: what a harness wraps and indents still matches.
pub fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

fn opening(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).take(SOUGHT_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn injection(body: &str, plain: bool) -> Injection {
        Injection { plain, ..Injection::sample(body) }
    }

    #[test]
    fn the_body_follows_the_header_unchanged() {
        let key = MarkKey::new([0; 32]);
        let body = "/not a command\n\n  two\tlines ";
        let prompt = Prompt::of_message(&injection(body, false), &key, None);
        let (header, rest) = prompt.text.split_once('\n').unwrap();
        assert_eq!(rest, body);
        assert!(header.starts_with("[posthouse from=alice id=") && header.contains(&prompt.sought));
    }

    #[test]
    fn plain_text_stands_alone() {
        let prompt = Prompt::of_message(&injection("/compact now", true), &MarkKey::new([0; 32]), None);
        assert_eq!((prompt.text.as_str(), prompt.sought.as_str()), ("/compact now", "/compactnow"));
    }
}
