//! The durable way: a message is journaled with all its recipients, `accepted` is said once that is on disk, and only
//! then does it go on.

use std::sync::Arc;

use posthouse_protocol::payload::Busy;
use posthouse_protocol::{ErrorCode, Evidence, FrameType, Header, ReceiptState, Violation};

use super::commits::{Accepted, Addressee, Then};
use super::effects::Recall;
use super::letter::{Envelope, Letter, Text};
use super::queue::{Item, Load};
use super::quota::Spent;
use super::receipt::Step;
use super::{Core, NameId, Slot};
use crate::journal::{Committed, MessageId, NewDelivery, Op, Refused, WriteError};
use crate::session::typable::typable;

/// When a client that was told BUSY should come back, in milliseconds.
const RETRY_AFTER: u64 = 50;

impl Core {
    /// Submits a message to the journal, or refuses it.
    pub(super) fn accept(&mut self, slot: Slot, letter: Arc<Letter>, names: &[NameId]) {
        let text = match letter.text() {
            Ok(text) => text,
            Err(error) => return self.refuse_letter(slot, &letter, &error.into()),
        };
        if names.is_empty() {
            let message = format!("nobody is there to get a message for {}", letter.target);
            return self.refuse_letter(slot, &letter, &Violation::warning(ErrorCode::NoSuchName, message));
        }
        if !self.commits.has_room(letter.size()) {
            let message = "the journal cannot keep up with what is sent; try again in a moment";
            let violation = Violation::warning(ErrorCode::JournalUnavailable, message);
            return self.push_back(slot, &letter, RETRY_AFTER, &violation);
        }
        let spent = match self.charged(&letter, names.len()) {
            Ok(spent) => spent,
            Err(after) => {
                let message = format!(
                    "{} has sent as much as a name may within an hour (limits.journal_bytes_per_hour); there is room in {} s",
                    letter.from,
                    after.div_ceil(1000)
                );
                let violation = Violation::warning(ErrorCode::LimitExceeded, message);
                return self.push_back(slot, &letter, after, &violation);
            }
        };
        let Some(recipients) = self.address(slot, &letter, &text, names) else { return };
        if let Some(sender) = self.names.get_mut(letter.label.sender) {
            sender.spent = spent;
        }
        self.submit(slot, letter, recipients, &text);
    }

    /// Finds a place for the message with each of its recipients. The only recipient's refusal is the sender's; one of
    /// several fails by itself.
    fn address(
        &mut self,
        slot: Slot,
        letter: &Letter,
        text: &Text,
        names: &[NameId],
    ) -> Option<Vec<Addressee>> {
        let mut recipients = Vec::with_capacity(names.len());
        for id in names {
            let Some(entry) = self.names.get_mut(*id) else { continue };
            let typable = if entry.is_of_session() { untypable(text) } else { None };
            let refused = match typable {
                Some(violation) => Some(violation),
                None if entry.queue.reserve(letter.size(), self.quotas.inbox) => None,
                None => {
                    let message = format!("the inbox of {} is full", entry.name);
                    Some(Violation::warning(ErrorCode::QueueFull, message))
                }
            };
            match refused {
                Some(violation) if names.len() == 1 => {
                    self.refuse_letter(slot, letter, &violation);
                    return None;
                }
                refused => recipients.push(Addressee {
                    id: *id,
                    name: entry.name.clone(),
                    seq: entry.seqs.next(letter.label.sender, letter.topic.as_ref()),
                    refused: refused.map(|v| v.to_string().into()),
                }),
            }
        }
        Some(recipients)
    }

    fn submit(&mut self, slot: Slot, letter: Arc<Letter>, recipients: Vec<Addressee>, text: &Text) {
        let deliveries = recipients.iter().map(|r| self.first_state(&letter, r)).collect();
        let message = Box::new(letter.record(text.thread.as_deref(), &envelope(&letter, &recipients)));
        let failures = recipients.iter().filter_map(|r| Some((r, r.refused.clone()?)));
        let failures = failures.map(|(r, reason)| {
            let step = Step::new(ReceiptState::Failed, 0).because(reason);
            Op::Advance(step.advance(letter.label.id, letter.owner, r.name.clone(), self.now.wall))
        });
        let failures: Vec<Op> = failures.collect();
        if let Some(sync) = letter.meta.as_ref().and_then(|m| m.sync.as_ref()).filter(|_| letter.label.asks) {
            self.open_call(letter.label.id, slot, letter.label.client_id.clone(), sync, recipients.len());
        }
        self.copy_to_shadows(&letter, recipients.iter().map(|r| r.id));
        let op = Op::Accept { message, recipients: deliveries };
        self.commits.accept(op, letter.size(), failures, |op| Accepted {
            op,
            conn: slot,
            letter,
            recipients,
        });
    }

