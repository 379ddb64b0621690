//! Telling what was said in the session's conversation. The harness's own file is read, away from the task.

use std::io;
use std::path::PathBuf;

use posthouse_protocol::ErrorCode;
use posthouse_protocol::payload::{Conversation, ConversationResponse};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Task;
use super::order::News;
use crate::harness::definition::TranscriptKind;
use crate::harness::transcript::{find, page};
use crate::session::command::{Reply, SessionError};
use crate::session::spec::RunRecord;

/// The conversation of a run, and its file once it was found.
#[derive(Clone, Debug)]
pub(super) struct Told {
    kind: TranscriptKind,
    home: PathBuf,
    run: Uuid,
    conversation: String,
    path: Option<PathBuf>,
    /// Where the run begins in it, in bytes.
    from: u64,
}

impl Task {
    /// Answers CONVERSATION.
    pub(super) fn recount(&self, request: Conversation, limit: usize, reply: Reply<ConversationResponse>) {
        let run = self.phase.live().map(|live| &live.record).or(self.record.run.as_ref());
        let answer = |next| ConversationResponse { name: request.name.clone(), next, ..Default::default() };
        let kept = run.and_then(|run| Some((run, self.transcript(run)?, run.home.clone()?)));
        let Some((run, kind, home)) = kept else {
            let _ = reply.send(Ok(answer(None)));
            return;
        };
        let Some(conversation) = run.conversation.clone() else {
            // Whatever it will be, it is read from its beginning.
            let _ = reply.send(Ok(answer(Some(cursor(run.run, "", 0)))));
            return;
        };
        let known =
            self.told.as_ref().filter(|told| told.run == run.run && told.conversation == conversation);
        let path = known.and_then(|told| told.path.clone());
        let told = Told { kind, home, run: run.run, conversation, path, from: run.conversation_from };
        let desk = self.desk.clone();
        tokio::task::spawn_blocking(move || {
            let name = request.name.clone();
            let _ = reply.send(told.tell(request, limit, &desk).map_err(|error| {
                SessionError::new(ErrorCode::NotReady, format!("read the conversation of {name}: {error}"))
            }));
        });
    }

    fn transcript(&self, run: &RunRecord) -> Option<TranscriptKind> {
        let kind = self.house.catalog.get(&run.harness).ok()?.transcript;
        (kind != TranscriptKind::None).then_some(kind)
    }
}

impl Told {
    fn tell(
        mut self,
        request: Conversation,
        limit: usize,
        desk: &mpsc::UnboundedSender<News>,
    ) -> io::Result<ConversationResponse> {
        if self.path.as_ref().is_none_or(|path| !path.is_file()) {
            self.path = find::by_id(self.kind, &self.home, &self.conversation);
            if self.path.is_some() {
                let _ = desk.send(News::Told(Box::new(self.clone())));
            }
        }
        let after = request.after.as_deref().map_or(0, |cursor| self.offset(cursor));
        let page = match &self.path {
            // A harness that has said nothing yet has no file yet.
            None => page::Page::default(),
            Some(path) if request.at_end == Some(true) => {
                page::Page { next: page::end(path)?, ..page::Page::default() }
            }
            Some(path) => page::read(self.kind, path, after, limit)?,
        };
        Ok(ConversationResponse {
            name: request.name,
            next: Some(cursor(self.run, &self.conversation, page.next)),
            conversation: Some(self.conversation),
            said: page.said,
            more: page.more,
        })
    }

    /// How far `cursor` has come. In another run it has read all that was before this one.
    fn offset(&self, cursor: &str) -> u64 {
        let mut parts = cursor.split('/');
        let (run, conversation) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let place = parts.next().and_then(|place| place.parse().ok()).unwrap_or(0);
        match (run == self.run.to_string(), conversation == self.conversation) {
            (true, true) => place,
            (true, false) => 0,
            (false, _) => self.from,
        }
    }
}

fn cursor(run: Uuid, conversation: &str, place: u64) -> String {
    format!("{run}/{conversation}/{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_counts_in_its_own_run_and_conversation() {
        let (run, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let told = Told {
            kind: TranscriptKind::Claude,
            home: PathBuf::new(),
            run,
            conversation: "c-1".into(),
            path: None,
            from: 9,
        };
        assert_eq!(told.offset(&cursor(run, "c-1", 42)), 42);
        assert_eq!(told.offset(&cursor(run, "c-2", 42)), 0, "the harness began another one");
        assert_eq!(told.offset(&cursor(run, "", 0)), 0, "it was not known");
        assert_eq!(told.offset(&cursor(other, "c-1", 42)), 9, "the same one, in another home");
        assert_eq!(told.offset("nonsense"), 9);
    }
}
