//! Receipts: each step of a message is journaled, and shown to its sender once that is committed.

use std::sync::Arc;

use posthouse_protocol::{Evidence, FrameType, Header, Receipt, ReceiptState};

use super::commits::Then;
use super::letter::Label;
use super::{Core, NameId, Slot};
use crate::journal::{Advance, Op};

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

impl Core {
    /// Records a step. A volatile message's is shown at once; a durable one's once the journal has it.
    pub(super) fn step(&mut self, recipient: NameId, label: &Label, step: Step) {
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
        let advance = Advance {
            message: label.id,
            owner,
            recipient: name.clone(),
            state: step.state,
            reason: step.reason.clone(),
            evidence: step.evidence,
            attempt: step.attempt,
            run: step.run.clone(),
            cause: None,
            actor: None,
            at_ms: self.now.wall,
        };
        let then = listener.map(|conn| Then::Receipt { conn, label: label.clone(), recipient: name, step });
        self.commits.note(Op::Advance(advance), then);
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
