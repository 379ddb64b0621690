//! The two look-up tables whose keys come in nobody's order: the inbox of each recipient and the client ids of each
//! sender. Kept row by row they would cost every commit a page per agent that took part, so they lag behind and are
//! brought up to date in bulk. What they lack is found in memory (client ids) or in the last messages (inboxes).

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Statement, params};
use uuid::Uuid;

use super::apply::millis;
use super::message::{Message, MessageId};

/// How long a client id is remembered, in milliseconds.
pub const DEDUPE_MS: u64 = 24 * 60 * 60 * 1000;

/// Messages that the tables may lag behind before they are brought up to date.
const LAG: usize = 2048;

/// A sender's own id of a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct ClientKey {
    owner: u32,
    sender: Arc<str>,
    client_id: Arc<str>,
}

/// The message that a client id became.
#[derive(Clone, Copy, Debug)]
struct Claim {
    message: MessageId,
    at_ms: i64,
}

impl Claim {
    fn holds_at(self, now_ms: i64) -> bool {
        now_ms.saturating_sub(self.at_ms) < millis(DEDUPE_MS)
    }
}

/// The writer's view of the look-up tables.
pub(super) struct Lookup<'db> {
    /// The last message in the tables.
    settled: i64,
    /// Where `settled` will be if the transaction that is open is committed.
    settling: Option<i64>,
    /// Messages accepted since `settled`.
    lag: usize,
    /// Client ids of the messages after `settled`.
    recent: HashMap<ClientKey, Claim>,
    /// Those of them that the transaction which is open has added.
    added: Vec<ClientKey>,
    claim: Statement<'db>,
    add_claims: Statement<'db>,
    add_inboxes: Statement<'db>,
    set_settled: Statement<'db>,
}

impl<'db> Lookup<'db> {
    pub(super) fn prepare(db: &'db Connection) -> rusqlite::Result<Self> {
        let settled: i64 = db.query_row("SELECT seq FROM settled", [], |row| row.get(0))?;
        let mut recent = HashMap::new();
        let mut rows = db.prepare(
            "SELECT owner, sender, client_id, id, accepted_ms FROM message WHERE seq > ?1 ORDER BY seq",
        )?;
        let mut rows = rows.query([settled])?;
        let mut lag = 0;
        while let Some(row) = rows.next()? {
            lag += 1;
            if let Some(client_id) = row.get(2)? {
                let key = ClientKey { owner: row.get(0)?, sender: row.get(1)?, client_id };
                let message = MessageId(Uuid::from_bytes(row.get(3)?));
                recent.insert(key, Claim { message, at_ms: row.get(4)? });
            }
        }
        Ok(Self {
            settled,
            settling: None,
            lag,
            recent,
            added: Vec::new(),
            claim: db.prepare(
                "SELECT message, accepted_ms FROM dedupe WHERE owner = ?1 AND sender = ?2 AND client_id = ?3",
            )?,
            // Sorted, so that each page is written once; of a client id used twice the later one stays.
            add_claims: db.prepare(
                "INSERT OR REPLACE INTO dedupe (owner, sender, client_id, message, accepted_ms)
                 SELECT owner, sender, client_id, id, accepted_ms FROM message
                 WHERE seq > ?1 AND seq <= ?2 AND client_id IS NOT NULL ORDER BY owner, sender, client_id, seq",
            )?,
            add_inboxes: db.prepare(
                "INSERT INTO inbox (owner, recipient, seq)
                 SELECT d.owner, d.recipient, d.seq FROM message m JOIN delivery d ON d.message = m.id
                 WHERE m.seq > ?1 AND m.seq <= ?2 ORDER BY d.owner, d.recipient, d.seq",
            )?,
            set_settled: db.prepare("UPDATE settled SET seq = ?1")?,
        })
    }

    /// The last message in the tables.
    pub(super) fn settled(&self) -> i64 {
        self.settling.unwrap_or(self.settled)
    }

    /// Counts a message in and claims its client id for it; returns the message that has it already, if one does.
    pub(super) fn claim(&mut self, m: &Message) -> rusqlite::Result<Option<MessageId>> {
        if let Some(client_id) = &m.client_id {
            let now_ms = millis(m.accepted_ms);
            let key =
                ClientKey { owner: m.owner, sender: Arc::clone(&m.sender), client_id: Arc::clone(client_id) };
            let known = match self.recent.get(&key) {
                Some(claim) => Some(*claim),
                None => self.settled_claim(&key)?,
            };
            if let Some(first) = known.filter(|claim| claim.holds_at(now_ms)) {
                return Ok(Some(first.message));
            }
            self.recent.insert(key.clone(), Claim { message: m.id, at_ms: now_ms });
            self.added.push(key);
        }
        self.lag += 1;
        Ok(None)
    }

    fn settled_claim(&mut self, key: &ClientKey) -> rusqlite::Result<Option<Claim>> {
        let found = self.claim.query_row(params![key.owner, &*key.sender, &*key.client_id], |row| {
            Ok(Claim { message: MessageId(Uuid::from_bytes(row.get(0)?)), at_ms: row.get(1)? })
        });
        found.optional()
    }

    /// Brings the tables up to the message at `last` if they lag far behind, within the transaction that is open.
    pub(super) fn settle(&mut self, last: i64) -> rusqlite::Result<()> {
        if self.lag >= LAG {
            self.add_claims.execute([self.settled, last])?;
            self.add_inboxes.execute([self.settled, last])?;
            self.set_settled.execute([last])?;
            self.settling = Some(last);
        }
        Ok(())
    }

    /// The transaction is committed.
    pub(super) fn committed(&mut self) {
        self.added.clear();
        if let Some(settled) = self.settling.take() {
            self.settled = settled;
            self.lag = 0;
            self.recent.clear();
        }
    }

    /// The transaction was rolled back. Counting its messages in all the same only makes the next bulk come earlier.
    pub(super) fn rolled_back(&mut self) {
        self.settling = None;
        for key in self.added.drain(..) {
            self.recent.remove(&key);
        }
    }
}
