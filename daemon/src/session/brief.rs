//! The words with which the house hands work over: to a resumed conversation, or to a fresh harness that knows nothing
//! of what was done so far.

use std::collections::VecDeque;
use std::path::Path;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::injection::prompt::Prompt;

/// Messages that are remembered for a brief.
const MESSAGES: usize = 12;
/// Most characters of one of them.
const MESSAGE_LENGTH: usize = 1_000;
/// Most characters of the old screen.
pub const SCREEN_LENGTH: usize = 3_000;

/// What is said to a resumed conversation whose turn was cut off after it had begun to work.
pub fn go_on(why: &str) -> String {
    format!(
        "[posthouse] The turn before was cut off ({}). You run on another account now. Go on where you stopped; check first what has been done already, so that nothing is done twice.",
        one_line(why)
    )
}

/// The messages that a session was given, as far as a brief needs them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard(VecDeque<(Uuid, String)>);

impl Heard {
    /// A prompt was submitted.
    pub fn add(&mut self, prompt: &Prompt) {
        self.forget(prompt.id);
        if self.0.len() == MESSAGES {
            self.0.pop_front();
        }
        self.0.push_back((prompt.id, cut(&prompt.text, MESSAGE_LENGTH)));
    }

    /// A prompt will be submitted again, so that nobody has to be told of it.
    pub fn forget(&mut self, prompt: Uuid) {
        self.0.retain(|(heard, _)| *heard != prompt);
    }
}

/// What a harness has to know to take over.
#[derive(Clone, Copy, Debug)]
pub struct Handover<'a> {
    /// The session.
    pub session: &'a str,
    /// What it ran on.
    pub from: &'a str,
    /// Why it does no longer.
    pub why: &'a str,
    /// Where it works.
    pub cwd: &'a Path,
    /// The first prompt.
    pub task: Option<&'a str>,
    /// What it was given.
    pub heard: &'a Heard,
    /// What it said last in its conversation.
    pub said: &'a str,
    /// What its screen showed last.
    pub screen: &'a str,
    /// What is changed in the working directory.
    pub tree: &'a str,
    /// Whether there is nothing to go on with just now.
    pub idle: bool,
}

impl Handover<'_> {
    /// The brief: text that may be typed.
    pub fn brief(&self) -> String {
        let mut text = format!(
            "[posthouse] You take over the session \"{}\" from an agent on {} that had to stop: {}. Your working directory, {}, is the one it worked in. Look at what is there before you do anything, so that nothing is done twice.",
            self.session,
            self.from,
            one_line(self.why),
            one_line(&self.cwd.to_string_lossy()),
        );
        if let Some(task) = self.task {
            text.push_str(&format!("\n\nIts task was:\n{}", cut(task, MESSAGE_LENGTH)));
        }
        if !self.heard.0.is_empty() {
            text.push_str("\n\nIt was told, oldest first:");
            for (_, message) in &self.heard.0 {
                text.push_str(&format!("\n---\n{message}"));
            }
            text.push_str("\n---");
        }
        if !self.said.trim().is_empty() {
            text.push_str(&format!("\n\nIt said last:\n{}", self.said.trim()));
        }
        if !self.screen.trim().is_empty() {
            text.push_str(&format!("\n\nIts screen showed last:\n{}", last(self.screen, SCREEN_LENGTH)));
        }
        if !self.tree.is_empty() {
            text.push_str(&format!("\n\nThe working directory's version control says:\n{}", self.tree));
        }
        text.push_str(match self.idle {
            true => {
                "\n\nNothing is left to do just now. Answer with one short line, do nothing else, and wait for the next message."
            }
            false => {
                "\n\nWhat it had not begun follows as messages of its own. If none follows, go on with its work."
            }
        });
        plain(&text)
    }
}

fn cut(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((at, _)) => format!("{} […]", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The end of a text: at most `length` characters.
pub fn last(text: &str, length: usize) -> String {
    let skip = text.chars().count().saturating_sub(length);
    text.chars().skip(skip).collect()
}

fn one_line(text: &str) -> String {
    plain(text).replace(['\n', '\t'], " ")
}

/// Only what may be typed.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::typable::typable;

    #[test]
    fn a_brief_tells_what_a_successor_must_know() {
        let mut heard = Heard::default();
        for (at, text) in ["fix the tests", "and\x1b[201~ the docs", "once more"].into_iter().enumerate() {
            heard.add(&Prompt::of_house(Uuid::from_u128(at as u128), text.to_owned()));
        }
        heard.forget(Uuid::from_u128(2));
        let handover = Handover {
            session: "alice",
            from: "codex@openai/work",
            why: "usage limit\nreached",
            cwd: Path::new("/work"),
            task: Some("keep the build green"),
            heard: &heard,
            said: "The tests pass; the docs are next.\n",
            screen: "• Ran cargo test\n  3 failed",
            tree: "## main\n M src/lib.rs",
            idle: false,
        };
        let brief = handover.brief();
        assert_eq!(typable(&brief), Ok(()));
        insta::assert_snapshot!(brief);
    }

    #[test]
    fn going_on_is_one_line() {
        assert!(!go_on("a\nb").contains('\n'));
    }
}
