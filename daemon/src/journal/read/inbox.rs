//! One recipient's messages in order, and what of everyone's has not ended: what a restarted daemon has to finish.

use rusqlite::{named_params, params};

use super::messages::{Order, Stored, stored};
use super::{Page, Reader, limits, row};
use crate::journal::{Delivery, ReadError, Seq};

/// Which of a recipient's messages; none of a filter means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InboxQuery {
    /// The recipient's uid.
    pub owner: u32,
    /// The recipient.
    pub recipient: String,
    /// Only those that have not ended.
    pub unread_only: bool,
    /// Sender.
    pub from: Option<String>,
    /// Target as the sender wrote it: `#channel`.
    pub channel: Option<String>,
    /// Read on beyond this position in the chosen order.
    pub after: Option<Seq>,
    /// Which end first.
    pub order: Order,
    /// Most rows.
    pub limit: usize,
}

/// A delivery that has not ended, with its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// How far it has come.
    pub delivery: Delivery,
    /// The message.
    pub stored: Stored,
}

/// What one recipient has waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTotal {
    /// The recipient's uid.
    pub owner: u32,
    /// The recipient.
    pub recipient: String,
    /// Messages that have not ended.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The oldest of them.
    pub oldest: Seq,
}

impl Reader {
    /// A recipient's messages in the chosen order, with how far each has come.
    pub fn inbox(&self, query: &InboxQuery) -> Result<Page<Open>, ReadError> {
        let (limit, sql_limit) = limits(query.limit);
        // Two statements, because only the constant condition lets SQLite use the small index of open deliveries.
        let ended = if query.unread_only { "AND d.ended = 0" } else { "" };
        let (compare, order) = query.order.sql();
        let sql = format!(
            "SELECT {}, {} FROM delivery d JOIN message m ON m.seq = d.seq
             WHERE d.owner = :owner AND d.recipient = :recipient
               AND d.seq {compare} :after {ended}
               AND (:sender IS NULL OR m.sender = :sender)
               AND (:target IS NULL OR m.target = :target)
             ORDER BY d.seq {order} LIMIT :limit",
            row::MESSAGE,
            row::DELIVERY
        );
        let params = named_params! {
            ":owner": query.owner,
            ":recipient": query.recipient,
            ":after": query.after.unwrap_or(query.order.start()).0,
            ":sender": query.from,
            ":target": query.channel,
            ":limit": sql_limit,
        };
        self.page(&sql, params, limit, open, |open| open.stored.message.size())
    }

    /// What has not ended, of all recipients, in the order of acceptance after `after`: read page by page, every lane
    /// of (sender, recipient, when) comes out first in, first out.
    pub fn unfinished(&self, after: Seq, limit: usize) -> Result<Page<Open>, ReadError> {
        let (limit, sql_limit) = limits(limit);
        let sql = format!(
            "SELECT {}, {} FROM delivery d JOIN message m ON m.seq = d.seq
             WHERE d.ended = 0 AND d.seq > :after ORDER BY d.seq, d.owner, d.recipient LIMIT :limit",
            row::MESSAGE,
            row::DELIVERY
        );
        let params = named_params! { ":after": after.0, ":limit": sql_limit };
        self.page(&sql, params, limit, open, |open| open.stored.message.size())
    }

    /// How much each recipient has waiting; those with nothing are left out.
    pub fn open_totals(&self) -> Result<Vec<OpenTotal>, ReadError> {
        let mut statement = self.db.prepare_cached(
            "SELECT owner, recipient, count(*), sum(size), min(seq) FROM delivery
             WHERE ended = 0 GROUP BY owner, recipient",
        )?;
        let rows = statement.query_map(params![], |row| {
            Ok(OpenTotal {
                owner: row.get(0)?,
                recipient: row.get(1)?,
                messages: row.get::<_, i64>(2)?.unsigned_abs(),
                bytes: row.get::<_, i64>(3)?.unsigned_abs(),
                oldest: Seq(row.get(4)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn open(row: &rusqlite::Row<'_>) -> rusqlite::Result<Open> {
    Ok(Open { stored: stored(row)?, delivery: row::delivery(row, row::MESSAGE_COLUMNS)? })
}
