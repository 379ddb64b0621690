//! Accepts messages and moves their deliveries on.

use posthouse_protocol::code::Code;
use posthouse_protocol::{Evidence, ReceiptState};
use rusqlite::{Connection, OptionalExtension, Statement, params};
use serde::Serialize;

use super::events::{Change, Events};
use super::millis;
use crate::journal::message::MAX_REASON;
use crate::journal::{Advance, EventKind, Message, NewDelivery, Refused};

/// The `message` and `delivery` tables.
pub(super) struct Messages<'db> {
    receipts: u64,
    message: Statement<'db>,
    delivery: Statement<'db>,
    step: Statement<'db>,
    end: Statement<'db>,
    state: Statement<'db>,
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
    evidence: Option<Evidence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<&'a str>,
}

impl<'db> Messages<'db> {
    pub(super) fn prepare(db: &'db Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            receipts: 0,
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
        })
    }

    /// Deliveries added since this was last asked.
    pub(super) fn take_receipts(&mut self) -> u64 {
        std::mem::take(&mut self.receipts)
    }

    /// Stores a message whose client id is its own.
    pub(super) fn accept(
        &mut self,
        events: &mut Events<'_>,
        m: &Message,
        recipients: &[NewDelivery],
    ) -> rusqlite::Result<()> {
        let (id, now) = (m.id.0.as_bytes(), millis(m.accepted_ms));
        let accepted = Change {
            owner: m.owner,
            kind: EventKind::ACCEPTED,
            message: m.id,
            cause: None,
            actor: Some(&m.sender),
            at_ms: m.accepted_ms,
        };
        let seq =
            events.append_change(&accepted, &AcceptedData { to: &m.target, recipients: recipients.len() })?;
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
        self.receipts += recipients.len() as u64;
        Ok(())
    }

    /// Moves a delivery on, unless it has ended.
    pub(super) fn advance(
        &mut self,
        events: &mut Events<'_>,
        op: usize,
        a: &Advance,
    ) -> rusqlite::Result<Option<Refused>> {
        if !self.move_on(a)? {
            let state =
                self.state.query_row(params![a.message.0.as_bytes(), a.owner, &*a.recipient], |row| {
                    row.get(0).map(ReceiptState::from_number)
                });
            return Ok(Some(match state.optional()? {
                Some(state) => Refused::Ended { op, state },
                None => Refused::NoDelivery { op },
            }));
        }
        let change = Change {
            owner: a.owner,
            kind: EventKind::RECEIPT,
            message: a.message,
            cause: a.cause,
            actor: a.actor.as_deref(),
            at_ms: a.at_ms,
        };
        let data = ReceiptData {
            to: &a.recipient,
            state: a.state,
            attempt: a.attempt,
            evidence: a.evidence,
            reason: a.reason.as_deref().map(short),
            run: a.run.as_deref(),
        };
        events.append_change(&change, &data)?;
        Ok(None)
    }

    /// Whether there was a delivery to move. Whether `delivered` is an end depends on the message, so the row decides.
    fn move_on(&mut self, a: &Advance) -> rusqlite::Result<bool> {
        let id = a.message.0.as_bytes();
        let reason = a.reason.as_deref().map(short);
        let (state, evidence) = (a.state.number(), a.evidence.map(Code::number));
        let (run, now) = (a.run.as_deref(), millis(a.at_ms));
        let (ends_plain, ends_asked) = (a.state.is_terminal(false), a.state.is_terminal(true));

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
        Ok(moved > 0)
    }
}

/// The part of a reason that is kept.
fn short(reason: &str) -> &str {
    reason.get(..reason.floor_char_boundary(MAX_REASON)).unwrap_or_default()
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
