//! Questions to the journal, over a connection of their own that can only read: they see whole commits and never make
//! the writer wait.
//!
//! Answers are pages: a row limit and a byte limit bound each, and `more` says that the page was cut.

mod documents;
mod events;
mod inbox;
mod messages;
mod receipts;
mod row;

use std::path::Path;

use rusqlite::Connection;

pub use events::EventFilter;
pub use inbox::{InboxQuery, Open, OpenTotal};
pub use messages::{MessageQuery, Order, Stored};
pub use receipts::Receipts;

use super::ReadError;

/// Most rows of one page, whatever was asked for.
pub const MAX_ROWS: usize = 1000;

/// A page ends after the row that takes its bodies to this many bytes.
pub const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Part of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Whether there are more beyond the limit.
    pub more: bool,
}

/// A read-only connection. It may move between threads but is used by one at a time; a query blocks its thread.
#[derive(Debug)]
pub struct Reader {
    db: Connection,
}

impl Reader {
    /// Opens the journal at `path`, which a [`super::Journal`] has made.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        Ok(Self { db: super::schema::open_reader(path)? })
    }

    /// Runs `sql` and reads a page from its rows; `sql` must limit itself to `limit + 1` rows.
    fn page<T>(
        &self,
        sql: &str,
        params: &[(&str, &dyn rusqlite::ToSql)],
        limit: usize,
        read: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
        weigh: impl Fn(&T) -> usize,
    ) -> Result<Page<T>, ReadError> {
        let mut statement = self.db.prepare_cached(sql)?;
        let mut found = statement.query(params)?;
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while let Some(row) = found.next()? {
            if rows.len() == limit || bytes >= PAGE_BYTES {
                return Ok(Page { rows, more: true });
            }
            let item = read(row)?;
            bytes += weigh(&item);
            rows.push(item);
        }
        Ok(Page { rows, more: false })
    }
}

/// The limit that applies, and the one to give to SQL: one more, to learn whether the page was cut.
fn limits(asked: usize) -> (usize, i64) {
    let limit = asked.min(MAX_ROWS);
    (limit, i64::try_from(limit + 1).unwrap_or(i64::MAX))
}
