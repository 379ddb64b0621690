//! Retention: what is old or too much goes, oldest first, in small steps that ride on batches which are written anyway.
//! A message with a delivery that has not ended never goes.

use rusqlite::{Connection, Statement, params};

use super::Retention;
use super::apply::millis;
use super::lookup::DEDUPE_MS;

/// Rows looked at per table in one step.
const STEP: i64 = 512;

/// Events written between two steps: fewer than a step removes, so that pruning keeps up.
const EVERY: u64 = 256;

/// Bytes written after which a step is due as well.
const EVERY_BYTES: u64 = 4 * 1024 * 1024;

/// Steps taken at a time at most, so that a batch never waits long for pruning.
const MAX_STEPS: u64 = 32;

/// Roughly what a row takes beside its body, in bytes, over all trees it is in.
const ROW_BYTES: u64 = 400;

/// What one batch wrote.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Written {
    pub(super) events: u64,
    pub(super) receipts: u64,
    pub(super) bytes: u64,
}

/// Where pruning stands.
pub(super) struct Pruner<'db> {
    keep: Retention,
    since_step: Written,
    /// Receipts kept, as of the last commit.
    receipts: u64,
    /// Receipts kept if the transaction that is open is committed.
    receipts_then: u64,
    /// Messages up to here were looked at in this round.
    messages_after: i64,
    /// Client ids up to here were looked at in this round.
    dedupe_after: (i64, String, String),
    page_size: u64,
    pages: Statement<'db>,
    free_pages: Statement<'db>,
    events: Statement<'db>,
    delete_events: Statement<'db>,
    messages: Statement<'db>,
    delete_message: Statement<'db>,
    delete_deliveries: Statement<'db>,
    delete_inboxes: Statement<'db>,
    /// For a message that goes before it was settled: its client id counts for a day all the same.
    keep_claim: Statement<'db>,
    dedupe: Statement<'db>,
    delete_dedupe: Statement<'db>,
}

