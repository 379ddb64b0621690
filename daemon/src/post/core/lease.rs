//! LEASE and CLAIM: how an auxiliary gets its name's messages, all of them or one.

use posthouse_protocol::payload::{Claim, ClaimResult, Lease, LeaseResult};
use posthouse_protocol::{Frame, FrameType, Header, ReceiptState};

use super::directory::Seat;
use super::effects::Fetch;
use super::queue::{Claimed, Handed, Held, Item, Load, PendingClaim, Stage};
use super::receipt::Step;
use super::{Core, NameId, Slot};
use crate::journal::MessageId;
use crate::principal::Right;

/// Where a claimed message's body is.
enum Found {
    Here(Item),
    InJournal(NameId, MessageId),
}

impl Core {
    /// An auxiliary wants to be the delivery path of its name.
    pub(super) fn on_lease(&mut self, slot: Slot, frame: &Frame) {
        let refusal = match frame.body.decode::<Lease>() {
            Ok(Lease {}) => self.try_lease(slot).err(),
            Err(error) => Some(error.detail),
        };
        let result = LeaseResult { granted: refusal.is_none(), reason: refusal };
        let header = Header::new(FrameType::LeaseResult, frame.header.id.clone(), self.now.wall);
        self.say(slot, header, &result);
        if result.granted
            && let Some(name) = self.conns.get(slot).map(|conn| conn.name)
        {
            self.pump(name);
        }
    }

    fn try_lease(&mut self, slot: Slot) -> Result<(), String> {
        let conn = self.conns.get(slot).ok_or("the connection is over")?;
        if !conn.principal.may(Right::Send) {
            return Err("an observer is handed nothing".to_owned());
        }
        let name = conn.name;
        let entry = self.names.get_mut(name).ok_or("the name is gone")?;
        match (&entry.seat, entry.lease) {
            (_, Some(holder)) if holder == slot => Ok(()),
            (_, Some(_)) => Err("another auxiliary holds the lease".to_owned()),
            (Seat::Empty | Seat::Resting, None) => {
                entry.lease = Some(slot);
                self.arrived.push(name);
                Ok(())
            }
            (Seat::Session | Seat::Reserved, None) => {
                Err("the name belongs to a session, which takes its messages".to_owned())
            }
            (Seat::Client(_) | Seat::People(_), None) => Err("the name has a primary connection".to_owned()),
        }
    }

    /// An auxiliary takes one message of its name.
    pub(super) fn on_claim(&mut self, slot: Slot, frame: &Frame) {
        let request = frame.header.id.as_str();
        match frame.body.decode::<Claim>() {
            Ok(claim) => self.claim(slot, request, claim.message),
            Err(error) => self.claim_result(slot, request, String::new(), Some(error.detail)),
        }
    }

    pub(super) fn claim(&mut self, slot: Slot, request: &str, message: String) {
        match self.try_claim(slot, &message) {
            Ok(Found::Here(item)) => {
                self.claim_result(slot, request, message, None);
                self.hand_claimed(slot, item);
            }
            Ok(Found::InJournal(name, id)) => {
                self.effects.fetches.push(Fetch { name, ids: vec![id] });
                if let Some(entry) = self.names.get_mut(name) {
                    let request = request.to_owned();
                    entry.queue.claims.push(PendingClaim { by: slot, request, message });
                }
            }
            Err(reason) => self.claim_result(slot, request, message, Some(reason)),
        }
    }

    /// Bodies have come back, or cannot be read now: claims that waited for them are decided.
    pub(super) fn resume_claims(&mut self, name: NameId, readable: bool) {
        let Some(entry) = self.names.get_mut(name) else { return };
        for PendingClaim { by, request, message } in std::mem::take(&mut entry.queue.claims) {
            if readable {
                self.claim(by, &request, message);
            } else {
                let reason = "its body could not be read back; it waits still";
                self.claim_result(by, &request, message, Some(reason.to_owned()));
            }
        }
    }

    fn claim_result(&mut self, slot: Slot, request: &str, message: String, refusal: Option<String>) {
        let result = ClaimResult { message, claimed: refusal.is_none(), reason: refusal };
        let header = Header::new(FrameType::ClaimResult, request, self.now.wall);
        self.say(slot, header, &result);
    }

