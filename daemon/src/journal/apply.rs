//! Turns operations into rows. Statements are prepared once and the number of trees touched per message is kept small,
//! because this thread's time is the ceiling of every durable send.

use posthouse_protocol::code::Code;
use rusqlite::{Connection, OptionalExtension, Statement, params};
use serde::Serialize;

use super::event::EVENT_VERSION;
use super::lookup::Lookup;
use super::message::MAX_REASON;
use super::{
    Advance, Committed, Document, DocumentKey, EventKind, Message, NewDelivery, NewEvent, Op, Refused, Seq,
    Subject,
};
use posthouse_protocol::ReceiptState;

/// The prepared statements of the writer, and the next position.
pub(super) struct Rows<'db> {
    next: i64,
    now_ms: u64,
    receipts: u64,
    json: Vec<u8>,
    lookup: Lookup<'db>,
    event: Statement<'db>,
    message: Statement<'db>,
    delivery: Statement<'db>,
    step: Statement<'db>,
    end: Statement<'db>,
    state: Statement<'db>,
    put: Statement<'db>,
    delete: Statement<'db>,
}

/// `data` of an `accepted` event: the message itself is in its own row.
#[derive(Serialize)]
struct AcceptedData<'a> {
    to: &'a str,
    recipients: usize,
}

/// `data` of a `receipt` event.
#[derive(Serialize)]
struct ReceiptData<'a> {
    to: &'a str,
    state: ReceiptState,
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<posthouse_protocol::Evidence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<&'a str>,
}

