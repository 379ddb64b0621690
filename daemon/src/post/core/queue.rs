//! What one name has coming: three lanes that wait, what is in its path's hands, and what awaits an answer.
//!
//! Bodies waiting in memory are bounded. What is beyond the bound keeps only its label here and is read back from the
//! journal shortly before its turn.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use posthouse_protocol::When;

use super::Slot;
use super::keyed::Keyed;
use super::letter::{Label, Letter};
use crate::journal::{self, MessageId};
use crate::post::command::Earlier;

/// How much may wait for one recipient, not counting volatile messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub messages: usize,
    /// Bytes of bodies.
    pub bytes: usize,
}

/// Bytes of waiting bodies kept in memory per recipient.
const RESIDENT: usize = 1024 * 1024;
/// Bytes of bodies that a connection may leave unacknowledged, beside the number that HELLO agreed on.
const HANDED_BYTES: usize = 2 * 1024 * 1024;
/// Most volatile messages that may wait for a connection's window.
const MAX_VOLATILE: usize = 4096;
/// Most bytes of them.
const MAX_VOLATILE_BYTES: usize = 4 * 1024 * 1024;
/// Most delivered messages of one recipient that may await an answer.
const MAX_AWAITING: usize = 10_000;

/// One message that waits.
#[derive(Debug)]
pub(crate) struct Item {
    /// Place among all messages of this daemon's life.
    pub order: u64,
    /// Place in the recipient's stream of this sender and topic.
    pub seq: u64,
    /// How often it was handed over before.
    pub attempt: u32,
    pub size: usize,
    /// What an earlier daemon had begun with it.
    pub earlier: Option<Box<Earlier>>,
    pub load: Load,
}

/// Where a waiting message's body is.
#[derive(Debug)]
pub(crate) enum Load {
    /// Here.
    Letter(Arc<Letter>),
    /// In the journal.
    Spilled { label: Label, when: When },
}

/// One message in the hands of the name's connection or session.
#[derive(Debug)]
pub(crate) struct Handed {
    pub order: u64,
    pub seq: u64,
    pub attempt: u32,
    pub size: usize,
    pub stage: Stage,
    pub held: Held,
}

/// What is kept of a message that was handed over.
#[derive(Debug)]
pub(crate) enum Held {
    /// Everything: it may have to be handed over again.
    Letter(Arc<Letter>),
    /// A volatile one whose sender wants to know.
    Label(Box<Label>),
    /// A volatile one whose sender does not.
    Bare(MessageId),
}

/// How far a session has come with a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It has it.
    #[default]
    Given,
    /// It waits for this.
    Waiting(Arc<str>),
    /// It may have written some of it to this run.
    Begun(Arc<str>),
}

/// Delivered, and the sender awaits an answer.
#[derive(Debug)]
pub(crate) struct Awaiting {
    pub label: Label,
    pub attempt: u32,
}

/// Taken out of turn by an auxiliary.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub by: Slot,
    pub item: Item,
}

/// A claim of a message whose body is being read back.
#[derive(Debug)]
pub(crate) struct PendingClaim {
    pub by: Slot,
    /// The id of the CLAIM frame.
    pub request: String,
    pub message: String,
}

/// Everything of one name.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    lanes: [VecDeque<Item>; 3],
    pub handed: VecDeque<Handed>,
    handed_bytes: usize,
    pub awaiting: BTreeMap<MessageId, Awaiting>,
    pub claimed: Vec<Claimed>,
    pub claims: Vec<PendingClaim>,
    /// Durable messages between acceptance and their end or delivery, those being committed included.
    count: usize,
    bytes: usize,
    resident: usize,
    spilled: usize,
    volatile: usize,
    volatile_bytes: usize,
    /// Messages that a commit holds up: durable ones, and volatile ones that must not overtake them.
    committing: usize,
    /// Whether bodies are being read back.
    pub fetching: bool,
    /// No message expires before this monotonic moment.
    due: Option<u64>,
    due_is_new: bool,
}

