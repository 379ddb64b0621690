//! EVENTS: what happened, from a cursor on, and from then on as it happens.

use posthouse_protocol::payload::{Event as WireEvent, Events, EventsResponse};
use posthouse_protocol::{ErrorCode, Json, Violation};

use super::{Answer, Caller, Verb, fit, refuse};
use crate::gate::outbox::{LIMIT, PushError};
use crate::gate::stamp;
use crate::journal::{Event, EventFilter, MessageId, ReadError, Reader, Seq, Subject};

/// Events listed unless the caller says otherwise.
const USUAL: u32 = 200;
/// Most events listed.
const MOST: u32 = 1_000;

impl Verb for Events {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        let wanted = Wanted::of(&self, caller)?;
        let follow = self.follow.unwrap_or(false).then(|| wanted.clone());
        let limit = self.limit.unwrap_or(USUAL).clamp(1, MOST) as usize;
        let (after, tail) = (self.after, self.tail.unwrap_or(false));
        let page = caller.house.desk.ask(move |reader| {
            if tail { wanted.newest(reader, limit) } else { wanted.after(reader, cursor(after), limit) }
        });
        let (found, end) = page.await.map_err(refuse)?;
        let last = found.last().map(|event| event.seq);
        let (events, all) = fit(found.iter().map(wire).collect(), caller.outbox.max_frame());
        let next =
            if all { end } else { events.last().map_or(cursor(after), |event| cursor(Some(event.seq))) };
        if let Some(wanted) = follow {
            let from = if all { end.max(last.unwrap_or_default()) } else { next };
            tokio::spawn(follow_from(from, wanted, caller.clone()));
        }
        Ok(EventsResponse { events, next: unsigned(next) })
    }
}

/// Which events a caller asked for and may see.
#[derive(Clone, Debug)]
struct Wanted {
    owner: u32,
    kinds: Vec<String>,
    subject: Option<Subject>,
}

impl Wanted {
    fn of(events: &Events, caller: &Caller) -> Result<Self, Violation> {
        let subject = events.subject.clone();
        let own = &caller.principal.name;
        let subject = match subject {
            _ if caller.sees_all() => subject,
            None => Some(own.clone()),
            Some(name) if name == *own => Some(name),
            Some(name) => {
                let message = format!("{own} may see its own events only, not those about {name}");
                return Err(Violation::warning(ErrorCode::Forbidden, message));
            }
        };
        let subject = subject.map(|text| match MessageId::parse(&text) {
            Some(id) => Subject::Message(id),
            None => Subject::Named(text.into()),
        });
        Ok(Self { owner: caller.principal.uid, kinds: events.kinds.clone(), subject })
    }

    fn matches(&self, event: &Event) -> bool {
        let kind = event.what.kind.as_str();
        self.kinds.is_empty()
            || self
                .kinds
                .iter()
                .any(|wanted| kind == wanted || (wanted.ends_with('.') && kind.starts_with(wanted.as_str())))
    }

    /// What the journal itself can sort out; a family of kinds is finer than its filter only where several are wanted.
    fn filter(&self) -> EventFilter {
        let kind = match self.kinds.as_slice() {
            [only] => Some(only.trim_end_matches('.').to_owned()),
            _ => None,
        };
        EventFilter { kind, subject: self.subject.clone() }
    }

    /// Up to `limit` events after `cursor`, and the cursor to read on from.
    fn after(&self, reader: &Reader, mut cursor: Seq, limit: usize) -> Result<(Vec<Event>, Seq), ReadError> {
        let filter = self.filter();
        let mut found = Vec::new();
        loop {
            let page = reader.events(self.owner, cursor, limit.max(100), &filter)?;
            let more = page.more;
            for event in page.rows {
                cursor = event.seq;
                if self.matches(&event) {
                    found.push(event);
                    if found.len() == limit {
                        return Ok((found, cursor));
                    }
                }
            }
            if !more {
                return Ok((found, cursor));
            }
        }
    }

    /// The newest `limit` events, oldest of them first, and the cursor after them.
    fn newest(&self, reader: &Reader, limit: usize) -> Result<(Vec<Event>, Seq), ReadError> {
        let filter = self.filter();
        let mut found = Vec::new();
        let mut before = None;
        loop {
            let page = reader.events_before(self.owner, before, limit.max(100), &filter)?;
            let more = page.more;
            for event in page.rows {
                before = Some(event.seq);
                if self.matches(&event) {
                    found.push(event);
                }
                if found.len() == limit {
                    break;
                }
            }
            if !more || found.len() == limit {
                let end = found.first().map_or(Seq(0), |newest| newest.seq);
                found.reverse();
                return Ok((found, end));
            }
        }
    }
}

/// Pushes every event after `cursor` until the connection ends. A reader that is behind is waited for: the journal
/// keeps what it has not seen.
async fn follow_from(mut cursor: Seq, wanted: Wanted, caller: Caller) {
    let mut committed = caller.house.journal.committed();
    loop {
        // Whatever was committed before the question is in the answer, or is none of this caller's.
        let seen = *committed.borrow_and_update();
        let asked = wanted.clone();
        let found = caller.house.desk.ask(move |reader| asked.after(reader, cursor, MOST as usize)).await;
        match found {
            Ok((events, end)) => {
                let more = events.len() == MOST as usize;
                if push(&events, &caller).is_err() {
                    return;
                }
                cursor = if more { end } else { end.max(seen) };
                if more {
                    if !has_room(&caller).await {
                        return;
                    }
                    continue;
                }
            }
            Err(ReadError::Busy { .. }) => {}
            Err(_) => return,
        }
        tokio::select! {
            changed = committed.changed() => if changed.is_err() { return },
            () = caller.outbox.closed() => return,
        }
        if !has_room(&caller).await {
            return;
        }
    }
}

/// Waits until the reader has caught up with half of what may wait for it; false if the connection ended.
async fn has_room(caller: &Caller) -> bool {
    while caller.outbox.waiting() > LIMIT / 2 {
        if caller.outbox.is_closed() {
            return false;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    !caller.outbox.is_closed()
}

fn push(events: &[Event], caller: &Caller) -> Result<(), PushError> {
    for event in events {
        let frame = stamp::frame(caller.id.clone(), &wire(event), caller.outbox.encoding());
        match frame.and_then(|frame| caller.outbox.push_frame(&frame)) {
            Ok(pushed) => pushed?,
            Err(e) => tracing::error!(seq = event.seq.0, error = %e, "an event could not be written"),
        }
    }
    Ok(())
}

fn wire(event: &Event) -> WireEvent {
    let what = &event.what;
    WireEvent {
        seq: unsigned(event.seq),
        version: event.version,
        kind: what.kind.to_string(),
        subject: what.subject.to_string(),
        cause: what.cause.map(|seq| seq.to_string()),
        actor: what.actor.as_deref().unwrap_or("posthoused").to_owned(),
        at: what.at_ms,
        data: what.data.parse::<serde_json::Value>().map_or_else(|_| Json::of(&()), Json::from),
    }
}

fn cursor(after: Option<u64>) -> Seq {
    Seq(after.map_or(0, |n| i64::try_from(n).unwrap_or(i64::MAX)))
}

fn unsigned(seq: Seq) -> u64 {
    u64::try_from(seq.0).unwrap_or(0)
}