impl<'db> Rows<'db> {
    pub(super) fn prepare(db: &'db Connection) -> rusqlite::Result<Self> {
        let last: i64 = db.query_row("SELECT coalesce(max(seq), 0) FROM event", [], |row| row.get(0))?;
        Ok(Self {
            next: last + 1,
            now_ms: 0,
            receipts: 0,
            json: Vec::with_capacity(256),
            lookup: Lookup::prepare(db)?,
            event: db.prepare(
                "INSERT INTO event (seq, version, owner, kind, subject, cause, actor, data, at_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?,
            message: db.prepare(
                "INSERT INTO message (seq, id, owner, sender, target, kind, client_id, thread, reply_to, lane,
                                      deadline_ms, expects_answer, encoding, accepted_ms, meta, payload)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            )?,
            delivery: db.prepare(
                "INSERT INTO delivery (message, owner, recipient, seq, state, ended, expects_answer, size, attempt,
                                       updated_ms, reason)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10)",
            )?,
            // A step leaves `ended` alone, so that SQLite need not look at the index of open deliveries.
            step: db.prepare(
                "UPDATE delivery SET state = ?4, reason = ?5, evidence = ?6, attempt = ?7, run = ?8, updated_ms = ?9
                 WHERE message = ?1 AND owner = ?2 AND recipient = ?3 AND ended = 0",
            )?,
            end: db.prepare(
                "UPDATE delivery SET state = ?4, reason = ?5, evidence = ?6, attempt = ?7, run = ?8, updated_ms = ?9,
                                     ended = 1
                 WHERE message = ?1 AND owner = ?2 AND recipient = ?3 AND ended = 0 AND expects_answer <= ?10",
            )?,
            state: db.prepare(
                "SELECT state FROM delivery WHERE message = ?1 AND owner = ?2 AND recipient = ?3",
            )?,
            put: db.prepare("INSERT OR REPLACE INTO document (kind, owner, key, value) VALUES (?1, ?2, ?3, ?4)")?,
            delete: db.prepare("DELETE FROM document WHERE kind = ?1 AND owner = ?2 AND key = ?3")?,
        })
    }

    /// The position that the next event gets.
    pub(super) fn next(&self) -> i64 {
        self.next
    }

    /// Wall clock of the last operation that named one, Unix milliseconds.
    pub(super) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Deliveries added since this was last asked.
    pub(super) fn take_receipts(&mut self) -> u64 {
        std::mem::take(&mut self.receipts)
    }

    /// The last message that is in the look-up tables.
    pub(super) fn settled(&self) -> i64 {
        self.lookup.settled()
    }

    /// Called at the end of each transaction: brings the look-up tables up to date if they lag far enough.
    pub(super) fn settle(&mut self) -> rusqlite::Result<()> {
        self.lookup.settle(self.next - 1)
    }

    /// The transaction is committed.
    pub(super) fn committed(&mut self) {
        self.lookup.committed();
    }

    /// The transaction was rolled back to where `next` was the next position.
    pub(super) fn rolled_back(&mut self, next: i64) {
        self.next = next;
        self.receipts = 0;
        self.lookup.rolled_back();
    }

    /// Applies the operations of one submission.
    pub(super) fn apply(&mut self, ops: &[Op]) -> rusqlite::Result<Committed> {
        let first = self.next;
        let mut refused = Vec::new();
        for (index, op) in ops.iter().enumerate() {
            let outcome = match op {
                Op::Accept { message, recipients } => self.accept(index, message, recipients)?,
                Op::Advance(step) => self.advance(index, step)?,
                Op::Event(event) => self.append(event)?,
                Op::Put(document) => self.put(document)?,
                Op::Delete(key) => self.delete(key)?,
                Op::Prune { .. } => None,
            };
            refused.extend(outcome);
        }
        Ok(Committed { first: Seq(first), last: Seq(self.next - 1), refused })
    }

    fn accept(
        &mut self,
        op: usize,
        message: &Message,
        recipients: &[NewDelivery],
    ) -> rusqlite::Result<Option<Refused>> {
        let m = message;
        let id = m.id.0.as_bytes();
        let now = millis(m.accepted_ms);
        if let Some(first) = self.lookup.claim(m)? {
            return Ok(Some(Refused::Duplicate { op, first }));
        }
        let data = AcceptedData { to: &m.target, recipients: recipients.len() };
        let seq = self.next;
        write_json(&mut self.json, &data)?;
        self.event.execute(params![
            seq,
            EVENT_VERSION,
            m.owner,
            EventKind::ACCEPTED.as_str(),
            id,
            None::<i64>,
            &*m.sender,
            text(&self.json),
            now,
        ])?;
        self.next += 1;
        self.message.execute(params![
            seq,
            id,
            m.owner,
            &*m.sender,
            &*m.target,
            m.kind,
            m.client_id.as_deref(),
            m.thread.as_deref(),
            m.reply_to.as_deref(),
            m.when.number(),
            m.deadline_ms.map(millis),
            m.expects_answer,
            m.encoding,
            now,
            &m.meta[..],
            &m.payload[..],
        ])?;
        self.now_ms = m.accepted_ms;
        self.receipts += recipients.len() as u64;
        let size = u32::try_from(m.size()).unwrap_or(u32::MAX);
        for to in recipients {
            self.delivery.execute(params![
                id,
                to.owner,
                &*to.recipient,
                seq,
                to.state.number(),
                to.state.is_terminal(m.expects_answer),
                m.expects_answer,
                size,
                now,
                to.reason.as_deref().map(short),
            ])?;
        }
        Ok(None)
    }

    fn advance(&mut self, op: usize, a: &Advance) -> rusqlite::Result<Option<Refused>> {
        let id = a.message.0.as_bytes();
        let reason = a.reason.as_deref().map(short);
        let evidence = a.evidence.map(Code::number);
        let run = a.run.as_deref();
        let now = millis(a.at_ms);
        let (ends_plain, ends_asked) = (a.state.is_terminal(false), a.state.is_terminal(true));
        let state = a.state.number();

        let mut moved = 0;
        if ends_plain || ends_asked {
            moved = self.end.execute(params![
                id,
                a.owner,
                &*a.recipient,
                state,
                reason,
                evidence,
                a.attempt,
                run,
                now,
                ends_asked,
            ])?;
        }
        if moved == 0 && !ends_asked {
            moved = self.step.execute(params![
                id,
                a.owner,
                &*a.recipient,
                state,
                reason,
                evidence,
                a.attempt,
                run,
                now,
            ])?;
        }
        if moved == 0 {
            let ended = self.state.query_row(params![id, a.owner, &*a.recipient], |row| row.get::<_, u16>(0));
            return Ok(Some(match ended.optional()? {
                Some(state) => Refused::Ended { op, state: ReceiptState::from_number(state) },
                None => Refused::NoDelivery { op },
            }));
        }
        let data = ReceiptData {
            to: &a.recipient,
            state: a.state,
            attempt: a.attempt,
            evidence: a.evidence,
            reason,
            run: a.run.as_deref(),
        };
        write_json(&mut self.json, &data)?;
        self.now_ms = a.at_ms;
        self.event.execute(params![
            self.next,
            EVENT_VERSION,
            a.owner,
            EventKind::RECEIPT.as_str(),
            id,
            a.cause.map(|seq| seq.0),
            a.actor.as_deref(),
            text(&self.json),
            now,
        ])?;
        self.next += 1;
        Ok(None)
    }

    fn append(&mut self, event: &NewEvent) -> rusqlite::Result<Option<Refused>> {
        self.now_ms = event.at_ms;
        let subject = match &event.subject {
            Subject::Message(id) => rusqlite::types::ValueRef::Blob(id.0.as_bytes()),
            Subject::Named(name) => rusqlite::types::ValueRef::Text(name.as_bytes()),
        };
        self.event.execute(params![
            self.next,
            EVENT_VERSION,
            event.owner,
            event.kind.as_str(),
            rusqlite::types::ToSqlOutput::Borrowed(subject),
            event.cause.map(|seq| seq.0),
            event.actor.as_deref(),
            (!event.data.is_empty()).then(|| event.data.as_str()),
            millis(event.at_ms),
        ])?;
        self.next += 1;
        Ok(None)
    }

    fn put(&mut self, document: &Document) -> rusqlite::Result<Option<Refused>> {
        let key = &document.key;
        self.put.execute(params![key.kind.as_str(), key.owner, &*key.key, document.value.as_str()])?;
        Ok(None)
    }

    fn delete(&mut self, key: &DocumentKey) -> rusqlite::Result<Option<Refused>> {
        self.delete.execute(params![key.kind.as_str(), key.owner, &*key.key])?;
        Ok(None)
    }
}

/// SQLite's integers are signed; wall time fits for 292 million years.
pub(super) fn millis(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

fn short(reason: &str) -> &str {
    reason.get(..reason.floor_char_boundary(MAX_REASON)).unwrap_or_default()
}

fn write_json<T: Serialize>(buffer: &mut Vec<u8>, value: &T) -> rusqlite::Result<()> {
    buffer.clear();
    serde_json::to_writer(buffer, value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
}

/// JSON that was just written, to be bound as text.
fn text(json: &[u8]) -> rusqlite::types::ToSqlOutput<'_> {
    rusqlite::types::ToSqlOutput::Borrowed(rusqlite::types::ValueRef::Text(json))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let long = format!("{}é", "x".repeat(MAX_REASON - 1));
        assert_eq!(short(&long).len(), MAX_REASON - 1);
        assert_eq!(short("plain"), "plain");
    }
}
