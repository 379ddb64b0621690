//! What time does: deadlines of messages, ends of blocking calls, second attempts to read the journal.

use posthouse_protocol::ReceiptState;

use super::effects::Fetch;
use super::keyed::Keyed;
use super::letter::Label;
use super::queue::Awaiting;
use super::receipt::Step;
use super::timer::Due;
use super::{Core, NameId};
use crate::journal::{self, MessageId};

/// How long to wait before the journal is asked again for bodies that it did not give, in milliseconds.
const REFETCH: u64 = 500;

impl Core {
    /// Does whatever is due.
    pub fn tick(&mut self) {
        // What this makes due at once is for the next turn.
        let due: Vec<Due> = std::iter::from_fn(|| self.timers.pop(self.now.mono)).collect();
        for due in due {
            match due {
                Due::Sweep(name) => self.sweep(name),
                Due::Call(id) => self.call_timed_out(id),
                Due::Pump(name) => self.pump(name),
                Due::Rewrite => self.rewrite(),
                Due::Keep => self.keep_newcomers(),
            }
        }
    }

    /// Sets the timer for the earliest deadline of a queue, if it has become earlier.
    pub(super) fn watch_deadline(&mut self, name: NameId) {
        let Some(entry) = self.names.get_mut(name) else { return };
        if let Some(at) = entry.queue.newly_due() {
            self.timers.set(at, Due::Sweep(name));
        }
    }

    /// Ends what has expired of one name. A session ends what it holds by itself.
    fn sweep(&mut self, name: NameId) {
        let mono = self.now.mono;
        let session = self.has_session(name);
        let Some(entry) = self.names.get_mut(name) else { return };
        let over = |label: &Label| label.deadline.is_some_and(|deadline| deadline <= mono);
        let mut ended: Vec<(Label, u32, Option<usize>)> = Vec::new();
        for item in entry.queue.take_all(|item| item.expired(mono) && item.earlier.is_none()) {
            ended.push((item.label().clone(), item.attempt, Some(item.size)));
        }
        let late: Vec<MessageId> =
            entry.queue.awaiting.values().filter(|a| over(&a.label)).map(|a| a.label.id).collect();
        for Awaiting { label, attempt } in late.iter().filter_map(|id| entry.queue.awaiting.remove(id)) {
            ended.push((label, attempt, None));
        }
        if !session {
            let late = entry.queue.handed.iter().filter(|h| h.label().is_some_and(over)).map(|h| h.id());
            for id in late.collect::<Vec<_>>() {
                let Some(handed) = entry.queue.take_handed(id) else { continue };
                if let Some(label) = handed.label() {
                    ended.push((label.clone(), handed.attempt, Some(handed.size)));
                }
            }
        }
        for (label, attempt, size) in ended {
            let step = Step::new(ReceiptState::Expired, attempt).because("its time to live ran out");
            match size {
                Some(size) => self.end(name, &label, size, step),
                None => self.step(name, &label, step),
            }
        }
        if let Some(entry) = self.names.get_mut(name) {
            entry.queue.swept(mono, !session);
        }
        self.watch_deadline(name);
        self.pump(name);
    }

    /// The first message of a lane has expired.
    pub(super) fn expire_first(&mut self, name: NameId, lane: usize) {
        let Some(entry) = self.names.get_mut(name) else { return };
        let Some(item) = entry.queue.pop(lane) else { return };
        let step = Step::new(ReceiptState::Expired, item.attempt).because("its time to live ran out");
        self.end(name, &item.label().clone(), item.size, step);
    }

    /// Bodies came back from the journal; those missing are gone from it.
    pub fn fetched(&mut self, fetch: &Fetch, found: Option<Vec<journal::Message>>) {
        let Some(found) = found else {
            if let Some(entry) = self.names.get_mut(fetch.name) {
                entry.queue.fetching = false;
            }
            self.resume_claims(fetch.name, false);
            return self.timers.set(self.now.mono + REFETCH, Due::Pump(fetch.name));
        };
        let found: Keyed<_, _> = found.into_iter().map(|message| (message.id, message)).collect();
        let lost: Vec<_> = fetch.ids.iter().filter(|id| !found.contains_key(id)).copied().collect();
        let Some(entry) = self.names.get_mut(fetch.name) else { return };
        entry.queue.restore(found);
        for id in lost {
            let Some(item) = self.names.get_mut(fetch.name).and_then(|entry| entry.queue.take(id)) else {
                continue;
            };
            let reason = "the journal no longer has its body";
            let step = Step::new(ReceiptState::Failed, item.attempt).because(reason);
            self.end(fetch.name, &item.label().clone(), item.size, step);
        }
        self.resume_claims(fetch.name, true);
        self.pump(fetch.name);
    }
}
