//! How rows become values.

use std::sync::Arc;

use bytes::Bytes;
use posthouse_protocol::code::Code;
use posthouse_protocol::{Evidence, ReceiptState, When};
use rusqlite::types::{Type, ValueRef};
use rusqlite::{Error, Row};
use uuid::Uuid;

use crate::journal::{Delivery, Event, EventData, EventKind, Message, MessageId, NewEvent, Seq, Subject};

/// Columns of a message, in the order of [`message`].
pub(super) const MESSAGE: &str = "m.seq, m.id, m.owner, m.sender, m.target, m.kind, m.client_id, m.thread, \
    m.reply_to, m.lane, m.deadline_ms, m.expects_answer, m.encoding, m.accepted_ms, m.meta, m.payload";

/// How many columns [`MESSAGE`] has.
pub(super) const MESSAGE_COLUMNS: usize = 16;

/// Columns of a delivery, in the order of [`delivery`].
pub(super) const DELIVERY: &str = "d.message, d.seq, d.owner, d.recipient, d.state, d.ended, d.reason, d.evidence, \
    d.attempt, d.run, d.size, d.updated_ms";

/// Columns of an event, in the order of [`event`].
pub(super) const EVENT: &str = "seq, version, owner, kind, subject, cause, actor, data, at_ms";

pub(super) fn message(row: &Row<'_>) -> rusqlite::Result<(Seq, Message)> {
    let message = Message {
        id: MessageId(uuid(row, 1)?),
        owner: row.get(2)?,
        sender: row.get(3)?,
        target: row.get(4)?,
        kind: row.get(5)?,
        client_id: row.get(6)?,
        thread: row.get(7)?,
        reply_to: row.get(8)?,
        when: When::from_number(row.get(9)?),
        deadline_ms: row.get::<_, Option<i64>>(10)?.map(i64::unsigned_abs),
        expects_answer: row.get(11)?,
        encoding: row.get(12)?,
        accepted_ms: millis(row, 13)?,
        meta: Bytes::from(row.get::<_, Vec<u8>>(14)?),
        payload: Bytes::from(row.get::<_, Vec<u8>>(15)?),
    };
    Ok((Seq(row.get(0)?), message))
}

/// Reads a delivery whose columns begin at `from`.
pub(super) fn delivery(row: &Row<'_>, from: usize) -> rusqlite::Result<Delivery> {
    Ok(Delivery {
        message: MessageId(uuid(row, from)?),
        seq: Seq(row.get(from + 1)?),
        owner: row.get(from + 2)?,
        recipient: row.get(from + 3)?,
        state: ReceiptState::from_number(row.get(from + 4)?),
        ended: row.get(from + 5)?,
        reason: row.get(from + 6)?,
        evidence: row.get::<_, Option<u16>>(from + 7)?.map(Evidence::from_number),
        attempt: row.get(from + 8)?,
        run: row.get(from + 9)?,
        size: row.get(from + 10)?,
        updated_ms: millis(row, from + 11)?,
    })
}

pub(super) fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    let subject = match row.get_ref(4)? {
        ValueRef::Blob(bytes) => Subject::Message(MessageId(
            Uuid::from_slice(bytes).map_err(|e| Error::FromSqlConversionFailure(4, Type::Blob, e.into()))?,
        )),
        text => Subject::Named(Arc::from(text.as_str()?)),
    };
    Ok(Event {
        seq: Seq(row.get(0)?),
        version: row.get(1)?,
        what: NewEvent {
            owner: row.get(2)?,
            kind: EventKind::from(row.get::<_, String>(3)?),
            subject,
            cause: row.get::<_, Option<i64>>(5)?.map(Seq),
            actor: row.get(6)?,
            data: EventData::trusted(row.get::<_, Option<String>>(7)?.unwrap_or_default()),
            at_ms: millis(row, 8)?,
        },
    })
}

fn uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    row.get(column).map(Uuid::from_bytes)
}

fn millis(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::unsigned_abs)
}
