//! What a one-shot harness prints, pure: the objects among its lines, the answer in them, and its last words where it
//! printed none.

use std::collections::VecDeque;

use serde_json::Value;

use super::definition::AnswerRule;

/// Longer lines are passed over.
const MAX_LINE: usize = 1 << 20;
/// Of objects and of other lines, so many bytes of the end are kept.
const MAX_KEPT: usize = 64 << 10;
/// Most bytes of an answer; the rest is cut off.
pub const MAX_ANSWER: usize = 256 << 10;

/// What was printed.
#[derive(Debug, Default)]
pub struct Printed {
    rules: Vec<AnswerRule>,
    line: Vec<u8>,
    /// The line under way is too long.
    overlong: bool,
    frames: Tail,
    text: Tail,
    answer: Option<Answer>,
}

/// What the harness answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// There was more of it.
    pub cut: bool,
}

/// The last of many lines.
#[derive(Debug, Default)]
struct Tail {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Tail {
    fn push(&mut self, line: &str) {
        if line.len() > MAX_KEPT {
            return;
        }
        self.bytes += line.len();
        self.lines.push_back(line.to_owned());
        while self.bytes > MAX_KEPT {
            self.bytes -= self.lines.pop_front().map_or(0, |line| line.len());
        }
    }

    fn joined(&self) -> String {
        self.lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

impl Printed {
    /// Nothing yet, of a harness whose answers these rules find.
    pub fn new(rules: Vec<AnswerRule>) -> Self {
        Self { rules, ..Self::default() }
    }

    /// Takes output as it comes.
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (piece, after) = rest.split_at(end);
            self.extend(piece);
            self.end_line();
            rest = after.get(1..).unwrap_or_default();
        }
        self.extend(rest);
    }

    fn extend(&mut self, piece: &[u8]) {
        self.overlong |= self.line.len() + piece.len() > MAX_LINE;
        if self.overlong {
            self.line.clear();
        } else {
            self.line.extend_from_slice(piece);
        }
    }

    /// Takes what is there as a line: the output has ended.
    pub fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if !std::mem::take(&mut self.overlong) {
            self.line(String::from_utf8_lossy(&line).trim());
        }
    }

    /// Takes a whole line.
    pub fn line(&mut self, line: &str) {
        match serde_json::from_str::<Value>(line) {
            Ok(frame) if frame.is_object() => {
                self.look_for_answer(&frame);
                self.frames.push(line);
            }
            _ if line.is_empty() => {}
            _ => self.text.push(line),
        }
    }

    fn look_for_answer(&mut self, frame: &Value) {
        let fits = |rule: &&AnswerRule| {
            rule.when.iter().all(|(keys, wanted)| at(frame, keys).and_then(Value::as_str) == Some(wanted))
        };
        let Some(rule) = self.rules.iter().find(fits) else { return };
        let Some(text) = at(frame, &rule.at).and_then(Value::as_str) else { return };
        let mut answer = self.answer.take().filter(|_| rule.joins).unwrap_or_default();
        answer.add(text);
        self.answer = Some(answer);
    }

    /// The answer so far.
    pub fn answer(&self) -> Option<&Answer> {
        self.answer.as_ref()
    }

    /// The last objects, oldest first.
    pub fn frames(&self) -> impl Iterator<Item = &str> {
        self.frames.lines.iter().map(String::as_str)
    }

    /// The last objects, a line each; `None` if there were none.
    pub fn all_frames(&self) -> Option<String> {
        (!self.frames.lines.is_empty()).then(|| self.frames.joined())
    }

    /// The last lines that are no objects.
    pub fn words(&self) -> String {
        self.text.joined()
    }
}

impl Answer {
    fn add(&mut self, text: &str) {
        let room = MAX_ANSWER.saturating_sub(self.text.len());
        let fits = text.floor_char_boundary(room);
        self.text.push_str(text.get(..fits).unwrap_or_default());
        self.cut |= fits < text.len();
    }
}

/// What is under `keys`, with dots between them.
fn at<'a>(frame: &'a Value, keys: &str) -> Option<&'a Value> {
    keys.split('.').try_fold(frame, |value, key| value.get(key))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::catalog::Catalog;
    use super::*;

    fn printed(harness: &str, output: &[u8], piece: usize) -> Printed {
        let definition = Catalog::builtin().unwrap().get(harness).unwrap();
        let mut printed = Printed::new(definition.one_shot.clone().unwrap().answers);
        output.chunks(piece).for_each(|bytes| printed.feed(bytes));
        printed.end_line();
        printed
    }

    fn answer(harness: &str, output: &str) -> Option<String> {
        printed(harness, output.as_bytes(), 7).answer().map(|answer| answer.text.clone())
    }

    #[test]
    fn each_harness_says_its_answer_in_its_own_way() {
        let codex = concat!(
            "Reading additional input from stdin...\r\n",
            r#"{"type":"item.completed","item":{"type":"agent_message","text":"first"}}"#,
            "\r\n",
            r#"{"type":"item.completed","item":{"type":"command_execution","text":"no"}}"#,
            "\r\n",
            r#"{"type":"item.completed","item":{"type":"agent_message","text":"last ü"}}"#,
            "\r\n",
        );
        assert_eq!(answer("codex", codex).as_deref(), Some("last ü"));
        let claude = r#"{"type":"assistant","message":{}}
            {"type":"result","subtype":"success","result":"done"}"#;
        assert_eq!(answer("claude", claude).as_deref(), Some("done"));
        let gemini = r#"{"type":"message","role":"user","content":"ask"}
            {"type":"message","role":"assistant","content":"in ","delta":true}
            {"type":"message","role":"assistant","content":"two parts","delta":true}"#;
        assert_eq!(answer("gemini", gemini).as_deref(), Some("in two parts"));
        let opencode = r#"{"type":"text","part":{"type":"text","text":"here"}}"#;
        assert_eq!(answer("opencode", opencode).as_deref(), Some("here"));
        assert_eq!(answer("codex", "no object at all"), None);
    }

    #[test]
    fn what_is_too_much_is_cut_and_said_to_be() {
        let long = "é".repeat(MAX_ANSWER);
        let line = serde_json::json!({"type": "result", "result": long}).to_string();
        let printed = printed("claude", line.as_bytes(), 4096);
        let answer = printed.answer().unwrap();
        assert!(answer.cut && answer.text.len() <= MAX_ANSWER);
        assert_eq!(printed.all_frames(), None, "a frame as long as that is not kept");
    }

    proptest! {
        /// However output is cut into pieces, and whatever it is: the same is read, and no more than the bound is kept.
        #[test]
        fn pieces_make_no_difference(output in prop::collection::vec(any::<u8>(), 0..2000), piece in 1usize..50) {
            let whole = printed("codex", &output, 5000);
            let pieces = printed("codex", &output, piece);
            prop_assert_eq!(whole.words(), pieces.words());
            prop_assert_eq!(whole.all_frames(), pieces.all_frames());
            prop_assert!(whole.words().len() <= MAX_KEPT + 2000);
        }
    }
}