/// The lane of a `when`.
pub(crate) fn lane_of(when: When) -> usize {
    match when {
        When::Now => 1,
        When::TurnEnd => 2,
        When::Idle | When::Unknown(_) => 0,
    }
}

impl Item {
    pub fn label(&self) -> &Label {
        match &self.load {
            Load::Letter(letter) => &letter.label,
            Load::Spilled { label, .. } => label,
        }
    }

    pub fn lane(&self) -> usize {
        match &self.load {
            Load::Letter(letter) => lane_of(letter.when()),
            Load::Spilled { when, .. } => lane_of(*when),
        }
    }

    pub fn expired(&self, mono: u64) -> bool {
        self.label().deadline.is_some_and(|deadline| deadline <= mono)
    }
}

impl Handed {
    pub fn id(&self) -> MessageId {
        match &self.held {
            Held::Letter(letter) => letter.label.id,
            Held::Label(label) => label.id,
            Held::Bare(id) => *id,
        }
    }

    pub fn label(&self) -> Option<&Label> {
        match &self.held {
            Held::Letter(letter) => Some(&letter.label),
            Held::Label(label) => Some(label),
            Held::Bare(_) => None,
        }
    }

    /// The item it was, if it may wait again: volatile messages may not.
    pub fn back(self) -> Result<Item, Option<Box<Label>>> {
        match self.held {
            Held::Letter(letter) if letter.label.durable => Ok(Item {
                order: self.order,
                seq: self.seq,
                attempt: self.attempt,
                size: self.size,
                earlier: None,
                load: Load::Letter(letter),
            }),
            Held::Letter(letter) => Err(Some(Box::new(letter.label.clone()))),
            Held::Label(label) => Err(Some(label)),
            Held::Bare(_) => Err(None),
        }
    }
}

impl Queue {
    /// Takes room for a durable message that is about to be journaled; `false` if the inbox is full.
    pub fn reserve(&mut self, size: usize, bounds: Bounds) -> bool {
        if self.count >= bounds.messages || self.bytes.saturating_add(size) > bounds.bytes {
            return false;
        }
        self.count += 1;
        self.bytes += size;
        self.committing += 1;
        true
    }

    /// Whether a message would overtake another that a commit holds up.
    pub fn is_held_up(&self) -> bool {
        self.committing > 0
    }

    /// A volatile message lets those before it go first.
    pub fn hold_up(&mut self) {
        self.committing += 1;
    }

    /// It may go on.
    pub fn let_go(&mut self) {
        self.committing = self.committing.saturating_sub(1);
    }

    /// Gives back the room of a message that the journal did not take.
    pub fn unreserve(&mut self, size: usize) {
        self.committing = self.committing.saturating_sub(1);
        self.finish(size);
    }

