//! New messages in one's inbox, as they come. Nobody takes them here.

use std::time::Duration;

use posthouse_client::Client;
use posthouse_protocol::Later;
use posthouse_protocol::payload::{Inbox, InboxMessage};

use super::link::{Trouble, trouble};

/// How long the daemon waits for a message before it answers all the same.
const WAIT: Duration = Duration::from_secs(300);
/// Most messages that an inbox may be asked to leave out.
const MOST_KNOWN: usize = 500;
/// How long until an inbox is asked again that has so many.
const PAUSE: Duration = Duration::from_secs(1);

/// What is known already.
#[derive(Debug)]
pub(super) struct News {
    known: Vec<String>,
    /// Whether what waits is looked at for the first time, and no news.
    begins: bool,
}

impl News {
    /// Of what comes from now on.
    pub(super) fn from_now() -> Self {
        Self { known: Vec::new(), begins: true }
    }

    /// Also of what waits already.
    pub(super) fn of_all() -> Self {
        Self { known: Vec::new(), begins: false }
    }

    /// The messages that came since it was last asked, also by another connection; waits until there are some.
    pub(super) async fn next(&mut self, client: &mut Client) -> Result<Vec<InboxMessage>, Trouble> {
        loop {
            let wait =
                Some(WAIT).filter(|_| !self.begins).and_then(|wait| u64::try_from(wait.as_millis()).ok());
            let request = Inbox {
                limit: u32::try_from(MOST_KNOWN).ok(),
                unread_only: Some(true),
                wait_ms: Later(wait),
                except: Later((!self.known.is_empty()).then(|| self.known.clone())),
                ..Inbox::default()
            };
            let messages = client.call_within(&request, WAIT * 2).await.map_err(trouble)?.messages;
            let is_news = !std::mem::take(&mut self.begins) && !messages.is_empty();
            self.known.extend(messages.iter().map(|message| message.id.clone()));
            // Of an inbox as full as that only its growth beyond the bound is missed, and events tell of that.
            self.known.drain(..self.known.len().saturating_sub(MOST_KNOWN));
            if self.known.len() == MOST_KNOWN {
                tokio::time::sleep(PAUSE).await;
            }
            if is_news {
                return Ok(messages);
            }
        }
    }
}
