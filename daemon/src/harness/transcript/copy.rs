//! Carries a conversation to another home of the same harness, so that it can be resumed there by its id.

use std::fs;
use std::path::{Path, PathBuf};

use super::claude::Conversation;
use super::codex::Rollout;
use super::{Event, Lines, find};
use crate::harness::definition::TranscriptKind;
use crate::harness::error::HarnessError;
use crate::harness::home::{make_dir, write_private};

/// A conversation in another home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The file there.
    pub path: PathBuf,
    /// Whether the message to be cut is no longer in it: it must be submitted again.
    pub cut: bool,
    /// Whether any message of the user's is left. If not, there is nothing to resume: begin a new conversation.
    pub has_history: bool,
}

/// Copies the conversation `id` from one home to the same place in another.
///
/// The source's run must be gone. A last line that was cut off by its end is left out. With `before`, the copy
/// ends before the last turn whose message contains that text, so that a turn that failed before it did anything
/// can be submitted again without the model seeing its message twice. The source is never changed: where both
/// homes share the file, nothing is cut.
///
/// Without a cut, a copy that is there already stays if it holds all of the source, since the conversation may
/// have gone on in that home; otherwise it is replaced as a whole.
///
/// # Errors
/// When there is no such conversation, or a file can't be read or written.
pub fn conversation(
    kind: TranscriptKind,
    id: &str,
    from: &Path,
    to: &Path,
    before: Option<&str>,
) -> Result<Copied, HarnessError> {
    let missing =
        || HarnessError::HomeContent { path: from.to_owned(), why: format!("it has no conversation {id}") };
    let source = find::by_id(kind, from, id).ok_or_else(missing)?;
    let path = to.join(source.strip_prefix(from).map_err(|_| missing())?);
    let read = |path: &Path| {
        fs::read(path).map_err(|source| HarnessError::Home { action: "read", path: path.to_owned(), source })
    };
    let mut lines = read(&source)?;
    lines.truncate(lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1));
    let turns = turns(kind, &lines);
    if fs::canonicalize(&source).ok() == fs::canonicalize(&path).ok() {
        return Ok(Copied { path, cut: false, has_history: turns.iter().any(Turn::has_message) });
    }

    let failed = before.and_then(|text| turns.iter().rposition(|turn| turn.contains(text)));
    let kept = failed.unwrap_or(turns.len());
    if let Some(turn) = failed.and_then(|at| turns.get(at)) {
        lines.truncate(turn.start);
    }
    let has_history = turns.iter().take(kept).any(Turn::has_message);
    let copied = Copied { path, cut: failed.is_some(), has_history };
    let there = if copied.path.symlink_metadata().is_ok() { Some(read(&copied.path)?) } else { None };
    if there.is_some_and(|there| there == lines || (!copied.cut && there.starts_with(&lines))) {
        return Ok(copied);
    }
    if let Some(dir) = copied.path.parent() {
        make_dir(dir)?;
    }
    write_private(&copied.path, &lines)?;
    Ok(copied)
}

/// A turn's messages and the byte at which its first line begins.
#[derive(Default)]
struct Turn {
    start: usize,
    messages: Vec<String>,
}

impl Turn {
    fn has_message(&self) -> bool {
        !self.messages.is_empty()
    }

    fn contains(&self, text: &str) -> bool {
        self.messages.iter().any(|message| message.contains(text))
    }
}

