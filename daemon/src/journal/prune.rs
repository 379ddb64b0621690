//! Retention: what is old or too much goes, oldest first, in small steps that ride on batches which are written anyway.
//! A message whose delivery has not ended never goes.

use rusqlite::{Connection, Statement, params};

use super::apply::{DEDUPE_MS, millis};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// How much history is kept. Whichever bound is reached first applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Events younger than this are kept, in milliseconds.
    pub event_age_ms: u64,
    /// At most about this many events are kept.
    pub event_rows: u64,
    /// Ended messages and their receipts younger than this are kept, in milliseconds.
    pub message_age_ms: u64,
    /// At most about this many receipts are kept, not counting those that have not ended.
    pub receipt_rows: u64,
    /// Above this many bytes in use, ended messages and events go regardless of age.
    pub bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            event_age_ms: 30 * DAY_MS,
            event_rows: 2_000_000,
            message_age_ms: 30 * DAY_MS,
            receipt_rows: 1_000_000,
            bytes: 4 * 1024 * 1024 * 1024,
        }
    }
}

/// Rows looked at per table in one step.
const STEP: i64 = 512;

/// Events written between two steps: fewer than a step removes, so that pruning keeps up.
const EVERY: u64 = 256;

/// Steps that one [`super::Op::Prune`] takes at most.
const SWEEP_STEPS: usize = 32;

/// Where pruning stands.
pub(super) struct Pruner<'db> {
    keep: Retention,
    written: u64,
    receipts: u64,
    messages_after: i64,
    dedupe_after: (i64, String, String),
    events: Statement<'db>,
    delete_events: Statement<'db>,
    messages: Statement<'db>,
    delete_message: Statement<'db>,
    delete_deliveries: Statement<'db>,
    dedupe: Statement<'db>,
    delete_dedupe: Statement<'db>,
    pages: Statement<'db>,
    free_pages: Statement<'db>,
    page_size: u64,
}

impl<'db> Pruner<'db> {
    pub(super) fn prepare(db: &'db Connection, keep: Retention) -> rusqlite::Result<Self> {
        let receipts: i64 = db.query_row("SELECT count(*) FROM delivery", [], |row| row.get(0))?;
        let page_size: i64 = db.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        Ok(Self {
            keep,
            written: 0,
            receipts: receipts.unsigned_abs(),
            messages_after: 0,
            dedupe_after: Default::default(),
            events: db.prepare("SELECT seq, at_ms FROM event ORDER BY seq LIMIT ?1")?,
            delete_events: db.prepare("DELETE FROM event WHERE seq <= ?1")?,
            messages: db.prepare(
                "SELECT seq, id, accepted_ms,
                        EXISTS (SELECT 1 FROM delivery d WHERE d.message = m.id AND d.ended = 0)
                 FROM message m WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            )?,
            delete_message: db.prepare("DELETE FROM message WHERE seq = ?1")?,
            delete_deliveries: db.prepare("DELETE FROM delivery WHERE message = ?1")?,
            dedupe: db.prepare(
                "SELECT owner, sender, client_id, accepted_ms FROM dedupe
                 WHERE (owner, sender, client_id) > (?1, ?2, ?3) ORDER BY owner, sender, client_id LIMIT ?4",
            )?,
            delete_dedupe: db
                .prepare("DELETE FROM dedupe WHERE owner = ?1 AND sender = ?2 AND client_id = ?3")?,
            pages: db.prepare("PRAGMA page_count")?,
            free_pages: db.prepare("PRAGMA freelist_count")?,
            page_size: page_size.unsigned_abs(),
        })
    }

    /// Called within each batch's transaction; takes a step once enough has been written. `receipts` is how many
    /// deliveries the batch added, `next` the position that the next event gets.
    pub(super) fn after_batch(
        &mut self,
        events: i64,
        receipts: u64,
        now_ms: u64,
        next: i64,
    ) -> rusqlite::Result<()> {
        self.written += events.unsigned_abs();
        self.receipts += receipts;
        if self.written < EVERY {
            return Ok(());
        }
        let steps = self.written / EVERY;
        self.written = 0;
        for _ in 0..steps {
            if !self.step(now_ms, next)? {
                break;
            }
        }
        Ok(())
    }

