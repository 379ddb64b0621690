//! One recipient's messages in order, and what of everyone's has not ended: what a restarted daemon has to finish.

use rusqlite::{named_params, params};

use super::messages::{Order, Stored, stored};
use super::{MAX_ROWS, PAGE_BYTES, Page, Reader, limits, row};
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

/// Where one part of an inbox comes from. `CROSS JOIN` keeps SQLite to the order that is written, so that a page reads
/// only its own rows.
struct Part {
    from: &'static str,
    seq: &'static str,
}

/// The part of an inbox that is in its table.
const SETTLED: Part = Part {
    from: "inbox i CROSS JOIN message m ON m.seq = i.seq
           CROSS JOIN delivery d ON d.message = m.id AND d.owner = i.owner AND d.recipient = i.recipient
           WHERE i.owner = :owner AND i.recipient = :recipient",
    seq: "i.seq",
};

/// The messages after that, which are few.
const RECENT: Part = Part {
    from: "message m CROSS JOIN delivery d ON d.message = m.id
           WHERE d.owner = :owner AND d.recipient = :recipient AND m.seq > (SELECT seq FROM settled)",
    seq: "m.seq",
};

/// Those that have not ended, of everyone: they have an index of their own.
const UNREAD: Part = Part {
    from: "delivery d INDEXED BY delivery_open CROSS JOIN message m ON m.seq = d.seq
           WHERE d.ended = 0 AND d.owner = :owner AND d.recipient = :recipient",
    seq: "d.seq",
};

impl Part {
    fn sql(&self, order: Order) -> String {
        let (compare, order) = order.sql();
        let Self { from, seq } = self;
        format!(
            "SELECT {}, {} FROM {from} AND {seq} {compare} :after
               AND (:sender IS NULL OR m.sender = :sender)
               AND (:target IS NULL OR m.target = :target)
             ORDER BY {seq} {order} LIMIT :limit",
            row::MESSAGE,
            row::DELIVERY
        )
    }
}

impl Reader {
    /// A recipient's messages in the chosen order, with how far each has come.
    pub fn inbox(&self, query: &InboxQuery) -> Result<Page<Open>, ReadError> {
        if query.unread_only {
            return self.inbox_part(&UNREAD, query, query.limit);
        }
        let (first, second) = match query.order {
            Order::Ascending => (&SETTLED, &RECENT),
            Order::Descending => (&RECENT, &SETTLED),
        };
        // One snapshot for both, or a message that is settled in between would be missed.
        let snapshot = self.db.unchecked_transaction()?;
        let mut page = self.inbox_part(first, query, query.limit)?;
        let left = query.limit.min(MAX_ROWS).saturating_sub(page.rows.len());
        if !page.more {
            let rest = self.inbox_part(second, query, left)?;
            page.rows.extend(rest.rows);
            page.more = rest.more;
        }
        snapshot.finish()?;
        Ok(page)
    }

    fn inbox_part(&self, part: &Part, query: &InboxQuery, limit: usize) -> Result<Page<Open>, ReadError> {
        let (limit, sql_limit) = limits(limit);
        let params = named_params! {
            ":owner": query.owner,
            ":recipient": query.recipient,
            ":after": query.after.unwrap_or(query.order.start()).0,
            ":sender": query.from,
            ":target": query.channel,
            ":limit": sql_limit,
        };
        self.page(&part.sql(query.order), params, limit, open, |open| open.stored.message.size())
    }

    /// What has not ended, of all recipients, in the order of acceptance after `after`: read page by page, every lane
    /// of (sender, recipient, when) comes out first in, first out. All recipients of a message are on one page, which
    /// may exceed the limit for it; they share its body.
    pub fn unfinished(&self, after: Seq, limit: usize) -> Result<Page<Open>, ReadError> {
        let limit = limit.clamp(1, MAX_ROWS);
        let sql = format!(
            "SELECT {}, {} FROM delivery d INDEXED BY delivery_open JOIN message m ON m.seq = d.seq
             WHERE d.ended = 0 AND d.seq > ?1 ORDER BY d.seq, d.owner, d.recipient",
            row::MESSAGE,
            row::DELIVERY
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let mut found = statement.query(params![after.0])?;
        let (mut rows, mut bytes) = (Vec::<Open>::new(), 0);
        while let Some(row) = found.next()? {
            let delivery = row::delivery(row, row::MESSAGE_COLUMNS)?;
            let stored = match rows.last() {
                Some(last) if last.stored.seq == delivery.seq => last.stored.clone(),
                _ if rows.len() >= limit || bytes >= PAGE_BYTES => return Ok(Page { rows, more: true }),
                _ => stored(row)?,
            };
            bytes += stored.message.size();
            rows.push(Open { delivery, stored });
        }
        Ok(Page { rows, more: false })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A sort would mean that a page reads the whole inbox, bodies and all.
    #[test]
    fn no_part_of_an_inbox_is_sorted_or_scanned() {
        let dir = tempfile::tempdir().unwrap();
        let db = crate::journal::schema::open_writer(&dir.path().join("journal.db"), None).unwrap();
        for part in [&SETTLED, &RECENT, &UNREAD] {
            for order in [Order::Ascending, Order::Descending] {
                let sql = format!("EXPLAIN QUERY PLAN {}", part.sql(order));
                let mut plan = db.prepare(&sql).unwrap();
                let steps = plan.raw_query().mapped(|row| row.get("detail"));
                let steps: Vec<String> = steps.collect::<Result<_, _>>().unwrap();
                // That table has one row.
                let scans = |step: &String| step.starts_with("SCAN") && step != "SCAN settled";
                let sorts = |step: &String| step.contains("TEMP B-TREE");
                assert!(!steps.iter().any(|step| scans(step) || sorts(step)), "{steps:#?}");
            }
        }
    }
}
