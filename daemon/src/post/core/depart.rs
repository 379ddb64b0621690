//! The end of a connection: what it had not acknowledged waits again.

use posthouse_protocol::{ReceiptState, Violation};

use super::directory::{Path, Seat};
use super::receipt::Step;
use super::{Core, NameId, Slot};
use crate::journal::{EventData, EventKind, NewEvent, Op, Subject};
use crate::post::command::{ConnId, Departure};

impl Core {
    /// A connection ended.
    pub fn leave(&mut self, conn: ConnId, why: Departure) {
        let Some(slot) = self.by_conn.get(&conn).copied() else { return };
        let cut = match why {
            Departure::Closed => None,
            Departure::Cut(violation) => Some(violation),
        };
        self.depart(slot, cut);
    }

    pub(super) fn depart(&mut self, slot: Slot, cut: Option<Violation>) {
        let Some(conn) = self.conns.remove(slot) else { return };
        self.by_conn.remove(&conn.id);
        self.drop_calls(slot);
        self.shadows.retain(|shadow| *shadow != slot);
        let name = conn.name;
        self.return_claims(name, slot);
        let Some(entry) = self.names.get_mut(name) else { return };
        let was_path = entry.delivers_to(slot);
        entry.conns.retain(|other| *other != slot);
        entry.left = self.now.mono;
        if entry.lease == Some(slot) {
            entry.lease = None;
        }
        match &mut entry.seat {
            Seat::Client(primary) if *primary == slot => entry.seat = Seat::Empty,
            Seat::People(slots) => {
                slots.retain(|other| *other != slot);
                if slots.is_empty() {
                    entry.seat = Seat::Empty;
                }
            }
            _ => {}
        }
        if let Some(cut) = cut {
            self.record_cut(name, &cut);
        }
        // What one of a person's connections has not acknowledged, another may.
        let others_have_it = self.names.get(name).is_some_and(|e| matches!(e.seat, Seat::People(_)));
        if was_path && !others_have_it {
            self.unhand(name);
            self.pump(name);
        }
        self.names.bury(name);
    }

    /// What the path had in its hands waits again; volatile messages end here.
    pub(super) fn unhand(&mut self, name: NameId) {
        let Some(entry) = self.names.get_mut(name) else { return };
        let connected = entry.reachable();
        for handed in entry.queue.take_all_handed() {
            let (label, attempt) = (handed.label().cloned(), handed.attempt);
            match handed.back() {
                Ok(item) => {
                    if let Some(entry) = self.names.get_mut(name) {
                        entry.queue.requeue(item);
                    }
                    if let Some(label) = label.filter(|_| !connected) {
                        let reason = "the connection ended before it was acknowledged";
                        self.step(name, &label, Step::new(ReceiptState::Queued, attempt).because(reason));
                    }
                }
                Err(_) => {
                    if let Some(label) = label {
                        let reason = "the connection ended before it was acknowledged";
                        self.step(name, &label, Step::new(ReceiptState::Failed, attempt).because(reason));
                    }
                }
            }
        }
        if !connected {
            self.take_volatile_back(name);
        }
    }

    /// Volatile messages do not wait for anyone who is not connected.
    pub(super) fn take_volatile_back(&mut self, name: NameId) {
        let Some(entry) = self.names.get_mut(name) else { return };
        if matches!(entry.path(), Path::One(_) | Path::Each(_)) || !entry.queue.has_volatile() {
            return;
        }
        for item in entry.queue.take_all(|item| !item.label().durable) {
            let label = item.label().clone();
            let step = Step::new(ReceiptState::Failed, item.attempt).because("the connection ended");
            self.step(name, &label, step);
        }
    }

    /// Why a connection was cut goes to the events, and to the name's next connection.
    fn record_cut(&mut self, name: NameId, cut: &Violation) {
        let Some(entry) = self.names.get_mut(name) else { return };
        entry.cut = Some(cut.clone());
        let data = serde_json::json!({ "code": cut.code, "message": cut.message });
        let event = NewEvent {
            owner: entry.owner,
            kind: EventKind::new("connection.cut"),
            subject: Subject::Named(format!("name/{}", entry.name).into()),
            cause: None,
            actor: None,
            data: EventData::of(&data).unwrap_or_default(),
            at_ms: self.now.wall,
        };
        self.commits.note(Op::Event(event), None);
    }
}
