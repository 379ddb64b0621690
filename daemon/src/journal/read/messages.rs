//! Reading messages, by id or by what they are.

use rusqlite::{OptionalExtension, named_params, params};

use super::{Page, Reader, limits, row};
use crate::journal::{Message, MessageId, ReadError, Seq};

/// A message as read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Position of its acceptance.
    pub seq: Seq,
    /// The message.
    pub message: Message,
}

/// Which end comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    #[default]
    Ascending,
    /// Newest first.
    Descending,
}

impl Order {
    /// What is beyond a position, and the word for the order.
    pub(super) fn sql(self) -> (&'static str, &'static str) {
        match self {
            Self::Ascending => (">", "ASC"),
            Self::Descending => ("<", "DESC"),
        }
    }

    /// The position that everything is beyond. A bound that is always there lets SQLite seek to it.
    pub(super) fn start(self) -> Seq {
        match self {
            Self::Ascending => Seq(i64::MIN),
            Self::Descending => Seq(i64::MAX),
        }
    }
}

/// Which messages; none of a filter means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageQuery {
    /// Whose; a message is its sender's and its recipients'.
    pub owner: u32,
    /// Accepted at or after this, Unix milliseconds.
    pub since_ms: Option<u64>,
    /// Positions to read beyond in the chosen order, to continue a page.
    pub beyond: Option<Seq>,
    /// Sender.
    pub from: Option<String>,
    /// Target as the sender wrote it (a name, `*`, `#channel`), or one recipient.
    pub to: Option<String>,
    /// Thread.
    pub thread: Option<String>,
    /// Which end first.
    pub order: Order,
    /// Most rows.
    pub limit: usize,
}

impl Reader {
    /// The message with this id, unless retention has removed it.
    pub fn message(&self, id: MessageId) -> Result<Option<Stored>, ReadError> {
        let sql = format!(
            "SELECT {} FROM message m WHERE m.seq = (SELECT seq FROM delivery WHERE message = ?1 LIMIT 1)",
            row::MESSAGE
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let found = statement.query_row(params![id.0.as_bytes()], row::message).optional()?;
        Ok(found.map(|(seq, message)| Stored { seq, message }))
    }

    /// Messages by what they are.
    pub fn messages(&self, query: &MessageQuery) -> Result<Page<Stored>, ReadError> {
        let (limit, sql_limit) = limits(query.limit);
        let (compare, order) = query.order.sql();
        let sql = format!(
            "SELECT {} FROM message m
             WHERE m.owner = :owner
               AND (:since IS NULL OR m.accepted_ms >= :since)
               AND (:beyond IS NULL OR m.seq {compare} :beyond)
               AND (:sender IS NULL OR m.sender = :sender)
               AND (:target IS NULL OR m.target = :target
                    OR EXISTS (SELECT 1 FROM delivery d
                               WHERE d.message = m.id AND d.owner = m.owner AND d.recipient = :target))
               AND (:thread IS NULL OR m.thread = :thread)
             ORDER BY m.seq {order} LIMIT :limit",
            row::MESSAGE
        );
        let params = named_params! {
            ":owner": query.owner,
            ":since": query.since_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX)),
            ":beyond": query.beyond.map(|seq| seq.0),
            ":sender": query.from,
            ":target": query.to,
            ":thread": query.thread,
            ":limit": sql_limit,
        };
        self.page(&sql, params, limit, stored, |stored| stored.message.size())
    }
}

pub(super) fn stored(row: &rusqlite::Row<'_>) -> rusqlite::Result<Stored> {
    row::message(row).map(|(seq, message)| Stored { seq, message })
}