    /// Many steps at once, for [`super::Op::Prune`].
    pub(super) fn sweep(&mut self, now_ms: u64, next: i64) -> rusqlite::Result<()> {
        for _ in 0..SWEEP_STEPS {
            if !self.step(now_ms, next)? {
                break;
            }
        }
        Ok(())
    }

    /// One step; false if there was nothing to remove.
    fn step(&mut self, now_ms: u64, next: i64) -> rusqlite::Result<bool> {
        let tight = self.bytes_in_use()? > self.keep.bytes;
        let events = self.prune_events(now_ms, next, tight)?;
        let messages = self.prune_messages(now_ms, tight)?;
        let dedupe = self.prune_dedupe(now_ms)?;
        Ok(events || messages || dedupe)
    }

    fn bytes_in_use(&mut self) -> rusqlite::Result<u64> {
        let pages: i64 = self.pages.query_row([], |row| row.get(0))?;
        let free: i64 = self.free_pages.query_row([], |row| row.get(0))?;
        Ok(pages.saturating_sub(free).unsigned_abs() * self.page_size)
    }

    /// The newest event always stays: the next position is read from it at start.
    fn prune_events(&mut self, now_ms: u64, next: i64, tight: bool) -> rusqlite::Result<bool> {
        let surplus = next - 1 - millis(self.keep.event_rows);
        let cutoff = millis(now_ms.saturating_sub(self.keep.event_age_ms));
        let mut last = None;
        let mut rows = self.events.query(params![STEP])?;
        while let Some(row) = rows.next()? {
            let (seq, at_ms): (i64, i64) = (row.get(0)?, row.get(1)?);
            if seq >= next - 1 || !(tight || seq <= surplus || at_ms < cutoff) {
                break;
            }
            last = Some(seq);
        }
        drop(rows);
        if let Some(seq) = last {
            self.delete_events.execute([seq])?;
        }
        Ok(last.is_some())
    }

    fn prune_messages(&mut self, now_ms: u64, tight: bool) -> rusqlite::Result<bool> {
        let cutoff = millis(now_ms.saturating_sub(self.keep.message_age_ms));
        let mut surplus = self.receipts.saturating_sub(self.keep.receipt_rows);
        let (mut seen, mut removed) = (0, false);
        let mut rows = self.messages.query(params![self.messages_after, STEP])?;
        while let Some(row) = rows.next()? {
            let (seq, id, at_ms, open): (i64, [u8; 16], i64, bool) =
                (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            if !(tight || surplus > 0 || at_ms < cutoff) {
                break;
            }
            seen += 1;
            self.messages_after = seq;
            if !open {
                let receipts = self.delete_deliveries.execute([&id[..]])? as u64;
                self.delete_message.execute([seq])?;
                removed = true;
                self.receipts = self.receipts.saturating_sub(receipts);
                surplus = surplus.saturating_sub(receipts);
            }
        }
        // Begin again from the oldest: what was open then may have ended since.
        if seen < STEP {
            self.messages_after = 0;
        }
        Ok(removed || seen == STEP)
    }

    /// Walks round and round the table, which has no order in time.
    fn prune_dedupe(&mut self, now_ms: u64) -> rusqlite::Result<bool> {
        let cutoff = millis(now_ms.saturating_sub(DEDUPE_MS));
        let (mut seen, mut removed) = (0, false);
        let (owner, sender, client_id) = &self.dedupe_after;
        let mut rows = self.dedupe.query(params![owner, sender, client_id, STEP])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let key: (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if row.get::<_, i64>(3)? < cutoff {
                self.delete_dedupe.execute(params![key.0, key.1, key.2])?;
                removed = true;
            }
            seen += 1;
            last = Some(key);
        }
        drop(rows);
        self.dedupe_after = if seen < STEP { Default::default() } else { last.unwrap_or_default() };
        Ok(removed)
    }
}
