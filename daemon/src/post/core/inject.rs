//! Messages for sessions: handed over as injections, and what their session says of them.

use std::sync::Arc;

use posthouse_protocol::ReceiptState;

use super::commits::Then;
use super::directory::Seat;
use super::letter::Letter;
use super::queue::{Handed, Held, Item, Load, Stage, lane_of};
use super::receipt::Step;
use super::timer::Due;
use super::{Core, NameId};
use crate::journal::{EventData, EventKind, MessageId, NewEvent, Op, Subject};
use crate::post::command::{self, Injection, Intent, Progress, SessionSink};

impl Core {
    pub(super) fn pump_session(&mut self, name: NameId) {
        for lane in 0..3 {
            let Some(entry) = self.names.get(name) else { return };
            let in_lane = |h: &&Handed| matches!(&h.held, Held::Letter(l) if lane_of(l.when()) == lane);
            let mut held = entry.queue.handed.iter().filter(in_lane).count();
            while held < SessionSink::WINDOW && self.inject_next(name, lane) {
                held += 1;
            }
        }
    }

    /// Hands the first message of a lane to the session; `false` if there is none that could be.
    fn inject_next(&mut self, name: NameId, lane: usize) -> bool {
        loop {
            let Some(entry) = self.names.get_mut(name) else { return false };
            let Some(first) = entry.queue.first_of(lane) else { return false };
            if first.expired(self.now.mono) && first.earlier.is_none() {
                self.expire_first(name, lane);
                continue;
            }
            let Load::Letter(letter) = &first.load else { return false };
            let letter = letter.clone();
            let Some(item) = entry.queue.pop(lane) else { return false };
            let to = entry.name.clone();
            match injection(&letter, &item, &to) {
                Ok(injection) => {
                    let stage = stage_of(&item);
                    let Item { order, seq, attempt, size, .. } = item;
                    let held = Held::Letter(letter);
                    entry.queue.hand(Handed { order, seq, attempt, size, stage, held });
                    self.effects.injections.push((name, injection));
                    return true;
                }
                Err(reason) => {
                    let step = Step::new(ReceiptState::Failed, item.attempt).because(reason);
                    self.end(name, &letter.label, item.size, step);
                }
            }
        }
    }

    /// A session says how far it has come with a message.
    pub fn progress(&mut self, progress: Progress) {
        let Progress { session, message, step } = progress;
        let id = MessageId(message);
        let Some(name) = self.names.find(self.owner, &session) else { return };
        match step {
            command::Step::Waiting { reason } => self.injection_waits(name, id, reason.into()),
            command::Step::Writing { run, attempt, done } => {
                self.about_to_write(name, id, run.into(), attempt, done)
            }
            command::Step::Reached { state, evidence, reason, run, attempt } => {
                let (run, reason) = (run.map(Arc::from), reason.map(Arc::from));
                self.injection_reached(name, id, Step { state, reason, evidence, attempt, run });
            }
        }
    }

    fn injection_waits(&mut self, name: NameId, id: MessageId, reason: Arc<str>) {
        let Some((label, attempt)) = self.set_stage(name, id, Stage::Waiting(reason.clone())) else { return };
        self.step(name, &label, Step::new(ReceiptState::Queued, attempt).because(reason));
    }

    /// Moves a message in the session's hands to another stage; `None` if it is not there, or there already.
    fn set_stage(
        &mut self,
        name: NameId,
        id: MessageId,
        stage: Stage,
    ) -> Option<(super::letter::Label, u32)> {
        let entry = self.names.get_mut(name)?;
        let handed = entry.queue.handed.iter_mut().find(|handed| handed.id() == id)?;
        if handed.stage == stage {
            return None;
        }
        handed.stage = stage;
        Some((handed.label()?.clone(), handed.attempt))
    }

    /// Before the first byte: the note goes to the journal, and the session waits for it.
    fn about_to_write(&mut self, name: NameId, id: MessageId, run: Arc<str>, attempt: u32, intent: Intent) {
        let Some(entry) = self.names.get_mut(name) else { return };
        if entry.withdrawn.remove(&id) {
            let reason = "the message is not the session's any more".to_owned();
            return self.effects.intents.push((intent, Err(reason)));
        }
        let (owner, recipient) = (entry.owner, entry.name.clone());
        let then = Then::Intent { session: name, message: id, intent };
        let Some(handed) = entry.queue.handed.iter_mut().find(|handed| handed.id() == id) else {
            // Its receipt has ended; failover submits it once more, which is an event of its own.
            let op = Op::Event(resubmitted(owner, id, &run, attempt, self.now.wall));
            return self.commits.note(op, Some(then));
        };
        handed.stage = Stage::Begun(run.clone());
        handed.attempt = attempt;
        let mut step = Step::new(ReceiptState::Queued, attempt).because("about to be written");
        step.run = Some(run);
        let advance = step.advance(id, owner, recipient, self.now.wall);
        self.commits.note(Op::Advance(advance), Some(then));
    }

