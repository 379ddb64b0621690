//! MESSAGES_QUERY: messages by sender, recipient, thread or time.

use posthouse_protocol::payload::{MessagesQuery, MessagesResponse, StoredMessage};
use posthouse_protocol::{Target, Violation};

use super::kept::Kept;
use super::{Answer, Caller, Verb, fit, refuse};
use crate::journal::{MessageQuery, Order, ReadError, Reader, Receipts, Stored};

/// Messages listed unless the caller says otherwise.
const USUAL: u32 = 50;
/// Most messages listed.
const MOST: u32 = 500;

impl Verb for MessagesQuery {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        let queries = self.queries(caller)?;
        let newest_first = !matches!(self.order.as_deref(), Some("asc"));
        let limit = self.limit.unwrap_or(USUAL).min(MOST) as usize;
        let found = caller.house.desk.ask(move |reader| read(reader, &queries, newest_first, limit)).await;
        let (messages, _) = fit(found.map_err(refuse)?, caller.outbox.max_frame());
        Ok(MessagesResponse { messages })
    }
}

trait Scope {
    /// What to ask the journal: who sees all asks as given, others for what they sent and for what came to them.
    fn queries(&self, caller: &Caller) -> Result<Vec<MessageQuery>, Violation>;
}

impl Scope for MessagesQuery {
    fn queries(&self, caller: &Caller) -> Result<Vec<MessageQuery>, Violation> {
        let asked = MessageQuery {
            owner: caller.principal.uid,
            since_ms: self.since_ts,
            beyond: None,
            from: self.from.clone(),
            to: self.to.clone(),
            thread: self.thread.clone(),
            order: if self.order.as_deref() == Some("asc") { Order::Ascending } else { Order::Descending },
            limit: self.limit.unwrap_or(USUAL).min(MOST) as usize,
        };
        if caller.sees_all() {
            return Ok(vec![asked]);
        }
        let own = &caller.principal.name;
        match (&asked.from, &asked.to) {
            (Some(from), _) if from == own => Ok(vec![asked]),
            (_, Some(to)) if to == own => Ok(vec![asked]),
            (Some(_), None) => Ok(vec![MessageQuery { to: Some(own.clone()), ..asked }]),
            (None, Some(_)) => Ok(vec![MessageQuery { from: Some(own.clone()), ..asked }]),
            (None, None) => Ok(vec![
                MessageQuery { from: Some(own.clone()), ..asked.clone() },
                MessageQuery { to: Some(own.clone()), ..asked },
            ]),
            (Some(_), Some(to)) => Err(caller.require_own(to).err().unwrap_or_else(super::going_down)),
        }
    }
}

fn read(
    reader: &Reader,
    queries: &[MessageQuery],
    newest_first: bool,
    limit: usize,
) -> Result<Vec<StoredMessage>, ReadError> {
    let mut found = Vec::new();
    for query in queries {
        found.extend(reader.messages(query)?.rows);
    }
    found.sort_by_key(|stored| stored.seq);
    found.dedup_by_key(|stored| stored.seq);
    if newest_first {
        found.reverse();
    }
    found.truncate(limit);
    found.into_iter().map(|stored| Ok(message(&stored, reader.receipts(stored.message.id)?))).collect()
}

fn message(stored: &Stored, receipts: Option<Receipts>) -> StoredMessage {
    let message = &stored.message;
    let kept = Kept::of(message);
    let several = !matches!(Target::parse(&message.target), Ok(Target::Name(_)));
    let status = match receipts.as_ref().map(|r| r.deliveries.as_slice()) {
        Some([only]) => Some(only.state.to_string()),
        _ => None,
    };
    StoredMessage {
        id: message.id.to_string(),
        from: message.sender.to_string(),
        to: message.target.to_string(),
        body: kept.body,
        channel: kept.channel,
        thread: message.thread.as_deref().map(str::to_owned),
        timestamp: message.accepted_ms,
        status,
        is_broadcast: Some(several),
        data: kept.data,
    }
}
