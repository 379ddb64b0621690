//! The last thing the agent said in a conversation that another harness can't read, for the brief that it gets.

use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::brief::last;
use super::spec::RunRecord;
use crate::harness::catalog::Catalog;
use crate::harness::definition::TranscriptKind;
use crate::harness::transcript::{find, page};

/// Bytes of the conversation's end that are looked through.
const LOOKED_THROUGH: u64 = 1 << 20;
/// Most characters that are told, the last ones.
const TOLD: usize = 2_000;

/// What the agent of a run said last; nothing where its conversation is not understood or can't be read.
pub async fn last_said(catalog: &Catalog, left: Option<&RunRecord>) -> String {
    let kept = left.and_then(|left| {
        let kind = catalog.get(&left.harness).ok()?.transcript;
        Some((kind, left.conversation.clone()?, left.home.clone()?))
    });
    let Some((kind, id, home)) = kept else { return String::new() };
    let read = tokio::task::spawn_blocking(move || {
        let file = find::by_id(kind, &home, &id)?;
        let said = last_of_agent(kind, &file);
        said.inspect_err(|error| tracing::info!(%error, "a conversation's end was not read for the brief"))
            .ok()?
    });
    read.await.ok().flatten().map(|said| last(&said, TOLD)).unwrap_or_default()
}

fn last_of_agent(kind: TranscriptKind, file: &Path) -> io::Result<Option<String>> {
    let mut from = start_of_a_line(file)?;
    let mut found = None;
    loop {
        let page = page::read(kind, file, from, LOOKED_THROUGH as usize)?;
        let agents = page.said.into_iter().rfind(|said| said.role == "agent" && !said.text.trim().is_empty());
        found = agents.map(|said| said.text).or(found);
        if !page.more {
            return Ok(found);
        }
        from = page.next;
    }
}

/// Where the first line begins that lies whole in the end that is looked through.
fn start_of_a_line(file: &Path) -> io::Result<u64> {
    let mut file = std::fs::File::open(file)?;
    let length = file.metadata()?.len();
    let Some(from) = length.checked_sub(LOOKED_THROUGH).filter(|from| *from > 0) else { return Ok(0) };
    // One byte before: a line may begin exactly here.
    file.seek(SeekFrom::Start(from - 1))?;
    let mut end = Vec::new();
    file.take(LOOKED_THROUGH + 1).read_to_end(&mut end)?;
    let line = end.iter().position(|byte| *byte == b'\n').map_or(length, |at| from + at as u64);
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        let text = serde_json::to_string(text).unwrap();
        format!(
            "{{\"type\":\"assistant\",\"message\":{{\"content\":[{{\"type\":\"text\",\"text\":{text}}}]}}}}\n"
        )
    }

    fn last_in(content: &str) -> Option<String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("c.jsonl");
        std::fs::write(&file, content).unwrap();
        last_of_agent(TranscriptKind::Claude, &file).unwrap()
    }

    #[test]
    fn the_agents_last_words_are_found_at_the_end_of_a_long_conversation() {
        assert_eq!(last_in(""), None);
        assert_eq!(last_in(&(said("one") + &said("two") + "{\"half")).as_deref(), Some("two"));
        let long = said(&"x".repeat(1000)).repeat(3_000) + &said("at last");
        assert_eq!(last_in(&long).as_deref(), Some("at last"));
        let nothing_within =
            said("early") + &format!("{{\"noise\":\"{}\"}}\n", "y".repeat(LOOKED_THROUGH as usize));
        assert_eq!(last_in(&nothing_within), None);
    }

    #[test]
    fn a_line_that_begins_exactly_where_the_look_begins_is_read() {
        let words = said("here");
        let filler = LOOKED_THROUGH as usize - words.len();
        let content = said("before") + &words + &format!("{{\"noise\":\"{}\"}}\n", "y".repeat(filler - 13));
        assert_eq!(content.len() as u64 - said("before").len() as u64, LOOKED_THROUGH);
        assert_eq!(last_in(&content).as_deref(), Some("here"));
    }
}
