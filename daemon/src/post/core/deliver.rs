//! Handing waiting messages to the connection or session of a name, as far as its window allows.

use std::sync::Arc;

use posthouse_protocol::{DecodeError, Evidence, Frame, FrameType, Header, ReceiptState};

use super::directory::Path;
use super::effects::{Fetch, Given};
use super::letter::Letter;
use super::queue::{Handed, Held, Load, Stage};
use super::receipt::Step;
use super::timer::Due;
use super::{Core, NameId, Slot};

/// Bytes of frames without acknowledgement that a connection is given in one turn.
const MAX_CHUNK: usize = 1024 * 1024;

impl Core {
    /// Hands over whatever the name's path can take now.
    pub(super) fn pump(&mut self, name: NameId) {
        let Some(entry) = self.names.get(name) else { return };
        if entry.queue.is_idle() {
            return;
        }
        match entry.path() {
            Path::None(_) => return,
            Path::Session => self.pump_session(name),
            Path::One(slot) => self.pump_clients(name, &[slot]),
            Path::Each(slots) => self.pump_clients(name, &slots),
        }
        if let Some(entry) = self.names.get_mut(name) {
            let ids = entry.queue.missing();
            if !ids.is_empty() {
                self.effects.fetches.push(Fetch { name, ids });
            }
        }
    }

    fn pump_clients(&mut self, name: NameId, slots: &[Slot]) {
        let conns = || slots.iter().filter_map(|slot| self.conns.get(*slot));
        let window = conns().map(|conn| conn.window).min().unwrap_or(0);
        let acks = conns().any(|conn| conn.takes.acks);
        loop {
            let Some(entry) = self.names.get_mut(name) else { return };
            let Some(first) = entry.queue.first() else { return };
            let lane = first.lane();
            if first.expired(self.now.mono) {
                self.expire_first(name, lane);
                continue;
            }
            let Load::Letter(letter) = &first.load else { return };
            let letter = letter.clone();
            let acked = acks && letter.kind != FrameType::ChannelMessage;
            if acked && !entry.queue.has_window(window) {
                return;
            }
            if !acked && self.is_laden(slots) {
                return self.timers.set(self.now.mono, Due::Pump(name));
            }
            let Some(entry) = self.names.get_mut(name) else { return };
            let Some(item) = entry.queue.pop(lane) else { return };
            let (to, attempt) = (entry.name.clone(), item.attempt + 1);
            if let Err(error) = self.deliver(slots, &letter, &to, item.seq, attempt) {
                let step = Step::new(ReceiptState::Failed, attempt).because(error.to_string());
                self.end(name, &letter.label, item.size, step);
            } else if acked || letter.label.durable {
                if !acked {
                    self.tell_when_written(slots, (name, letter.label.id));
                }
                let (order, seq, size) = (item.order, item.seq, item.size);
                let held = Held::Letter(letter);
                let handed = Handed { order, seq, attempt, size, stage: Stage::Given, held };
                if let Some(entry) = self.names.get_mut(name) {
                    entry.queue.hand(handed);
                }
            } else {
                let step = Step::new(ReceiptState::Delivered, attempt).on(Evidence::Connection);
                self.delivered(name, &letter.label, step);
            }
        }
    }

    /// A message that nobody acknowledges is delivered once one of these connections has written it: until then the
    /// daemon's death would be its end.
    fn tell_when_written(&mut self, slots: &[Slot], given: Given) {
        for slot in slots {
            if let Some(conn) = self.conns.get_mut(*slot) {
                conn.given.push(given);
            }
        }
    }

    /// A message that nobody acknowledges was written to its connection.
    pub fn written(&mut self, (name, id): Given) {
        let Some(entry) = self.names.get_mut(name) else { return };
        let Some(handed) = entry.queue.take_handed(id) else { return };
        entry.queue.finish(handed.size);
        if let Some(label) = handed.label() {
            let step = Step::new(ReceiptState::Delivered, handed.attempt).on(Evidence::Connection);
            self.delivered(name, label, step);
        }
        self.pump(name);
    }

    /// Whether one of the connections has enough for this turn. What needs no acknowledgement has no window, so this is
    /// what lets the outbox notice a client that does not read.
    fn is_laden(&self, slots: &[Slot]) -> bool {
        slots.iter().any(|slot| self.conns.get(*slot).is_some_and(|conn| conn.out.len() > MAX_CHUNK))
    }

    /// Writes a message to each of the connections.
    pub(super) fn deliver(
        &mut self,
        slots: &[Slot],
        letter: &Letter,
        to: &Arc<str>,
        seq: u64,
        attempt: u32,
    ) -> Result<(), DecodeError> {
        let channel = letter.kind == FrameType::ChannelMessage;
        let kind = if channel { FrameType::ChannelMessage } else { FrameType::Deliver };
        let mut header = Header::new(kind, letter.label.id.to_string(), letter.accepted);
        header.from = Some(letter.from.to_string());
        header.to = Some(if channel { letter.target.to_string() } else { to.to_string() });
        header.topic = letter.topic.as_deref().map(str::to_owned);
        header.meta = letter.meta.clone();
        if attempt > 1 {
            header.meta.get_or_insert_default().attempt = Some(attempt);
        }
        let mut frame = Frame { header, body: letter.body.clone() };
        for slot in slots {
            let Some(encoding) = self.conns.get(*slot).map(|conn| conn.encoding) else { continue };
            frame.body = letter.body_in(encoding)?;
            if channel {
                self.put(*slot, &frame)?;
            } else {
                let original_to = (letter.target != *to).then(|| letter.target.to_string());
                self.put_delivery(*slot, &mut frame, seq, original_to)?;
            }
        }
        Ok(())
    }
}
