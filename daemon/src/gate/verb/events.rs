//! EVENTS: what happened, from a cursor on, and from then on as it happens.

use std::time::Duration;

use posthouse_protocol::payload::{Event as WireEvent, Events, EventsResponse};
use posthouse_protocol::{ErrorCode, Json, Violation};

use super::history::Wanted;
use super::{Answer, Caller, Verb, fit, refuse};
use crate::gate::outbox::{LIMIT, PushError};
use crate::gate::stamp;
use crate::journal::{Event, MessageId, ReadError, Seq, Subject};

/// Events listed unless the caller says otherwise.
const USUAL: u32 = 200;
/// Most events listed.
const MOST: u32 = 1_000;
/// Least time between two looks of a follower.
const PAUSE: Duration = Duration::from_millis(5);

impl Verb for Events {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        let wanted = wanted(&self, caller)?;
        let limit = self.limit.unwrap_or(USUAL).clamp(1, MOST) as usize;
        let desk = &caller.house.desk;
        let found = match self.tail {
            Some(true) => wanted.newest(desk, limit).await,
            _ => wanted.after(desk, cursor(self.after), limit).await,
        };
        let found = found.map_err(refuse)?;
        let (events, all) = fit(found.events.iter().map(wire).collect(), caller.outbox.max_frame());
        let next = match events.last() {
            Some(last) if !all => cursor(Some(last.seq)),
            _ => found.end,
        };
        if self.follow == Some(true) {
            tokio::spawn(follow(next, wanted, caller.clone()));
        }
        Ok(EventsResponse { events, next: unsigned(next) })
    }
}

/// What a caller asked for, as far as it may see it.
fn wanted(events: &Events, caller: &Caller) -> Result<Wanted, Violation> {
    let own = &caller.principal.name;
    let subject = match &events.subject {
        asked if caller.sees_all() => asked.clone(),
        None => Some(own.clone()),
        Some(name) if name == own => Some(name.clone()),
        Some(name) => {
            let message = format!("{own} may see its own events only, not those about {name}");
            return Err(Violation::warning(ErrorCode::Forbidden, message));
        }
    };
    let subject = subject.map(|text| match MessageId::parse(&text) {
        Some(id) => Subject::Message(id),
        None => Subject::Named(text.into()),
    });
    Ok(Wanted { owner: caller.principal.uid, kinds: events.kinds.clone(), subject })
}

/// Pushes every event after `cursor` until the connection ends. A reader that is behind is waited for: the journal
/// keeps what it has not seen.
async fn follow(mut cursor: Seq, wanted: Wanted, caller: Caller) {
    let mut committed = caller.house.journal.committed();
    loop {
        committed.mark_unchanged();
        match wanted.after(&caller.house.desk, cursor, MOST as usize).await {
            Ok(found) => {
                if push(&found.events, &caller).is_err() || !has_room(&caller).await {
                    return;
                }
                cursor = found.end;
                if found.events.len() == MOST as usize {
                    continue;
                }
            }
            // The journal is busy: the next commit is another occasion.
            Err(ReadError::Busy { .. }) => {}
            Err(_) => return,
        }
        tokio::select! {
            changed = committed.changed() => if changed.is_err() { return },
            () = caller.outbox.closed() => return,
        }
        // Under load commits come by the thousand per second; a follower looks at most so often.
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until the reader has caught up with half of what may wait for it; false if the connection ended.
async fn has_room(caller: &Caller) -> bool {
    while caller.outbox.waiting() > LIMIT / 2 {
        if caller.outbox.is_closed() {
            return false;
        }
        tokio::time::sleep(PAUSE).await;
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
