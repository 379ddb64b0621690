//! Telling what was said in the session's conversation. The harness's own file is read, away from the task.

use std::path::Path;

use posthouse_protocol::ErrorCode;
use posthouse_protocol::payload::{Conversation, ConversationResponse};

use super::Task;
use super::order::{News, PathOf};
use crate::harness::definition::TranscriptKind;
use crate::harness::transcript::{find, page};
use crate::session::command::{Reply, SessionError};

impl Task {
    /// Answers CONVERSATION.
    pub(super) fn recount(&self, request: Conversation, limit: usize, reply: Reply<ConversationResponse>) {
        let run = self.phase.live().map(|live| &live.record).or(self.record.run.as_ref());
        let kind =
            run.and_then(|run| self.house.catalog.get(&run.harness).ok()).map(|known| known.transcript);
        let kind = kind.filter(|kind| *kind != TranscriptKind::None);
        let kept = run.and_then(|run| Some((kind?, run.home.clone()?, run.conversation.clone())));
        let (kind, home, conversation) = match kept {
            Some((kind, home, Some(conversation))) => (kind, home, conversation),
            // Not known yet: whatever it will be, it is read from its beginning.
            Some((.., None)) => {
                let next = Some("/0".to_owned());
                let _ =
                    reply.send(Ok(ConversationResponse { name: request.name, next, ..Default::default() }));
                return;
            }
            None => {
                let _ = reply.send(Ok(ConversationResponse { name: request.name, ..Default::default() }));
                return;
            }
        };
        let known = self.told_from.clone().filter(|known| known.conversation == conversation);
        let desk = self.desk.clone();
        tokio::task::spawn_blocking(move || {
            let name = request.name.clone();
            let path = match known {
                Some(known) if known.path.is_file() => Some(known.path),
                _ => find::by_id(kind, &home, &conversation).inspect(|path| {
                    let found = PathOf { conversation: conversation.clone(), path: path.clone() };
                    let _ = desk.send(News::Found(found));
                }),
            };
            let told = tell(kind, path.as_deref(), conversation, request, limit).map_err(|error| {
                SessionError::new(ErrorCode::NotReady, format!("read the conversation of {name}: {error}"))
            });
            let _ = reply.send(told);
        });
    }
}

fn tell(
    kind: TranscriptKind,
    path: Option<&Path>,
    conversation: String,
    request: Conversation,
    limit: usize,
) -> std::io::Result<ConversationResponse> {
    let after = request.after.as_deref().map_or(0, |cursor| offset(cursor, &conversation));
    let page = match path {
        // A harness that has said nothing yet has no file yet.
        None => page::Page::default(),
        Some(path) if request.at_end == Some(true) => {
            page::Page { next: page::end(path)?, ..page::Page::default() }
        }
        Some(path) => page::read(kind, path, after, limit)?,
    };
    Ok(ConversationResponse {
        name: request.name,
        next: Some(format!("{conversation}/{}", page.next)),
        conversation: Some(conversation),
        said: page.said,
        more: page.more,
    })
}

/// How far `cursor` has come in `conversation`: 0 if it was in another one.
fn offset(cursor: &str, conversation: &str) -> u64 {
    let place = cursor.strip_prefix(conversation).and_then(|rest| rest.strip_prefix('/'));
    place.and_then(|place| place.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_counts_in_its_own_conversation_only() {
        assert_eq!(offset("c-1/42", "c-1"), 42);
        assert_eq!(offset("c-1/42", "c-2"), 0);
        assert_eq!(offset("c-1/x", "c-1"), 0);
        assert_eq!(offset("", "c-1"), 0);
    }
}
