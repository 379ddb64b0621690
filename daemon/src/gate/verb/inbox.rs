//! INBOX: the messages kept for a name, at once or once there is one.

use std::time::Duration;

use posthouse_protocol::payload::{Inbox, InboxMessage, InboxResponse};
use tokio::time::{Instant, sleep, sleep_until};

use super::kept::Kept;
use super::{Answer, Caller, Verb, fit, refuse};
use crate::journal::{InboxQuery, Open, Order};

/// Messages listed unless the caller says otherwise.
const USUAL: u32 = 50;
/// Most messages listed, and left out.
const MOST: u32 = 500;
/// Longest wait for a message.
const LONGEST_WAIT: Duration = Duration::from_secs(10 * 60);
/// Least time between two looks of one who waits.
const PAUSE: Duration = Duration::from_millis(5);

impl Verb for Inbox {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        let recipient = self.agent.unwrap_or_else(|| caller.principal.name.clone());
        caller.require_own(&recipient)?;
        let mut except = self.except.0.unwrap_or_default();
        except.truncate(MOST as usize);
        let query = InboxQuery {
            owner: caller.principal.uid,
            recipient,
            unread_only: self.unread_only.unwrap_or(false),
            from: self.from,
            channel: self.channel.map(|c| if c.starts_with('#') { c } else { format!("#{c}") }),
            after: None,
            order: Order::Descending,
            limit: self.limit.unwrap_or(USUAL).min(MOST) as usize,
        };
        let wait = self.wait_ms.0.map_or(Duration::ZERO, Duration::from_millis).min(LONGEST_WAIT);
        let until = Instant::now() + wait;
        let mut committed = caller.house.journal.committed();
        loop {
            committed.mark_unchanged();
            let listed = list(query.clone(), &except, caller).await?;
            if !listed.messages.is_empty() || Instant::now() >= until {
                return Ok(listed);
            }
            tokio::select! {
                // The journal is closed: nothing more will come.
                changed = committed.changed() => if changed.is_err() { return Ok(listed) },
                () = sleep_until(until) => {}
                () = caller.outbox.closed() => return Ok(listed),
            }
            // Under load commits come by the thousand per second.
            sleep(PAUSE).await;
        }
    }
}

async fn list(query: InboxQuery, except: &[String], caller: &Caller) -> Answer<Inbox> {
    let page = caller.house.desk.ask(move |reader| reader.inbox(&query)).await.map_err(refuse)?;
    // Newest first, so that what does not fit a frame is the oldest.
    let listed = page.rows.into_iter().map(message).filter(|message| !except.contains(&message.id));
    let (mut messages, all) = fit(listed.collect(), caller.outbox.max_frame());
    messages.reverse();
    Ok(InboxResponse { messages, truncated: page.more || !all })
}

fn message(open: Open) -> InboxMessage {
    let message = &open.stored.message;
    let kept = Kept::of(message);
    InboxMessage {
        id: message.id.to_string(),
        from: message.sender.to_string(),
        body: kept.body,
        channel: kept.channel,
        thread: message.thread.as_deref().map(str::to_owned),
        timestamp: message.accepted_ms,
        state: open.delivery.state,
        reason: open.delivery.reason.as_deref().map(str::to_owned),
    }
}