fn turns(kind: TranscriptKind, bytes: &[u8]) -> Vec<Turn> {
    let mut reader: Box<dyn Lines> = match kind {
        TranscriptKind::None => return Vec::new(),
        TranscriptKind::Codex => Box::<Rollout>::default(),
        TranscriptKind::Claude => Box::<Conversation>::default(),
    };
    let mut turns: Vec<Turn> = Vec::new();
    let mut start = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let mut events = Vec::new();
        reader.read(line, &mut events);
        for event in events {
            match event {
                Event::TurnStarted => turns.push(Turn { start, messages: Vec::new() }),
                Event::UserMessage { text } => {
                    if turns.is_empty() {
                        turns.push(Turn { start, messages: Vec::new() });
                    }
                    turns.last_mut().into_iter().for_each(|turn| turn.messages.push(text.clone()));
                }
                _ => {}
            }
        }
        start += line.len();
    }
    turns
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const PLACE: &str = "sessions/2026/11/22/rollout-2026-11-22T08-00-00-aa-1.jsonl";

    fn home(content: Option<&str>) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        if let Some(content) = content {
            fs::create_dir_all(home.path().join(PLACE).parent().unwrap()).unwrap();
            fs::write(home.path().join(PLACE), content).unwrap();
        }
        home
    }

    fn copied(from: &str, there: Option<&str>, before: Option<&str>) -> (String, Copied) {
        let (from, to) = (home(Some(from)), home(there));
        let copied = conversation(TranscriptKind::Codex, "aa-1", from.path(), to.path(), before).unwrap();
        assert_eq!(copied.path, to.path().join(PLACE));
        (fs::read_to_string(&copied.path).unwrap(), copied)
    }

    fn codex_turn(message: &str) -> String {
        let started = r#"{"type":"event_msg","payload":{"type":"task_started"}}"#;
        let item = r#"{"type":"UserMessage","content":[{"type":"text","text":"MESSAGE"}]}"#
            .replace("MESSAGE", message);
        format!(
            "{started}\n{{\"type\":\"event_msg\",\"payload\":{{\"type\":\"item_completed\",\"item\":{item}}}}}\n"
        )
    }

    #[test]
    fn goes_to_the_same_place_without_a_torn_last_line() {
        assert_eq!(copied("one\ntwo\nthr", None, None).0, "one\ntwo\n");
    }

    #[test]
    fn a_longer_copy_stays_and_another_one_is_replaced() {
        assert_eq!(copied("one\n", Some("one\ntwo\n"), None).0, "one\ntwo\n");
        assert_eq!(copied("one\ntwo\n", Some("one\n"), None).0, "one\ntwo\n");
        assert_eq!(copied("one\ntwo\n", Some("other\n"), None).0, "one\ntwo\n");
    }

    #[test]
    fn a_failed_turn_is_cut_from_the_copy_alone() {
        let head = "{\"type\":\"session_meta\",\"payload\":{\"id\":\"aa-1\",\"cwd\":\"/\"}}\n";
        let (first, failed) = (codex_turn("one"), codex_turn("[mark k7] two"));
        let whole = format!("{head}{first}{failed}");
        let (text, copy) = copied(&whole, Some(&whole), Some("mark k7"));
        assert_eq!(text, format!("{head}{first}"), "also where the failed turn was copied before");
        assert!(copy.cut && copy.has_history);

        let (text, copy) = copied(&format!("{head}{failed}"), None, Some("mark k7"));
        assert_eq!(text, head);
        assert!(copy.cut && !copy.has_history, "nothing to resume");

        let (text, copy) = copied(&whole, None, Some("not in it"));
        assert_eq!(text, whole);
        assert!(!copy.cut && copy.has_history);
    }

    #[test]
    fn claudes_failed_prompt_is_cut_as_well() {
        let from = tempfile::tempdir().unwrap();
        let to = tempfile::tempdir().unwrap();
        let dir = from.path().join("projects/-work");
        fs::create_dir_all(&dir).unwrap();
        let user = |text: &str| {
            format!("{{\"type\":\"user\",\"sessionId\":\"s-1\",\"message\":{{\"content\":\"{text}\"}}}}\n")
        };
        let answer =
            "{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"ok\"}]}}\n";
        fs::write(dir.join("s-1.jsonl"), format!("{}{answer}{}{answer}", user("one"), user("[k7] two")))
            .unwrap();
        let copy = conversation(TranscriptKind::Claude, "s-1", from.path(), to.path(), Some("[k7]")).unwrap();
        assert_eq!(fs::read_to_string(&copy.path).unwrap(), format!("{}{answer}", user("one")));
        assert!(copy.cut && copy.has_history);
    }

    #[test]
    fn is_private_and_leaves_a_shared_file_as_it_is() {
        let turn = codex_turn("[k7] one");
        let (from, to) = (home(Some(&turn)), home(None));
        let copy = conversation(TranscriptKind::Codex, "aa-1", from.path(), to.path(), None).unwrap();
        assert_eq!(fs::metadata(&copy.path).unwrap().permissions().mode() & 0o777, 0o600);

        let linked = home(None);
        std::os::unix::fs::symlink(from.path().join("sessions"), linked.path().join("sessions")).unwrap();
        let copy =
            conversation(TranscriptKind::Codex, "aa-1", from.path(), linked.path(), Some("[k7]")).unwrap();
        assert!(!copy.cut && copy.has_history);
        assert_eq!(fs::read_to_string(from.path().join(PLACE)).unwrap(), turn);
    }

    #[test]
    fn says_which_conversation_is_missing() {
        let (from, to) = (home(None), home(None));
        let error = conversation(TranscriptKind::Codex, "zz-9", from.path(), to.path(), None).unwrap_err();
        assert!(error.to_string().ends_with("it has no conversation zz-9"), "{error}");
    }
}
