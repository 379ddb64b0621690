//! The volatile way: to who is connected now, without a trace in the journal.
//!
//! This is the hot path. A message for a single connection whose window is open turns its SEND frame into the DELIVER
//! frame in place: nothing is looked into, nothing is stored but what its acknowledgement will need.

use std::sync::Arc;

use posthouse_protocol::{DecodeError, Delivery, ErrorCode, Frame, FrameType, ReceiptState, Violation};

use super::directory::Path;
use super::letter::{Label, Letter};
use super::queue::{Handed, Held, Item, Load, Stage};
use super::receipt::Step;
use super::{Core, NameId, Slot};
use crate::journal::MessageId;

impl Core {
    pub(super) fn send_volatile(&mut self, slot: Slot, to: NameId, target: String, frame: Frame) {
        let Some(entry) = self.names.get(to) else { return };
        let open = !entry.queue.is_held_up() && entry.queue.is_idle() && self.shadows.is_empty();
        let straight = frame.header.meta.as_ref().is_none_or(|m| m.sync.is_none() && m.ttl_ms.is_none());
        if open
            && straight
            && let Some(conn) = entry.only_conn()
            && let Some(reader) = self.conns.get(conn)
            && reader.takes.acks
            && entry.queue.has_window(reader.window)
        {
            return self.send_straight(slot, conn, to, target, frame);
        }
        let name = entry.name.clone();
        let letter = Arc::new(self.letter(slot, frame, name));
        self.spread_volatile(slot, &letter, vec![to]);
    }

    /// SEND in, DELIVER out.
    fn send_straight(&mut self, slot: Slot, to: Slot, name: NameId, target: String, mut frame: Frame) {
        let id = MessageId(self.ids.next(self.now.wall));
        let order = self.next_order();
        let size = frame.body.bytes().len();
        let Some(sender) = self.conns.get(slot) else { return };
        let (from, listens, sender_name) = (sender.from.clone(), sender.takes.receipts, sender.name);
        let Some(entry) = self.names.get_mut(name) else { return };
        let topic: Option<Arc<str>> = frame.header.topic.as_deref().map(Into::into);
        let seq = entry.seqs.next(sender_name, topic.as_ref());

        let header = &mut frame.header;
        let client_id = listens.then(|| Arc::<str>::from(&*header.id));
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        replace(&mut header.id, id.0.as_hyphenated().encode_lower(&mut text));
        replace(header.from.get_or_insert_default(), &from);
        header.kind = FrameType::Deliver;
        header.ts = self.now.wall;
        header.to = Some(target);
        let written = self.put_delivery(to, &mut frame, seq, None);
        if let Err(error) = written {
            let id = client_id.as_deref().unwrap_or_default();
            return self.refuse(slot, id, None, &Violation { fatal: false, ..error.into() });
        }
        let held = match client_id {
            None => Held::Bare(id),
            Some(client_id) => Held::Label(Box::new(Label {
                id,
                sender: sender_name,
                conn: Some(slot),
                client_id,
                deadline: None,
                asks: false,
                durable: false,
            })),
        };
        if let Some(entry) = self.names.get_mut(name) {
            entry.queue.hand(Handed { order, seq, attempt: 1, size, stage: Stage::Given, held });
        }
    }

    /// Writes a DELIVER whose stream position is still missing. The session id is lent by the connection, not copied.
    pub(super) fn put_delivery(
        &mut self,
        to: Slot,
        frame: &mut Frame,
        seq: u64,
        original_to: Option<String>,
    ) -> Result<(), DecodeError> {
        let Some(conn) = self.conns.get_mut(to) else { return Ok(()) };
        let session_id = std::mem::take(&mut conn.session_id);
        frame.header.delivery = Some(Delivery { seq, session_id, original_to });
        let written = self.put(to, frame);
        if let (Some(conn), Some(delivery)) = (self.conns.get_mut(to), frame.header.delivery.take()) {
            conn.session_id = delivery.session_id;
        }
        written
    }

    /// Sends a volatile message the long way: to several, behind others, or with an answer awaited. Of several, those
    /// without a connection are not among its recipients.
    pub(super) fn spread_volatile(&mut self, slot: Slot, letter: &Arc<Letter>, mut names: Vec<NameId>) {
        let label = &letter.label;
        if letter.target.starts_with(['*', '@', '#']) {
            let connected = |path| matches!(path, Path::One(_) | Path::Each(_));
            names.retain(|name| self.names.get(*name).is_some_and(|entry| connected(entry.path())));
        }
        if let Some(sync) = letter.meta.as_ref().and_then(|m| m.sync.as_ref()).filter(|_| label.asks) {
            self.open_call(label.id, slot, label.client_id.clone(), sync, names.len());
        }
        self.copy_to_shadows(letter, names.iter().copied());
        if names.is_empty() {
            let message = "nobody is connected who would get this";
            self.refuse(slot, &label.client_id, None, &Violation::warning(ErrorCode::NoSuchName, message));
            return self.call_over(label.id, &Violation::warning(ErrorCode::NoSuchName, message));
        }
        for name in &names {
            let Some(entry) = self.names.get_mut(*name) else { continue };
            let seq = entry.seqs.next(label.sender, letter.topic.as_ref());
            if entry.queue.is_held_up() {
                entry.queue.hold_up();
                self.commits.follow(letter.clone(), *name, seq);
            } else {
                self.board(letter, *name, seq);
            }
        }
    }

    /// A volatile message joins its recipient's queue, or fails.
    pub(super) fn board(&mut self, letter: &Arc<Letter>, to: NameId, seq: u64) {
        let order = self.next_order();
        let Some(entry) = self.names.get_mut(to) else { return };
        let reason = match entry.path() {
            Path::None(reason) => Some(reason),
            Path::Session => Some("a session takes durable messages only"),
            _ => None,
        };
        let item = Item {
            order,
            seq,
            attempt: 0,
            size: letter.size(),
            earlier: None,
            load: Load::Letter(letter.clone()),
        };
        let reason = match reason {
            None => entry.queue.append_volatile(item).err().map(|_| "the recipient is too far behind"),
            reason => reason,
        };
        match reason {
            Some(reason) => {
                self.step(to, &letter.label, Step::new(ReceiptState::Failed, 0).because(reason));
            }
            None => {
                self.watch_deadline(to);
                self.pump(to);
            }
        }
    }
}

fn replace(text: &mut String, with: &str) {
    text.clear();
    text.push_str(with);
}
