//! INBOX: the messages kept for a name.

use posthouse_protocol::payload::{Inbox, InboxMessage, InboxResponse};

use super::kept::Kept;
use super::{Answer, Caller, Verb, fit, refuse};
use crate::journal::{InboxQuery, Open, Order};

/// Messages listed unless the caller says otherwise.
const USUAL: u32 = 50;
/// Most messages listed.
const MOST: u32 = 500;

impl Verb for Inbox {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        let recipient = self.agent.unwrap_or_else(|| caller.principal.name.clone());
        caller.require_own(&recipient)?;
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
        let page = caller.house.desk.ask(move |reader| reader.inbox(&query)).await.map_err(refuse)?;
        // Newest first, so that what does not fit a frame is the oldest.
        let newest_first: Vec<_> = page.rows.into_iter().map(message).collect();
        let (mut messages, all) = fit(newest_first, caller.outbox.max_frame());
        messages.reverse();
        Ok(InboxResponse { messages, truncated: page.more || !all })
    }
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