    /// A durable message has left for good.
    pub fn finish(&mut self, size: usize) {
        self.count = self.count.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size);
    }

    /// A reserved message is on disk.
    pub fn commit(&mut self, item: Item) {
        self.committing = self.committing.saturating_sub(1);
        self.append(item);
    }

    /// A message that the journal held when the daemon started.
    pub fn recover(&mut self, item: Item) {
        self.count += 1;
        self.bytes += item.size;
        self.append(item);
    }

    fn append(&mut self, mut item: Item) {
        let waiting = !self.is_idle();
        if let Load::Letter(letter) = &item.load {
            if waiting && self.resident + item.size > RESIDENT {
                item.load = Load::Spilled { label: letter.label.clone(), when: letter.when() };
                self.spilled += 1;
            } else {
                self.resident += item.size;
            }
        }
        self.note_deadline(item.label().deadline);
        if let Some(lane) = self.lanes.get_mut(item.lane()) {
            lane.push_back(item);
        }
    }

    /// Lets a volatile message wait for the window; gives it back if too many do.
    pub fn append_volatile(&mut self, item: Item) -> Result<(), Item> {
        if self.volatile >= MAX_VOLATILE || self.volatile_bytes >= MAX_VOLATILE_BYTES {
            return Err(item);
        }
        self.volatile += 1;
        self.volatile_bytes += item.size;
        self.note_deadline(item.label().deadline);
        if let Some(lane) = self.lanes.get_mut(item.lane()) {
            lane.push_back(item);
        }
        Ok(())
    }

    /// Puts back what was handed over or claimed, where it was.
    pub fn requeue(&mut self, item: Item) {
        if matches!(item.load, Load::Letter(_)) {
            self.resident += item.size;
        } else {
            self.spilled += 1;
        }
        self.note_deadline(item.label().deadline);
        if let Some(lane) = self.lanes.get_mut(item.lane()) {
            let at = lane.partition_point(|other| other.order < item.order);
            lane.insert(at, item);
        }
    }

    /// Whether a volatile message waits.
    pub fn has_volatile(&self) -> bool {
        self.volatile > 0
    }

    /// Whether nothing waits.
    pub fn is_idle(&self) -> bool {
        self.lanes.iter().all(VecDeque::is_empty)
    }

    /// Whether nothing waits, is in someone's hands, awaits an answer or is being committed.
    pub fn is_at_rest(&self) -> bool {
        self.is_idle()
            && self.count == 0
            && self.committing == 0
            && self.awaiting.is_empty()
            && self.handed.is_empty()
    }

    /// Messages that wait or are in someone's hands.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Bytes of waiting bodies in memory.
    #[cfg(test)]
    pub fn resident(&self) -> usize {
        self.resident
    }

    /// The message whose turn it is at a client, which takes all lanes in one order.
    pub fn first(&self) -> Option<&Item> {
        self.lanes.iter().filter_map(VecDeque::front).min_by_key(|item| item.order)
    }

    /// The message whose turn it is in one lane.
    pub fn first_of(&self, lane: usize) -> Option<&Item> {
        self.lanes.get(lane)?.front()
    }

    /// Takes the first message of a lane.
    pub fn pop(&mut self, lane: usize) -> Option<Item> {
        let item = self.lanes.get_mut(lane)?.pop_front()?;
        self.forget(&item);
        Some(item)
    }

    /// Takes a waiting message out of turn.
    pub fn take(&mut self, id: MessageId) -> Option<Item> {
        let found = self.lanes.iter_mut().find_map(|lane| {
            let at = lane.iter().position(|item| item.label().id == id)?;
            lane.remove(at)
        })?;
        self.forget(&found);
        Some(found)
    }

    /// Takes the waiting messages for which `which` holds, oldest first.
    pub fn take_all(&mut self, which: impl Fn(&Item) -> bool) -> Vec<Item> {
        let mut taken = Vec::new();
        for lane in &mut self.lanes {
            if !lane.iter().any(&which) {
                continue;
            }
            for item in std::mem::take(lane) {
                if which(&item) { taken.push(item) } else { lane.push_back(item) }
            }
        }
        taken.iter().for_each(|item| self.forget(item));
        taken.sort_by_key(|item| item.order);
        taken
    }

    fn forget(&mut self, item: &Item) {
        if !item.label().durable {
            self.volatile = self.volatile.saturating_sub(1);
            self.volatile_bytes = self.volatile_bytes.saturating_sub(item.size);
        } else if matches!(item.load, Load::Letter(_)) {
            self.resident = self.resident.saturating_sub(item.size);
        } else {
            self.spilled = self.spilled.saturating_sub(1);
        }
    }

    /// Whether a client with this window may be handed one more.
    pub fn has_window(&self, window: usize) -> bool {
        self.handed.len() < window && self.handed_bytes < HANDED_BYTES
    }

    /// Puts a message into the path's hands.
    pub fn hand(&mut self, handed: Handed) {
        self.handed_bytes += handed.size;
        self.handed.push_back(handed);
    }

    /// Takes a message out of the path's hands. Acknowledgements come nearly always in order.
    pub fn take_handed(&mut self, id: MessageId) -> Option<Handed> {
        let at = self.handed.iter().position(|handed| handed.id() == id)?;
        let handed = self.handed.remove(at)?;
        self.handed_bytes = self.handed_bytes.saturating_sub(handed.size);
        Some(handed)
    }

    /// Takes everything out of the path's hands, oldest first.
    pub fn take_all_handed(&mut self) -> VecDeque<Handed> {
        self.handed_bytes = 0;
        std::mem::take(&mut self.handed)
    }

    /// Remembers that a delivered message awaits an answer; gives back the oldest if that makes too many.
    pub fn await_answer(&mut self, label: Label, attempt: u32) -> Option<Awaiting> {
        self.note_deadline(label.deadline);
        self.awaiting.insert(label.id, Awaiting { label, attempt });
        if self.awaiting.len() > MAX_AWAITING {
            self.awaiting.pop_first().map(|(_, oldest)| oldest)
        } else {
            None
        }
    }

    /// Ids of bodies to be read back now: what comes next and is not here, as long as there is room for it. What is
    /// first in its lane is read back in any case.
    pub fn missing(&mut self) -> Vec<MessageId> {
        let gone = |item: &Item| matches!(item.load, Load::Spilled { .. });
        let urgent = self.lanes.iter().any(|lane| lane.front().is_some_and(gone));
        if self.fetching || self.spilled == 0 || (self.resident > RESIDENT / 2 && !urgent) {
            return Vec::new();
        }
        let mut ids = Vec::new();
        for lane in &self.lanes {
            let mut room = RESIDENT.saturating_sub(self.resident) / self.lanes.len();
            for (at, item) in lane.iter().enumerate().filter(|(_, item)| gone(item)) {
                if at > 0 && item.size > room {
                    break;
                }
                ids.push(item.label().id);
                room = room.saturating_sub(item.size);
            }
        }
        self.fetching = !ids.is_empty();
        ids
    }

    /// Bodies came back from the journal.
    pub fn restore(&mut self, mut found: Keyed<MessageId, journal::Message>) {
        self.fetching = false;
        for item in self.lanes.iter_mut().flatten() {
            if found.is_empty() {
                break;
            }
            if let Load::Spilled { label, .. } = &item.load
                && let Some(message) = found.remove(&label.id)
            {
                item.load = Load::Letter(Arc::new(Letter::recorded(&message, label.clone())));
                self.resident += item.size;
                self.spilled = self.spilled.saturating_sub(1);
            }
        }
    }

    fn note_deadline(&mut self, deadline: Option<u64>) {
        if let Some(deadline) = deadline
            && self.due.is_none_or(|due| deadline < due)
        {
            self.due = Some(deadline);
            self.due_is_new = true;
        }
    }

    /// The earliest deadline here, if it has become earlier since this was last asked.
    pub fn newly_due(&mut self) -> Option<u64> {
        std::mem::take(&mut self.due_is_new).then_some(self.due)?
    }

    /// What was due at `mono` has been dealt with: looks for the next deadline. Long queues are looked through less
    /// often, so that many different deadlines cannot make it expensive.
    pub fn swept(&mut self, mono: u64, handed_too: bool) {
        let waiting = self.lanes.iter().flatten().filter_map(|item| item.label().deadline);
        let awaiting = self.awaiting.values().filter_map(|a| a.label.deadline);
        let handed = self.handed.iter().filter(|_| handed_too).filter_map(|h| h.label()?.deadline);
        let next = waiting.chain(awaiting).chain(handed).min();
        self.due = None;
        self.note_deadline(next.map(|at| at.max(mono + self.count as u64 / 100)));
    }
}
