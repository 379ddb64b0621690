//! Follows one conversation file as it grows.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::claude::Conversation;
use super::codex::Rollout;
use super::{Event, Lines};
use crate::harness::definition::TranscriptKind;
use crate::harness::error::HarnessError;

/// Most bytes read by one poll; the rest waits for the next.
const POLL_BYTES: u64 = 4 * 1024 * 1024;

/// A longer line is passed over: a tool's output, never a message.
pub(super) const LONGEST_LINE: usize = 16 * 1024 * 1024;

/// Reads a conversation file from an offset on, line by line. A line that is still being written is kept until
/// it is whole.
pub struct Tail {
    path: PathBuf,
    lines: Box<dyn Lines>,
    offset: u64,
    partial: Vec<u8>,
    skipping: bool,
}

impl Tail {
    /// Follows `path` from the byte `offset`, the start of a line. `None` for a harness whose files aren't known.
    pub fn new(kind: TranscriptKind, path: &Path, offset: u64) -> Option<Self> {
        let lines = lines_of(kind)?;
        Some(Self { path: path.to_owned(), lines, offset, partial: Vec::new(), skipping: false })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the first line that was not read yet begins: the place to go on from after a restart.
    pub fn line_offset(&self) -> u64 {
        self.offset - self.partial.len() as u64
    }

    /// Reads what was added since the last poll, up to 4 MiB. Blocks only as long as the disk does.
    ///
    /// A file that became shorter was rewritten by its harness; reading goes on at its new end, since old
    /// messages must not be taken for new ones.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn poll(&mut self) -> Result<Vec<Event>, HarnessError> {
        let fail = |source| HarnessError::Home { action: "read", path: self.path.clone(), source };
        let mut file = File::open(&self.path).map_err(fail)?;
        let length = file.metadata().map_err(fail)?.len();
        if length < self.offset {
            self.offset = length;
            self.partial.clear();
            self.skipping = false;
        }
        let mut added = Vec::new();
        if length > self.offset {
            file.seek(SeekFrom::Start(self.offset)).map_err(fail)?;
            file.take(POLL_BYTES).read_to_end(&mut added).map_err(fail)?;
        }
        self.offset += added.len() as u64;
        Ok(self.split(&added))
    }

    fn split(&mut self, added: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for piece in added.split_inclusive(|byte| *byte == b'\n') {
            if !self.skipping {
                self.partial.extend_from_slice(piece);
            }
            if let Some(line) = self.partial.strip_suffix(b"\n") {
                self.lines.read(line, &mut events);
            }
            if piece.ends_with(b"\n") {
                self.partial.clear();
                self.skipping = false;
            } else if self.partial.len() > LONGEST_LINE {
                self.partial.clear();
                self.skipping = true;
            }
        }
        events
    }
}

