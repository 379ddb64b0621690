//! Receipts: each step of a message is journaled, and shown to its sender once that is committed.

use std::sync::Arc;

use posthouse_protocol::{Evidence, FrameType, Header, Receipt, ReceiptState};

use super::commits::{Noted, Then};
use super::letter::Label;
use super::timer::Due;
use super::{Core, NameId, Slot};
use crate::journal::{Advance, MessageId, Op};

/// How long to wait before what the journal did not take is written again, in milliseconds.
pub(super) const REWRITE: u64 = 1000;

/// One step of a message for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub state: ReceiptState,
    pub reason: Option<Arc<str>>,
    pub evidence: Option<Evidence>,
    pub attempt: u32,
    pub run: Option<Arc<str>>,
}

impl Step {
    pub fn new(state: ReceiptState, attempt: u32) -> Self {
        Self { state, reason: None, evidence: None, attempt, run: None }
    }

    pub fn because(mut self, reason: impl Into<Arc<str>>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    pub fn on(mut self, evidence: Evidence) -> Self {
        self.evidence = Some(evidence);
        self
    }
}

impl Step {
    /// The change of the journal that it is.
    pub fn advance(&self, message: MessageId, owner: u32, recipient: Arc<str>, at_ms: u64) -> Advance {
        Advance {
            message,
            owner,
            recipient,
            state: self.state,
            reason: self.reason.clone(),
            evidence: self.evidence,
            attempt: self.attempt,
            run: self.run.clone(),
            cause: None,
            actor: None,
            at_ms,
        }
    }
}

impl Core {
    /// Records a step. A volatile message's is shown at once; a durable one's once the journal has it.
    pub(super) fn step(&mut self, recipient: NameId, label: &Label, mut step: Step) {
        if step.state == ReceiptState::Uncertain {
            let why = step.reason.as_deref().unwrap_or("its end was not seen");
            step.reason = Some(format!("{why}; the harness may have taken it, or not").into());
        }
        let Some(entry) = self.names.get(recipient) else { return };
        let (owner, name) = (entry.owner, entry.name.clone());
        let listener = self.listener(label);
        if matches!(step.state, ReceiptState::Failed | ReceiptState::Expired | ReceiptState::Uncertain) {
            self.call_lost(label.id, &name, &step);
        }
        if !label.durable {
            if let Some(conn) = listener {
                self.show_receipt(conn, label, &name, &step);
            }
            return;
        }
        self.note(Noted { conn: listener, label: label.clone(), owner, recipient: name, step });
    }

    fn note(&mut self, noted: Noted) {
        let Noted { label, owner, recipient, step, .. } = &noted;
        let advance = step.advance(label.id, *owner, recipient.clone(), self.now.wall);
        self.commits.note(Op::Advance(advance), Some(Then::Receipt(noted)));
    }

    /// The journal has a step, or could not write it. An ending that is not written would be an unfinished message to
    /// the next daemon, so it is tried until it is.
    pub(super) fn noted(&mut self, noted: Noted, written: bool) {
        let final_or_nearly =
            noted.step.state == ReceiptState::Delivered || noted.step.state.is_terminal(true);
        match noted.conn {
            Some(conn) if written => self.show_receipt(conn, &noted.label, &noted.recipient, &noted.step),
            _ if !written && final_or_nearly => {
                if self.unwritten.is_empty() {
                    self.timers.set(self.now.mono + REWRITE, Due::Rewrite);
                }
                self.unwritten.push(noted);
            }
            _ => {}
        }
    }

    /// Tries again to journal what could not be written.
    pub(super) fn rewrite(&mut self) {
        for noted in std::mem::take(&mut self.unwritten) {
            self.note(noted);
        }
    }

    /// The connection that is told of a message's receipts: the one that sent it, or else the sender's own path.
    pub(super) fn listener(&self, label: &Label) -> Option<Slot> {
        let listens = |slot: &Slot| self.conns.get(*slot).is_some_and(|conn| conn.takes.receipts);
        let sent_by = label.conn.filter(|slot| self.conns.get(*slot).is_some());
        match sent_by {
            Some(slot) => Some(slot).filter(listens),
            None => self.names.get(label.sender)?.only_conn().filter(listens),
        }
    }

    /// Writes a RECEIPT frame.
    pub(super) fn show_receipt(&mut self, conn: Slot, label: &Label, recipient: &str, step: &Step) {
        let receipt = Receipt {
            message: label.id.to_string(),
            client_id: label.client_id.to_string(),
            recipient: recipient.to_owned(),
            state: step.state,
            reason: step.reason.as_deref().map(str::to_owned),
            evidence: step.evidence,
            attempt: step.attempt,
            run: step.run.as_deref().map(str::to_owned),
            at: self.now.wall,
            terminal: step.state.is_terminal(label.asks),
        };
        let header = Header::new(FrameType::Receipt, self.fresh_id(), self.now.wall);
        self.say(conn, header, &receipt);
    }
}
