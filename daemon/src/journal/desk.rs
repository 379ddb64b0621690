//! The query desk: one thread with one reader, for callers that must not block.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use tokio::sync::oneshot;

use super::{ReadError, Reader};

/// Most questions that may wait.
pub const MAX_WAITING: usize = 256;

type Question = Box<dyn FnOnce(&Reader) + Send>;

/// Asks the journal from asynchronous code. Cheap to clone; questions are answered in order.
#[derive(Clone)]
pub struct Desk {
    questions: SyncSender<Question>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Desk")
    }
}

impl Desk {
    pub(super) fn open(path: &Path) -> Result<Self, ReadError> {
        let reader = Reader::open(path)?;
        let (questions, asked) = sync_channel(MAX_WAITING);
        std::thread::Builder::new()
            .name("journal-reader".to_owned())
            .spawn(move || answer(&reader, &asked))
            .map_err(|e| ReadError::Row(e.to_string()))?;
        Ok(Self { questions })
    }

    /// Runs `query` on the reader's thread: `desk.ask(move |r| r.inbox(&query)).await`.
    pub async fn ask<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let (reply, answer) = oneshot::channel();
        let question: Question = Box::new(move |reader| drop(reply.send(query(reader))));
        self.questions.try_send(question).map_err(|refused| match refused {
            TrySendError::Full(_) => ReadError::Busy { waiting: MAX_WAITING },
            TrySendError::Disconnected(_) => ReadError::Closed,
        })?;
        answer.await.unwrap_or(Err(ReadError::Closed))
    }
}

/// Ends when the last desk is gone.
fn answer(reader: &Reader, asked: &Receiver<Question>) {
    while let Ok(question) = asked.recv() {
        question(reader);
    }
}