/// What reads the lines of this kind of file; `None` for a harness whose files aren't known.
pub(super) fn lines_of(kind: TranscriptKind) -> Option<Box<dyn Lines>> {
    match kind {
        TranscriptKind::None => None,
        TranscriptKind::Codex => Some(Box::<Rollout>::default()),
        TranscriptKind::Claude => Some(Box::<Conversation>::default()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::super::ApiError;
    use super::*;

    /// A conversation recorded from the real program, at `tests/data/transcripts`.
    fn recorded(name: &str) -> Vec<u8> {
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/transcripts").join(name)).unwrap()
    }

    fn events(kind: TranscriptKind, bytes: &[u8]) -> Vec<Event> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.jsonl");
        fs::write(&path, bytes).unwrap();
        Tail::new(kind, &path, 0).unwrap().poll().unwrap()
    }

    #[test]
    fn codex_tells_of_messages_tools_and_typed_failures() {
        insta::assert_debug_snapshot!(
            "codex_tool",
            events(TranscriptKind::Codex, &recorded("codex.tool.jsonl"))
        );
        insta::assert_debug_snapshot!(
            "codex_usage_limit",
            events(TranscriptKind::Codex, &recorded("codex.usage_limit.jsonl"))
        );
        insta::assert_debug_snapshot!(
            "codex_401",
            events(TranscriptKind::Codex, &recorded("codex.auth_401.jsonl"))
        );
    }

    #[test]
    fn claude_tells_of_messages_tools_and_typed_failures() {
        insta::assert_debug_snapshot!(
            "claude_tool",
            events(TranscriptKind::Claude, &recorded("claude.tool.jsonl"))
        );
        insta::assert_debug_snapshot!(
            "claude_usage_limit",
            events(TranscriptKind::Claude, &recorded("claude.usage_limit.jsonl"))
        );
        insta::assert_debug_snapshot!(
            "claude_403",
            events(TranscriptKind::Claude, &recorded("claude.auth_403.jsonl"))
        );
    }

    #[test]
    fn a_line_counts_once_it_is_whole_and_only_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.jsonl");
        let mut file = fs::File::create(&path).unwrap();
        let mut tail = Tail::new(TranscriptKind::Claude, &path, 0).unwrap();
        let line = br#"{"type":"user","sessionId":"s-1","message":{"role":"user","content":"hi"}}"#;
        file.write_all(&line[..30]).unwrap();
        assert_eq!(tail.poll().unwrap(), []);
        assert_eq!(tail.line_offset(), 0);
        file.write_all(&line[30..]).unwrap();
        file.write_all(b"\n{\"type\":\"sys").unwrap();
        let told =
            [Event::SessionId("s-1".into()), Event::TurnStarted, Event::UserMessage { text: "hi".into() }];
        assert_eq!(tail.poll().unwrap(), told);
        assert_eq!(tail.line_offset(), line.len() as u64 + 1);
        assert_eq!(tail.poll().unwrap(), []);

        let mut again = Tail::new(TranscriptKind::Claude, &path, tail.line_offset()).unwrap();
        file.write_all(b"tem\",\"subtype\":\"turn_duration\"}\n").unwrap();
        assert_eq!(again.poll().unwrap(), [Event::TurnEnded { aborted: false }]);

        fs::write(&path, "{}\n").unwrap();
        assert_eq!(again.poll().unwrap(), [], "a rewritten file is not read again");
    }

    #[test]
    fn a_subagents_lines_and_quoted_errors_are_not_the_conversations() {
        let lines = concat!(
            r#"{"type":"user","isSidechain":true,"message":{"content":"sub"}}"#,
            "\n",
            r#"{"type":"user","isMeta":true,"message":{"content":"caveat"}}"#,
            "\n",
            r#"{"type":"assistant","message":{"content":[{"type":"text","text":"API Error: 401 {\"isApiErrorMessage\":true}"}]}}"#,
            "\n",
            r#"{"type":"user","message":{"content":[{"type":"tool_result","content":"Please run /login"}]}}"#,
            "\n",
        );
        let quoted = Event::AgentMessage { text: r#"API Error: 401 {"isApiErrorMessage":true}"#.into() };
        assert_eq!(events(TranscriptKind::Claude, lines.as_bytes()), [quoted]);
        let lines = concat!(
            r#"{"type":"response_item","payload":{"type":"message","role":"assistant","content":[{"type":"output_text","text":"\"task_complete\" error"}]}}"#,
            "\n",
            r#"{"type":"event_msg","payload":{"type":"item_completed","item":{"type":"AgentMessage","content":[{"type":"Text","text":"usage_limit_exceeded"}]}}}"#,
            "\n",
        );
        let quoted = Event::AgentMessage { text: "usage_limit_exceeded".into() };
        assert_eq!(events(TranscriptKind::Codex, lines.as_bytes()), [quoted]);
    }

    #[test]
    fn the_window_that_is_lifted_last_gives_the_reset_time() {
        let line = |primary: f64, secondary: f64| {
            format!(
                "{{\"type\":\"event_msg\",\"payload\":{{\"type\":\"token_count\",\"rate_limits\":{{\"primary\":{{\"used_percent\":{primary},\"resets_at\":100}},\"secondary\":{{\"used_percent\":{secondary},\"resets_at\":900}}}}}}}}\n{}\n",
                r#"{"type":"event_msg","payload":{"type":"task_complete","error":{"message":"m","codex_error_info":"usage_limit_exceeded"}}}"#
            )
        };
        for (primary, secondary, expected) in
            [(100.0, 40.0, Some(100)), (100.0, 100.0, Some(900)), (12.0, 40.0, None)]
        {
            let told = events(TranscriptKind::Codex, line(primary, secondary).as_bytes());
            let Some(Event::ApiError(ApiError { resets_at, .. })) = told.first() else { panic!("{told:?}") };
            assert_eq!(*resets_at, expected);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            events(TranscriptKind::Codex, &bytes);
            events(TranscriptKind::Claude, &bytes);
        }
    }
}