impl<'db> Pruner<'db> {
    pub(super) fn prepare(db: &'db Connection, keep: Retention) -> rusqlite::Result<Self> {
        let number = |sql| db.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs);
        Ok(Self {
            keep,
            since_step: Written::default(),
            receipts: number("SELECT count(*) FROM delivery")?,
            receipts_then: 0,
            messages_after: 0,
            dedupe_after: Default::default(),
            page_size: number("PRAGMA page_size")?,
            pages: db.prepare("PRAGMA page_count")?,
            free_pages: db.prepare("PRAGMA freelist_count")?,
            events: db
                .prepare("SELECT seq, at_ms, coalesce(length(data), 0) FROM event ORDER BY seq LIMIT ?1")?,
            delete_events: db.prepare("DELETE FROM event WHERE seq <= ?1")?,
            messages: db.prepare(
                "SELECT seq, id, accepted_ms, length(payload) + length(meta),
                        EXISTS (SELECT 1 FROM delivery d WHERE d.message = m.id AND d.ended = 0)
                 FROM message m WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            )?,
            delete_message: db.prepare("DELETE FROM message WHERE seq = ?1")?,
            delete_deliveries: db.prepare("DELETE FROM delivery WHERE message = ?1")?,
            delete_inboxes: db.prepare(
                "DELETE FROM inbox WHERE (owner, recipient, seq) IN
                 (SELECT owner, recipient, seq FROM delivery WHERE message = ?1)",
            )?,
            keep_claim: db.prepare(
                "INSERT OR REPLACE INTO dedupe (owner, sender, client_id, message, accepted_ms)
                 SELECT owner, sender, client_id, id, accepted_ms FROM message
                 WHERE seq = ?1 AND client_id IS NOT NULL",
            )?,
            dedupe: db.prepare(
                "SELECT owner, sender, client_id, accepted_ms FROM dedupe
                 WHERE (owner, sender, client_id) > (?1, ?2, ?3) ORDER BY owner, sender, client_id LIMIT ?4",
            )?,
            delete_dedupe: db
                .prepare("DELETE FROM dedupe WHERE owner = ?1 AND sender = ?2 AND client_id = ?3")?,
        })
    }

    /// A transaction begins.
    pub(super) fn begin(&mut self) {
        self.receipts_then = self.receipts;
    }

    /// It is committed.
    pub(super) fn committed(&mut self) {
        self.receipts = self.receipts_then;
    }

    /// Called within each batch's transaction; takes steps once enough has been written. `next` is the position that
    /// the next event gets, `settled` the last message that is in the look-up tables.
    pub(super) fn after_batch(
        &mut self,
        written: Written,
        now_ms: u64,
        next: i64,
        settled: i64,
    ) -> rusqlite::Result<()> {
        self.receipts_then += written.receipts;
        self.since_step.events += written.events;
        self.since_step.bytes += written.bytes;
        let due = (self.since_step.events / EVERY).max(self.since_step.bytes / EVERY_BYTES);
        if due > 0 {
            self.since_step = Written::default();
            self.steps(due.min(MAX_STEPS), now_ms, next, settled)?;
        }
        Ok(())
    }

    /// Many steps at once, for [`super::Op::Prune`].
    pub(super) fn sweep(&mut self, now_ms: u64, next: i64, settled: i64) -> rusqlite::Result<()> {
        self.steps(MAX_STEPS, now_ms, next, settled)
    }

    fn steps(&mut self, most: u64, now_ms: u64, next: i64, settled: i64) -> rusqlite::Result<()> {
        for _ in 0..most {
            let mut surplus = self.bytes_in_use()?.saturating_sub(self.keep.bytes);
            let messages = self.prune_messages(now_ms, settled, &mut surplus)?;
            let events = self.prune_events(now_ms, next, surplus)?;
            let dedupe = self.prune_dedupe(now_ms)?;
            if !(messages || events || dedupe) {
                break;
            }
        }
        Ok(())
    }

    fn bytes_in_use(&mut self) -> rusqlite::Result<u64> {
        let pages: i64 = self.pages.query_row([], |row| row.get(0))?;
        let free: i64 = self.free_pages.query_row([], |row| row.get(0))?;
        Ok(pages.saturating_sub(free).unsigned_abs() * self.page_size)
    }

    /// Removes ended messages with their receipts, and takes what that frees off `surplus` (bytes); whether to go on.
    fn prune_messages(&mut self, now_ms: u64, settled: i64, surplus: &mut u64) -> rusqlite::Result<bool> {
        let cutoff = millis(now_ms.saturating_sub(self.keep.message_age_ms));
        let (mut seen, mut removed) = (0, false);
        let mut rows = self.messages.query(params![self.messages_after, STEP])?;
        while let Some(row) = rows.next()? {
            let (seq, id, at_ms): (i64, [u8; 16], i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let (size, open): (i64, bool) = (row.get(3)?, row.get(4)?);
            if !(*surplus > 0 || self.receipts_then > self.keep.receipt_rows || at_ms < cutoff) {
                break;
            }
            seen += 1;
            self.messages_after = seq;
            if !open {
                if seq > settled {
                    self.keep_claim.execute([seq])?;
                }
                self.delete_inboxes.execute([&id[..]])?;
                let receipts = self.delete_deliveries.execute([&id[..]])? as u64;
                self.delete_message.execute([seq])?;
                self.receipts_then = self.receipts_then.saturating_sub(receipts);
                *surplus = surplus.saturating_sub(size.unsigned_abs() + ROW_BYTES * (1 + receipts));
                removed = true;
            }
        }
        // Begin the next round at the oldest: what was open then may have ended since.
        if seen < STEP {
            self.messages_after = 0;
        }
        Ok(removed || seen == STEP)
    }

    /// Removes events; whether there were any to remove. The newest always stays: the next position is read from it.
    fn prune_events(&mut self, now_ms: u64, next: i64, mut surplus: u64) -> rusqlite::Result<bool> {
        let keep_from = next.saturating_sub(millis(self.keep.event_rows));
        let cutoff = millis(now_ms.saturating_sub(self.keep.event_age_ms));
        let mut last = None;
        let mut rows = self.events.query([STEP])?;
        while let Some(row) = rows.next()? {
            let (seq, at_ms, size): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if seq >= next - 1 || !(surplus > 0 || seq < keep_from || at_ms < cutoff) {
                break;
            }
            surplus = surplus.saturating_sub(size.unsigned_abs() + ROW_BYTES);
            last = Some(seq);
        }
        drop(rows);
        if let Some(seq) = last {
            self.delete_events.execute([seq])?;
        }
        Ok(last.is_some())
    }

    /// Removes client ids that no longer count; whether there were any. Walks round and round the table, which has no
    /// order in time.
    fn prune_dedupe(&mut self, now_ms: u64) -> rusqlite::Result<bool> {
        let cutoff = millis(now_ms.saturating_sub(DEDUPE_MS));
        let (mut seen, mut removed, mut last) = (0, false, None);
        let (owner, sender, client_id) = &self.dedupe_after;
        let mut rows = self.dedupe.query(params![owner, sender, client_id, STEP])?;
        while let Some(row) = rows.next()? {
            let key: (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if row.get::<_, i64>(3)? <= cutoff {
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
