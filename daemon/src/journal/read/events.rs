//! Events by cursor.

use rusqlite::named_params;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::messages::Order;
use super::{Page, Reader, limits, row};
use crate::journal::{Event, ReadError, Seq, Subject};

/// Which events; none of a filter means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// A kind (`receipt`), or a family of kinds by its first word (`session` for `session.state`).
    pub kind: Option<String>,
    /// What they are about.
    pub subject: Option<Subject>,
    /// First and last position looked at. A stretch keeps the search for something rare from holding up the questions
    /// that wait behind it.
    pub within: Option<(Seq, Seq)>,
}

impl Reader {
    /// Events of `owner` after `cursor`, oldest first. To read on, give the last row's position.
    pub fn events(
        &self,
        owner: u32,
        cursor: Seq,
        limit: usize,
        filter: &EventFilter,
    ) -> Result<Page<Event>, ReadError> {
        self.events_in(owner, Order::Ascending, Some(cursor), limit, filter)
    }

    /// Events of `owner` before `cursor` (none: the end), newest first. To read on, give the last row's position.
    pub fn events_before(
        &self,
        owner: u32,
        cursor: Option<Seq>,
        limit: usize,
        filter: &EventFilter,
    ) -> Result<Page<Event>, ReadError> {
        self.events_in(owner, Order::Descending, cursor, limit, filter)
    }

    fn events_in(
        &self,
        owner: u32,
        order: Order,
        cursor: Option<Seq>,
        limit: usize,
        filter: &EventFilter,
    ) -> Result<Page<Event>, ReadError> {
        let (limit, sql_limit) = limits(limit);
        let cursor = cursor.unwrap_or(order.start());
        let (compare, order) = order.sql();
        let sql = format!(
            "SELECT {} FROM event
             WHERE seq {compare} :cursor AND seq BETWEEN :first AND :last AND owner = :owner
               AND (:kind IS NULL OR kind = :kind OR substr(kind, 1, length(:kind) + 1) = :kind || '.')
               AND (:subject IS NULL OR subject = :subject)
             ORDER BY seq {order} LIMIT :limit",
            row::EVENT
        );
        let subject = ToSqlOutput::Borrowed(match &filter.subject {
            None => ValueRef::Null,
            Some(Subject::Message(id)) => ValueRef::Blob(id.0.as_bytes()),
            Some(Subject::Named(name)) => ValueRef::Text(name.as_bytes()),
        });
        let (first, last) = filter.within.unwrap_or((Seq(i64::MIN), Seq(i64::MAX)));
        let params = named_params! {
            ":cursor": cursor.0,
            ":first": first.0,
            ":last": last.0,
            ":owner": owner,
            ":kind": filter.kind,
            ":subject": subject,
            ":limit": sql_limit,
        };
        self.page(&sql, params, limit, row::event, |event| event.what.data.as_str().len())
    }

    /// The oldest event still kept; a cursor before it has lost something to retention.
    pub fn oldest_event(&self) -> Result<Option<Seq>, ReadError> {
        let mut statement = self.db.prepare_cached("SELECT min(seq) FROM event")?;
        Ok(statement.query_row([], |row| row.get::<_, Option<i64>>(0))?.map(Seq))
    }

    /// The newest event there is.
    pub fn newest_event(&self) -> Result<Option<Seq>, ReadError> {
        let mut statement = self.db.prepare_cached("SELECT max(seq) FROM event")?;
        Ok(statement.query_row([], |row| row.get::<_, Option<i64>>(0))?.map(Seq))
    }
}
