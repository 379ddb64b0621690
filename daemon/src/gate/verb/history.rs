//! Searching the history for what a caller wants, in stretches, so that other questions to the journal get their turn
//! in between.

use crate::journal::{Desk, Event, EventFilter, Order, Page, ReadError, Seq, Subject};

/// Positions looked at in one question.
const STRETCH: i64 = 20_000;
/// Rows of one question.
const ROWS: usize = 1_000;

/// Which events.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) owner: u32,
    /// Words, or families of words that end in a dot; empty means any.
    pub(super) kinds: Vec<String>,
    pub(super) subject: Option<Subject>,
}

/// What was found, oldest first.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) events: Vec<Event>,
    /// Nothing up to here is left to be found.
    pub(super) end: Seq,
}

impl Wanted {
    fn matches(&self, event: &Event) -> bool {
        let kind = event.what.kind.as_str();
        let is =
            |wanted: &String| kind == wanted || (wanted.ends_with('.') && kind.starts_with(wanted.as_str()));
        self.kinds.is_empty() || self.kinds.iter().any(is)
    }

    /// What the journal can sort out by itself: one kind or family. Several are sorted out here.
    fn filter(&self, first: Seq, last: Seq) -> EventFilter {
        let kind = match self.kinds.as_slice() {
            [only] => Some(only.trim_end_matches('.').to_owned()),
            _ => None,
        };
        EventFilter { kind, subject: self.subject.clone(), within: Some((first, last)) }
    }

    /// Up to `limit` events behind `cursor`.
    pub(super) async fn after(&self, desk: &Desk, cursor: Seq, limit: usize) -> Result<Found, ReadError> {
        let Some((oldest, newest)) = bounds(desk).await? else {
            return Ok(Found { events: Vec::new(), end: cursor });
        };
        let mut found = Found { events: Vec::new(), end: cursor.max(Seq(oldest.0 - 1)) };
        while found.end < newest && found.events.len() < limit {
            let last = newest.min(Seq(found.end.0 + STRETCH));
            let page = self.page(desk, Order::Ascending, Seq(found.end.0 + 1), last).await?;
            let looked_at = if page.more { page.rows.last().map_or(last, |event| event.seq) } else { last };
            for event in page.rows.into_iter().filter(|event| self.matches(event)) {
                if found.events.len() == limit {
                    return Ok(found);
                }
                found.end = event.seq;
                found.events.push(event);
            }
            found.end = looked_at;
        }
        Ok(found)
    }

    /// The newest `limit` events.
    pub(super) async fn newest(&self, desk: &Desk, limit: usize) -> Result<Found, ReadError> {
        let Some((oldest, newest)) = bounds(desk).await? else {
            return Ok(Found { events: Vec::new(), end: Seq(0) });
        };
        let (mut events, mut before) = (Vec::new(), Seq(newest.0 + 1));
        while before > oldest && events.len() < limit {
            let first = oldest.max(Seq(before.0 - STRETCH));
            let page = self.page(desk, Order::Descending, first, Seq(before.0 - 1)).await?;
            before = if page.more { page.rows.last().map_or(first, |event| event.seq) } else { first };
            events.extend(page.rows.into_iter().filter(|event| self.matches(event)));
        }
        events.truncate(limit);
        events.reverse();
        Ok(Found { events, end: newest })
    }

    async fn page(&self, desk: &Desk, order: Order, first: Seq, last: Seq) -> Result<Page<Event>, ReadError> {
        let (filter, owner) = (self.filter(first, last), self.owner);
        let page = desk.ask(move |reader| match order {
            Order::Ascending => reader.events(owner, Seq(i64::MIN), ROWS, &filter),
            Order::Descending => reader.events_before(owner, None, ROWS, &filter),
        });
        page.await
    }
}

/// The oldest and the newest position there is.
async fn bounds(desk: &Desk) -> Result<Option<(Seq, Seq)>, ReadError> {
    let bounds = desk.ask(|reader| Ok((reader.oldest_event()?, reader.newest_event()?))).await?;
    Ok(bounds.0.zip(bounds.1))
}
