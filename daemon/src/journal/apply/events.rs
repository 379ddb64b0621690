//! Appends events and gives out their positions.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Statement, params};
use serde::Serialize;

use super::millis;
use crate::journal::event::EVENT_VERSION;
use crate::journal::{EventKind, MessageId, NewEvent, Seq, Subject};

/// The `event` table's end.
pub(super) struct Events<'db> {
    next: i64,
    now_ms: u64,
    json: Vec<u8>,
    insert: Statement<'db>,
}

/// An event that comes with a change of a message.
pub(super) struct Change<'a> {
    pub owner: u32,
    pub kind: EventKind,
    pub message: MessageId,
    pub cause: Option<Seq>,
    pub actor: Option<&'a str>,
    pub at_ms: u64,
}

impl<'db> Events<'db> {
    pub(super) fn prepare(db: &'db Connection) -> rusqlite::Result<Self> {
        let last: i64 = db.query_row("SELECT coalesce(max(seq), 0) FROM event", [], |row| row.get(0))?;
        Ok(Self {
            next: last + 1,
            now_ms: 0,
            json: Vec::with_capacity(256),
            insert: db.prepare(
                "INSERT INTO event (seq, version, owner, kind, subject, cause, actor, data, at_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?,
        })
    }

    /// The position that the next event gets.
    pub(super) fn next(&self) -> i64 {
        self.next
    }

    /// Wall clock of the last event, Unix milliseconds.
    pub(super) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Takes back the positions given out since `next`, after a rollback.
    pub(super) fn rewind(&mut self, next: i64) {
        self.next = next;
    }

    /// Appends an event that a room submitted.
    pub(super) fn append(&mut self, event: &NewEvent) -> rusqlite::Result<()> {
        let subject = match &event.subject {
            Subject::Message(id) => ValueRef::Blob(id.0.as_bytes()),
            Subject::Named(name) => ValueRef::Text(name.as_bytes()),
        };
        self.insert.execute(params![
            self.next,
            EVENT_VERSION,
            event.owner,
            event.kind.as_str(),
            ToSqlOutput::Borrowed(subject),
            event.cause.map(|seq| seq.0),
            event.actor.as_deref(),
            (!event.data.is_empty()).then(|| event.data.as_str()),
            millis(event.at_ms),
        ])?;
        self.given_out(event.at_ms);
        Ok(())
    }

    /// Appends the event of a message's change; its position.
    pub(super) fn append_change<T: Serialize>(
        &mut self,
        change: &Change<'_>,
        data: &T,
    ) -> rusqlite::Result<i64> {
        self.json.clear();
        serde_json::to_writer(&mut self.json, data)
            .map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
        self.insert.execute(params![
            self.next,
            EVENT_VERSION,
            change.owner,
            change.kind.as_str(),
            change.message.0.as_bytes(),
            change.cause.map(|seq| seq.0),
            change.actor,
            ToSqlOutput::Borrowed(ValueRef::Text(&self.json)),
            millis(change.at_ms),
        ])?;
        Ok(self.given_out(change.at_ms))
    }

    fn given_out(&mut self, at_ms: u64) -> i64 {
        self.now_ms = at_ms;
        self.next += 1;
        self.next - 1
    }
}
