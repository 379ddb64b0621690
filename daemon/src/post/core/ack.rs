//! What clients say of what they were handed: ACK, NACK, and answers.

use posthouse_protocol::payload::{Ack, Message, Nack};
use posthouse_protocol::{ErrorCode, Evidence, Frame, Json, ReceiptState, Violation};

use super::letter::Label;
use super::queue::Handed;
use super::receipt::Step;
use super::{Core, NameId, Slot};
use crate::journal::MessageId;

impl Core {
    pub(super) fn on_ack(&mut self, slot: Slot, frame: &Frame) {
        let ack: Ack = match frame.body.decode() {
            Ok(ack) => ack,
            Err(error) => {
                let violation = Violation { fatal: false, ..error.into() };
                return self.refuse(slot, &frame.header.id, None, &violation);
            }
        };
        // An id that was never ours, or that has been acknowledged already, asks for nothing.
        let Some(id) = MessageId::parse(&ack.ack_id) else { return };
        let Some(name) = self.conns.get(slot).map(|conn| conn.name) else { return };
        if ack.correlation_id.is_some() {
            self.answer(name, id, ack.response, ack.response_data);
        } else if let Some((handed, way)) = self.take_handed(slot, name, id) {
            if let Some(label) = handed.label() {
                if label.durable
                    && let Some(entry) = self.names.get_mut(name)
                {
                    entry.queue.finish(handed.size);
                }
                let step = Step::new(ReceiptState::Delivered, handed.attempt).on(way);
                self.delivered(name, label, step);
            }
            self.pump(name);
        }
    }

    pub(super) fn on_nack(&mut self, slot: Slot, frame: &Frame) {
        let Ok(nack) = frame.body.decode::<Nack>() else {
            let violation = Violation::warning(ErrorCode::BadRequest, "the payload is not that of a NACK");
            return self.refuse(slot, &frame.header.id, None, &violation);
        };
        let Some(id) = MessageId::parse(&nack.ack_id) else { return };
        let Some(name) = self.conns.get(slot).map(|conn| conn.name) else { return };
        let Some((handed, _)) = self.take_handed(slot, name, id) else { return };
        if let Some(label) = handed.label() {
            let said = [nack.code, nack.reason].into_iter().flatten().collect::<Vec<_>>().join(": ");
            let reason = if said.is_empty() { "refused by the recipient".to_owned() } else { said };
            self.end(
                name,
                label,
                handed.size,
                Step::new(ReceiptState::Failed, handed.attempt).because(reason),
            );
        }
        self.pump(name);
    }

    /// Takes a message out of the hands of this connection, with the way it came there: it was handed to it, or claimed by
    /// it.
    fn take_handed(&mut self, slot: Slot, name: NameId, id: MessageId) -> Option<(Handed, Evidence)> {
        if let Some(claimed) = self.take_claimed(slot, name, id) {
            return Some((claimed, Evidence::Claim));
        }
        let entry = self.names.get_mut(name)?;
        let delivers = entry.only_conn() == Some(slot) || entry.delivers_to(slot);
        let handed = if delivers { entry.queue.take_handed(id) } else { None };
        handed.map(|handed| (handed, Evidence::Ack))
    }

    /// A SEND that names the message it answers.
    pub(super) fn on_reply(&mut self, slot: Slot, reply_to: &str, frame: &Frame) {
        let Some(id) = MessageId::parse(reply_to) else { return };
        let Some(name) = self.conns.get(slot).map(|conn| conn.name) else { return };
        let asked = |core: &Self| {
            let queue = &core.names.get(name)?.queue;
            let handed = || queue.handed.iter().find(|h| h.id() == id)?.label().map(|label| label.asks);
            let claimed =
                || queue.claimed.iter().find(|c| c.item.label().id == id).map(|c| c.item.label().asks);
            queue.awaiting.get(&id).map(|a| a.label.asks).or_else(handed).or_else(claimed)
        };
        if asked(self) != Some(true) {
            return;
        }
        let message: Option<Message> = frame.body.decode().ok();
        let (body, data) = message.map(|m| (Some(m.body), m.data)).unwrap_or_default();
        self.answer(name, id, body, data);
    }

    /// The recipient `name` has answered a message: it has ended, and whoever waits is told.
    fn answer(&mut self, name: NameId, id: MessageId, response: Option<String>, data: Option<Json>) {
        let Some(entry) = self.names.get_mut(name) else { return };
        let from = entry.name.clone();
        let label = if let Some(awaiting) = entry.queue.awaiting.remove(&id) {
            Some((awaiting.label, awaiting.attempt))
        } else if let Some(handed) = entry.queue.take_handed(id) {
            let label = handed.label().cloned();
            if label.as_ref().is_some_and(|label| label.durable) {
                entry.queue.finish(handed.size);
            }
            // Its session need not type any further.
            if entry.is_session() {
                entry.withdrawn.insert(id);
            }
            label.map(|label| (label, handed.attempt))
        } else {
            let at = entry.queue.claimed.iter().position(|c| c.item.label().id == id);
            at.map(|at| entry.queue.claimed.swap_remove(at)).map(|claimed| {
                entry.queue.finish(claimed.item.size);
                (claimed.item.label().clone(), claimed.item.attempt)
            })
        };
        let Some((label, attempt)) = label else { return };
        self.answer_call(id, &from, response, data);
        let state = if label.asks { ReceiptState::Answered } else { ReceiptState::Delivered };
        self.step(name, &label, Step::new(state, attempt).on(Evidence::Reply));
        self.pump(name);
    }

    /// A message has ended for this recipient.
    pub(super) fn end(&mut self, name: NameId, label: &Label, size: usize, step: Step) {
        if label.durable
            && let Some(entry) = self.names.get_mut(name)
        {
            entry.queue.finish(size);
        }
        self.step(name, label, step);
    }

    /// A message was delivered: it has ended, unless its sender asked for an answer.
    pub(super) fn delivered(&mut self, name: NameId, label: &Label, step: Step) {
        let attempt = step.attempt;
        self.step(name, label, step);
        if !label.asks {
            return;
        }
        let Some(entry) = self.names.get_mut(name) else { return };
        if let Some(oldest) = entry.queue.await_answer(label.clone(), attempt) {
            let reason = "no answer came, and too many newer messages await one";
            let step = Step::new(ReceiptState::Failed, oldest.attempt).because(reason);
            self.step(name, &oldest.label, step);
        }
        self.watch_deadline(name);
    }
}