    /// The note of an intent is in the journal, or could not be written: then the message waits again.
    pub(super) fn intent_noted(
        &mut self,
        session: NameId,
        message: MessageId,
        intent: Intent,
        noted: Result<(), String>,
    ) {
        if noted.is_err()
            && let Some(entry) = self.names.get_mut(session)
            && let Some(handed) = entry.queue.take_handed(message)
            && let Ok(item) = handed.back()
        {
            entry.queue.requeue(item);
            self.timers.set(self.now.mono + 1000, Due::Pump(session));
        }
        self.effects.intents.push((intent, noted));
    }

    fn injection_reached(&mut self, name: NameId, id: MessageId, step: Step) {
        let Some(entry) = self.names.get_mut(name) else { return };
        match step.state {
            ReceiptState::Written | ReceiptState::Submitted => {
                let Some(handed) = entry.queue.handed.iter_mut().find(|handed| handed.id() == id) else {
                    return;
                };
                if let Some(run) = &step.run {
                    handed.stage = Stage::Begun(run.clone());
                }
                handed.attempt = step.attempt;
                let Some(label) = handed.label().cloned() else { return };
                self.step(name, &label, step);
            }
            ReceiptState::Queued | ReceiptState::Accepted => {
                let reason = step.reason.unwrap_or_else(|| "waiting".into());
                self.injection_waits(name, id, reason);
            }
            state => {
                entry.withdrawn.remove(&id);
                let Some(handed) = entry.queue.take_handed(id) else { return };
                entry.queue.finish(handed.size);
                let Some(label) = handed.label().cloned() else { return };
                if matches!(state, ReceiptState::Delivered | ReceiptState::Answered) {
                    self.delivered(name, &label, step);
                } else {
                    self.step(name, &label, step);
                }
                self.pump(name);
            }
        }
    }

    /// The session is gone or new: what it was not known to have begun waits again, the rest is uncertain.
    pub(super) fn take_back(&mut self, name: NameId, reason: &str) {
        let Some(entry) = self.names.get_mut(name) else { return };
        entry.withdrawn.clear();
        for handed in entry.queue.take_all_handed() {
            let Some(label) = handed.label().cloned() else { continue };
            let attempt = handed.attempt;
            if let Stage::Begun(run) = handed.stage {
                let why = format!("{reason} while the message was on its way into the harness");
                let mut step = Step::new(ReceiptState::Uncertain, attempt).because(why);
                step.run = Some(run);
                self.end(name, &label, handed.size, step);
                continue;
            }
            self.step(name, &label, Step::new(ReceiptState::Queued, attempt).because(reason));
            if let (Ok(item), Some(entry)) = (handed.back(), self.names.get_mut(name)) {
                entry.queue.requeue(item);
            }
        }
    }

    /// Whether the name's seat is a session's; only then does a session hold its messages.
    pub(super) fn has_session(&self, name: NameId) -> bool {
        self.names.get(name).is_some_and(|entry| entry.seat == Seat::Session)
    }
}

/// What the session is told of a message.
fn injection(letter: &Letter, item: &Item, to: &Arc<str>) -> Result<Injection, String> {
    let text = letter.text().map_err(|error| error.to_string())?;
    let meta = letter.meta.as_ref();
    Ok(Injection {
        message: letter.label.id.0,
        from: letter.from.to_string(),
        original_to: (letter.target != *to).then(|| letter.target.to_string()),
        body: text.body,
        thread: text.thread,
        when: letter.when(),
        plain: meta.is_some_and(|m| m.plain == Some(true)),
        expects_answer: letter.label.asks,
        deadline: letter.deadline,
        earlier: item.earlier.as_deref().cloned(),
    })
}

fn stage_of(item: &Item) -> Stage {
    match &item.earlier {
        Some(earlier) => Stage::Begun(earlier.run.as_str().into()),
        None => Stage::Given,
    }
}

fn resubmitted(owner: u32, id: MessageId, run: &str, attempt: u32, at_ms: u64) -> NewEvent {
    let data = serde_json::json!({ "run": run, "attempt": attempt });
    NewEvent {
        owner,
        kind: EventKind::new("resubmitted"),
        subject: Subject::Message(id),
        cause: None,
        actor: None,
        data: EventData::of(&data).unwrap_or_default(),
        at_ms,
    }
}
