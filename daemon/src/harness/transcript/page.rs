//! Reads what was said in a conversation, a page at a time, for people and editors.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use posthouse_protocol::payload::Said;

use super::Event;
use super::tail::{LONGEST_LINE, lines_of};
use crate::harness::definition::TranscriptKind;

/// Bytes of the file that one page looks through at most.
const MOST_READ: u64 = 16 << 20;

/// Bytes that count for each thing that was said, besides its text.
const OVERHEAD: usize = 16;

/// A part of a conversation.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// What was said, in order.
    pub said: Vec<Said>,
    /// Where the first line that was not read begins, in bytes.
    pub next: u64,
    /// Whole lines follow.
    pub more: bool,
}

/// Reads the file at `path` from `offset`, the start of a line, until about `limit` bytes were said. A line that
/// is still being written is left for later, and a text longer than the limit is cut. A file that has become shorter was rewritten: reading goes on at its end.
///
/// # Errors
/// When the file can't be read.
pub fn read(kind: TranscriptKind, path: &Path, offset: u64, limit: usize) -> io::Result<Page> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut page = Page { next: offset.min(length), ..Page::default() };
    let Some(mut lines) = lines_of(kind) else { return Ok(page) };
    file.seek(SeekFrom::Start(page.next))?;
    let mut reader = BufReader::new(file.take(MOST_READ));
    let (mut line, mut events, mut room) = (Vec::new(), Vec::new(), limit);
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        let Some(whole) = line.strip_suffix(b"\n") else {
            // Longer than all that is looked through: passed over, or nothing behind it would ever be read.
            if line.len() as u64 == MOST_READ {
                page.next += MOST_READ;
                page.more = true;
            }
            return Ok(page);
        };
        if whole.len() <= LONGEST_LINE {
            lines.read(whole, &mut events);
        }
        let mut told: Vec<Said> = events.drain(..).filter_map(said).collect();
        let size: usize = told.iter().map(|said| said.text.len() + OVERHEAD).sum();
        if size > room && !page.said.is_empty() {
            page.more = true;
            return Ok(page);
        }
        told.iter_mut().for_each(|said| cut(&mut said.text, limit));
        room = room.saturating_sub(size);
        page.said.append(&mut told);
        page.next += read as u64;
    }
}

/// Where the last whole line of the file ends, in bytes.
///
/// # Errors
/// When the file can't be read.
pub fn end(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(LONGEST_LINE as u64);
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(from))?;
    file.take(length - from).read_to_end(&mut tail)?;
    let rest = tail.iter().rev().position(|byte| *byte == b'\n').unwrap_or(tail.len());
    Ok(length - rest as u64)
}

fn said(event: Event) -> Option<Said> {
    let (role, text) = match event {
        Event::UserMessage { text } => ("user", text),
        Event::AgentMessage { text } => ("agent", text),
        Event::ToolUsed { what } => ("tool", what),
        _ => return None,
    };
    Some(Said { role: role.to_owned(), text })
}

fn cut(text: &mut String, room: usize) {
    let end = (0..=room.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/transcripts").join(name)
    }

    fn whole(kind: TranscriptKind, name: &str) -> Vec<(String, String)> {
        let page = read(kind, &recorded(name), 0, usize::MAX).unwrap();
        assert!(!page.more);
        assert_eq!(page.next, end(&recorded(name)).unwrap());
        page.said.into_iter().map(|said| (said.role, said.text)).collect()
    }

    #[test]
    fn what_was_said_in_recorded_conversations() {
        insta::assert_debug_snapshot!("claude_said", whole(TranscriptKind::Claude, "claude.tool.jsonl"));
        insta::assert_debug_snapshot!("codex_said", whole(TranscriptKind::Codex, "codex.tool.jsonl"));
    }

    #[test]
    fn pages_join_without_a_gap() {
        for (kind, name) in
            [(TranscriptKind::Claude, "claude.tool.jsonl"), (TranscriptKind::Codex, "codex.tool.jsonl")]
        {
            let (mut all, mut at) = (Vec::new(), 0);
            loop {
                let page = read(kind, &recorded(name), at, 1).unwrap();
                all.extend(page.said.iter().map(|said| said.role.clone()));
                at = page.next;
                if !page.more {
                    break;
                }
            }
            let roles: Vec<_> = whole(kind, name).into_iter().map(|(role, _)| role).collect();
            assert_eq!(all, roles);
        }
    }

    #[test]
    fn half_a_line_waits_and_a_rewritten_file_is_not_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.jsonl");
        let line =
            "{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"h\u{e9}\"}]}}\n";
        std::fs::write(&path, format!("{line}{}", &line[..20])).unwrap();
        let page = read(TranscriptKind::Claude, &path, 0, 2).unwrap();
        assert_eq!((page.said.len(), page.next, page.more), (1, line.len() as u64, false));
        assert_eq!(page.said[0].text, "h", "cut where a character begins");
        assert_eq!(end(&path).unwrap(), line.len() as u64);
        std::fs::write(&path, "{}\n").unwrap();
        assert_eq!(read(TranscriptKind::Claude, &path, 500, 9).unwrap().next, 3);
    }
}
