//! The book of everything that was asked and how it was answered, with waiting for an entry.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use tokio::sync::watch;

use super::conversation::Conversation;
use super::endpoint::Endpoint;

/// One request and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Exchange {
    /// Its place in the book.
    pub number: usize,
    /// When its body had been read; milliseconds since the epoch in JSON.
    #[serde(serialize_with = "milliseconds")]
    pub at: SystemTime,
    /// What was asked for.
    pub endpoint: Endpoint,
    /// The HTTP method.
    pub method: String,
    /// The path, with its query.
    pub path: String,
    /// The label of the credential it presented; empty for none.
    pub credential: String,
    /// The model it names; empty for none.
    pub model: String,
    /// What it carries, where it is a model call.
    pub conversation: Conversation,
    /// How far the answer got.
    pub outcome: Outcome,
}

/// How far an answer got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing was answered yet.
    Pending,
    /// A whole answer with this status was handed to the connection.
    Answered(u16),
    /// A reply is being streamed, with status 200.
    Streaming,
    /// The whole reply was streamed.
    Streamed,
    /// The client left, or the mock broke off as its scenario says, in the middle of a reply.
    BrokenOff,
}

fn milliseconds<S: serde::Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u128(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis())
}

impl Exchange {
    /// Whether this is a model call for the user, not one that the harness makes for itself.
    pub fn is_turn(&self) -> bool {
        self.endpoint.is_model_call() && !self.conversation.side_request
    }

    /// Whether the model's reply began, or ended, well.
    pub fn succeeded(&self) -> bool {
        matches!(self.outcome, Outcome::Answered(200) | Outcome::Streaming | Outcome::Streamed)
    }

    /// How often `body` stands contiguous and byte for byte in what the user has said so far.
    pub fn times_said(&self, body: &str) -> usize {
        self.conversation.user_blocks().map(|block| block.matches(body).count()).sum()
    }

    /// Whether `body` is in what the user said since the model last spoke.
    pub fn newly_says(&self, body: &str) -> bool {
        self.conversation.newest_user_blocks().iter().any(|block| block.contains(body))
    }
}

/// The book: written by the server, read and waited on by tests.
#[derive(Debug)]
pub struct Book {
    entries: watch::Sender<Vec<Exchange>>,
}

/// Nothing fitting was entered in time; carries the book as it was.
#[derive(Debug, thiserror::Error)]
#[error("no fitting request within {waited:?}; the book holds {entries:#?}")]
pub struct NothingFitting {
    waited: Duration,
    entries: Vec<String>,
}

impl Default for Book {
    fn default() -> Self {
        Self { entries: watch::Sender::new(Vec::new()) }
    }
}

impl Book {
    /// Everything so far.
    pub fn entries(&self) -> Vec<Exchange> {
        self.entries.borrow().clone()
    }

    /// Waits until an entry fits and returns the first that does.
    ///
    /// # Errors
    /// With the book's entries, when `deadline` has passed.
    pub async fn wait_for(
        &self,
        deadline: Duration,
        fits: impl Fn(&Exchange) -> bool,
    ) -> Result<Exchange, NothingFitting> {
        let mut news = self.entries.subscribe();
        let waiting = news.wait_for(|entries| entries.iter().any(&fits));
        let found = tokio::time::timeout(deadline, waiting).await;
        let found =
            found.ok().and_then(Result::ok).and_then(|entries| entries.iter().find(|e| fits(e)).cloned());
        found.ok_or_else(|| NothingFitting { waited: deadline, entries: self.summary() })
    }

    pub(super) fn enter(&self, make: impl FnOnce(usize) -> Exchange) -> usize {
        let mut number = 0;
        self.entries.send_modify(|entries| {
            number = entries.len();
            entries.push(make(number));
        });
        number
    }

    pub(super) fn outcome(&self, number: usize, outcome: Outcome) {
        self.entries.send_modify(|entries| {
            if let Some(entry) = entries.get_mut(number) {
                entry.outcome = outcome;
            }
        });
    }

    fn summary(&self) -> Vec<String> {
        let line = |e: &Exchange| {
            let newest = e.conversation.newest_user_blocks();
            let said: String = newest.last().unwrap_or(&"").chars().take(120).collect();
            format!("{} {} [{}] {:?} {said:?}", e.method, e.path, e.credential, e.outcome)
        };
        self.entries.borrow().iter().map(line).collect()
    }
}