    fn first_state(&self, letter: &Letter, recipient: &Addressee) -> NewDelivery {
        let waits = self.waits_for(recipient.id);
        NewDelivery {
            owner: letter.owner,
            recipient: recipient.name.clone(),
            state: if waits.is_some() { ReceiptState::Queued } else { ReceiptState::Accepted },
            reason: waits.map(Into::into),
        }
    }

    /// Why a message for this name would have to wait now.
    fn waits_for(&self, name: NameId) -> Option<&'static str> {
        match self.names.get(name)?.path() {
            super::directory::Path::None(reason) => Some(reason),
            _ => None,
        }
    }

    /// What the sender will have had the journal write with this message, or after how many milliseconds it may send it.
    fn charged(&self, letter: &Letter, recipients: usize) -> Result<Spent, u64> {
        let mut spent = self.names.get(letter.label.sender).map(|sender| sender.spent).unwrap_or_default();
        spent.charge(letter.size(), recipients, self.quotas.journal, self.now.mono)?;
        Ok(spent)
    }

    /// Nothing was accepted, and later it would be. Who takes BUSY is told when.
    fn push_back(&mut self, slot: Slot, letter: &Letter, after: u64, violation: &Violation) {
        if self.conns.get(slot).is_some_and(|conn| conn.takes.busy) {
            let depth = self.commits.waiting();
            let busy = Busy { retry_after_ms: after, queue_depth: depth };
            let header = Header::new(FrameType::Busy, &*letter.label.client_id, self.now.wall);
            return self.say(slot, header, &busy);
        }
        self.refuse_letter(slot, letter, violation);
    }

    fn refuse_letter(&mut self, slot: Slot, letter: &Letter, violation: &Violation) {
        let sync = letter.meta.as_ref().and_then(|m| m.sync.as_ref());
        let mut violation = violation.clone();
        violation.fatal = false;
        self.refuse(slot, &letter.label.client_id, sync, &violation);
    }

    /// The journal has answered for a submission.
    pub fn committed(&mut self, ticket: u64, outcome: &Result<Committed, WriteError>) {
        for then in self.commits.settle(ticket) {
            match then {
                Then::Accepted(accepted) => self.accepted(accepted, outcome),
                Then::Passenger { letter, to, seq } => {
                    if let Some(entry) = self.names.get_mut(to) {
                        entry.queue.let_go();
                    }
                    self.board(&letter, to, seq);
                    self.names.bury(to);
                }
                Then::Receipt(noted) => self.noted(noted, outcome.is_ok()),
                Then::Kept(name) => self.kept(name, outcome.is_ok()),
                Then::Intent { session, message, intent } => {
                    let written = outcome.as_ref().map(|_| ()).map_err(ToString::to_string);
                    self.intent_noted(session, message, intent, written);
                }
            }
        }
    }

    fn accepted(&mut self, accepted: Accepted, outcome: &Result<Committed, WriteError>) {
        let Accepted { op, conn, letter, recipients } = accepted;
        let first = match outcome {
            Ok(committed) => duplicate_of(committed, op),
            Err(error) => {
                self.release(&letter, &recipients);
                let message = format!("nothing was accepted: failed to {error}");
                let violation = Violation::warning(ErrorCode::JournalUnavailable, message);
                if letter.label.asks {
                    self.call_over(letter.label.id, &violation);
                } else {
                    self.refuse_letter(conn, &letter, &violation);
                }
                return;
            }
        };
        if let Some(first) = first {
            self.release(&letter, &recipients);
            if letter.label.asks {
                self.move_call(letter.label.id, first);
            }
            let client_id = letter.label.client_id.clone();
            self.effects.recalls.push(Recall { conn, first, client_id, asks: letter.label.asks });
            return;
        }
        for recipient in recipients {
            self.enqueue(&letter, recipient);
        }
    }

    /// An accepted message joins its recipient's queue.
    fn enqueue(&mut self, letter: &Arc<Letter>, recipient: Addressee) {
        let label = &letter.label;
        if let Some(conn) = self.listener(label) {
            let accepted = Step::new(ReceiptState::Accepted, 0).on(Evidence::Journal);
            self.show_receipt(conn, label, &recipient.name, &accepted);
            let next = match (&recipient.refused, self.waits_for(recipient.id)) {
                (Some(reason), _) => Some(Step::new(ReceiptState::Failed, 0).because(reason.clone())),
                (None, Some(reason)) => Some(Step::new(ReceiptState::Queued, 0).because(reason)),
                (None, None) => None,
            };
            if let Some(step) = next {
                self.show_receipt(conn, label, &recipient.name, &step);
            }
        }
        if let Some(reason) = recipient.refused {
            let failed = Step::new(ReceiptState::Failed, 0).because(reason);
            return self.call_lost(label.id, &recipient.name, &failed);
        }
        let order = self.next_order();
        let Some(entry) = self.names.get_mut(recipient.id) else { return };
        let item = Item {
            order,
            seq: recipient.seq,
            attempt: 0,
            size: letter.size(),
            earlier: None,
            load: Load::Letter(letter.clone()),
        };
        entry.queue.commit(item);
        if entry.forgotten {
            return self.fail_everything(recipient.id, "the name was given up");
        }
        self.watch_deadline(recipient.id);
        self.pump(recipient.id);
    }

    fn release(&mut self, letter: &Letter, recipients: &[Addressee]) {
        for recipient in recipients.iter().filter(|r| r.refused.is_none()) {
            if let Some(entry) = self.names.get_mut(recipient.id) {
                entry.queue.unreserve(letter.size());
            }
            self.names.bury(recipient.id);
        }
    }

    /// What became of the first of two equal SENDs, as the journal knows it.
    pub fn recalled(&mut self, recall: &Recall, sender: &[crate::journal::Delivery]) {
        let label = super::letter::Label {
            id: recall.first,
            sender: NameId::nobody(),
            conn: Some(recall.conn),
            client_id: recall.client_id.clone(),
            deadline: None,
            asks: recall.asks,
            durable: true,
        };
        let listens = self.conns.get(recall.conn).is_some_and(|conn| conn.takes.receipts);
        for delivery in sender {
            if listens {
                let step = Step {
                    state: delivery.state,
                    reason: delivery.reason.clone(),
                    evidence: delivery.evidence,
                    attempt: delivery.attempt,
                    run: delivery.run.clone(),
                };
                self.show_receipt(recall.conn, &label, &delivery.recipient, &step);
            }
        }
        if recall.asks && sender.iter().all(|delivery| delivery.ended) {
            let message = "this message has been sent before and its call is over; its answer is not kept";
            self.call_over(recall.first, &Violation::warning(ErrorCode::NotFound, message));
        }
    }
}

/// The message that was accepted first, if this one repeats it.
fn duplicate_of(committed: &Committed, op: usize) -> Option<MessageId> {
    committed.refused.iter().find_map(|refused| match refused {
        Refused::Duplicate { op: at, first } if *at == op => Some(*first),
        _ => None,
    })
}

/// The places in the recipients' streams go to the journal, so that a repeated delivery has the same.
fn envelope(letter: &Letter, recipients: &[Addressee]) -> Envelope {
    let topic = letter.topic.as_deref().map(str::to_owned);
    let meta = letter.meta.clone();
    match recipients {
        [only] => Envelope { topic, meta, seq: Some(only.seq), seqs: Vec::new() },
        several => {
            let seqs = several.iter().map(|r| (r.name.to_string(), r.seq)).collect();
            Envelope { topic, meta, seq: None, seqs }
        }
    }
}

/// Why a session could never take this text.
fn untypable(text: &Text) -> Option<Violation> {
    let found = typable(&text.body).err()?;
    Some(Violation::warning(ErrorCode::Untypable, format!("failed to {found}")))
}