    /// Takes a message that waits, or that its session has and has not begun.
    fn try_claim(&mut self, slot: Slot, message: &str) -> Result<Found, String> {
        let conn = self.conns.get(slot).ok_or("the connection is over")?;
        if !conn.principal.may(Right::Send) {
            return Err("an observer is handed nothing".to_owned());
        }
        let name = conn.name;
        let id = MessageId::parse(message).ok_or("that is not the id of a message")?;
        let entry = self.names.get_mut(name).ok_or("the name is gone")?;
        if entry.queue.claimed.iter().any(|claimed| claimed.item.label().id == id) {
            return Err("it is claimed already".to_owned());
        }
        let session = entry.seat == Seat::Session;
        if session && let Some(handed) = entry.queue.handed.iter().find(|handed| handed.id() == id) {
            if matches!(handed.stage, Stage::Begun(_)) {
                return Err("it is on its way into the harness".to_owned());
            }
            let handed = entry.queue.take_handed(id).ok_or("it is gone")?;
            entry.withdrawn.insert(id);
            let item = handed.back().map_err(|_| "it cannot be claimed")?;
            self.pump(name);
            return Ok(Found::Here(item));
        }
        let item = entry.queue.take(id).ok_or("no such message waits for this name")?;
        if matches!(item.load, Load::Spilled { .. }) {
            entry.queue.requeue(item);
            return Ok(Found::InJournal(name, id));
        }
        Ok(Found::Here(item))
    }

    fn hand_claimed(&mut self, slot: Slot, mut item: Item) {
        let Some(name) = self.conns.get(slot).map(|conn| conn.name) else { return };
        let Some(to) = self.names.get(name).map(|entry| entry.name.clone()) else { return };
        let Load::Letter(letter) = &item.load else { return };
        let letter = letter.clone();
        item.attempt += 1;
        if let Err(error) = self.deliver(&[slot], &letter, &to, item.seq, item.attempt) {
            let step = Step::new(ReceiptState::Failed, item.attempt).because(error.to_string());
            return self.end(name, &letter.label, item.size, step);
        }
        let reason = "claimed by an auxiliary";
        self.step(name, &letter.label, Step::new(ReceiptState::Queued, item.attempt).because(reason));
        if let Some(entry) = self.names.get_mut(name) {
            entry.queue.claimed.push(Claimed { by: slot, item });
        }
    }

    /// The acknowledgement of a claimed message.
    pub(super) fn take_claimed(&mut self, slot: Slot, name: NameId, id: MessageId) -> Option<Handed> {
        let claimed = &mut self.names.get_mut(name)?.queue.claimed;
        let at = claimed.iter().position(|c| c.by == slot && c.item.label().id == id)?;
        let Item { order, seq, attempt, size, load, .. } = claimed.swap_remove(at).item;
        let held = match load {
            Load::Letter(letter) => Held::Letter(letter),
            Load::Spilled { label, .. } => Held::Label(Box::new(label)),
        };
        Some(Handed { order, seq, attempt, size, stage: Stage::Given, held })
    }

    /// What a connection had claimed waits again.
    pub(super) fn return_claims(&mut self, name: NameId, slot: Slot) {
        let Some(entry) = self.names.get_mut(name) else { return };
        let (returned, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut entry.queue.claimed).into_iter().partition(|claimed| claimed.by == slot);
        entry.queue.claimed = kept;
        if returned.is_empty() {
            return;
        }
        for Claimed { item, .. } in returned {
            let (label, attempt) = (item.label().clone(), item.attempt);
            if let Some(entry) = self.names.get_mut(name) {
                // Its session still has it, and only has to be allowed to type it again.
                match (entry.withdrawn.remove(&label.id), item) {
                    (true, Item { order, seq, attempt, size, load: Load::Letter(letter), .. }) => {
                        let held = Held::Letter(letter);
                        entry.queue.hand(Handed { order, seq, attempt, size, stage: Stage::Given, held });
                    }
                    (_, item) => entry.queue.requeue(item),
                }
            }
            let reason = "the auxiliary that had claimed it is gone";
            self.step(name, &label, Step::new(ReceiptState::Queued, attempt).because(reason));
        }
        if self.names.get(name).is_some_and(|entry| entry.forgotten) {
            return self.fail_everything(name, "the name was given up");
        }
        self.pump(name);
    }
}
