//! The injector: one prompt at a time on its way into a harness, the others in their lanes. Pure: it is told what
//! happened and when, and answers with what is to be done.
//!
//! A prompt is noted in the journal, written as one holder script (text, gap, Enter), and confirmed by evidence.
//! Whoever may be in the way (a dialog, someone's half-typed line) is looked at before each of these steps.

mod active;
mod confirming;
#[cfg(test)]
mod tests;
mod waiting;
mod writing;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Instant;

use posthouse_protocol::{Evidence, ReceiptState};
use uuid::Uuid;

use self::active::{Active, Writing};
use super::lanes::Lanes;
use super::operation::{Part, operation};
use super::prompt::{Prompt, Source};
use super::rules::{Confirm, Rules};
use super::sight::{Gate, Sight};
pub use super::words::{Effect, Fate, News, Sign};
use crate::holder::run::RunId;
use crate::holder::script::{OperationId, Report};
use crate::post::command::Earlier;

/// The state machine of one session.
#[derive(Debug)]
pub struct Injector {
    rules: Rules,
    run: Option<RunId>,
    lanes: Lanes,
    active: Active,
    /// What earlier daemons had begun in this run: the holder is asked for each before anything else is typed.
    unclear: VecDeque<(Prompt, ReceiptState)>,
    sight: Sight,
    /// A turn may have begun that the harness has not shown yet.
    settling: Option<Instant>,
    resting: Option<Instant>,
    effects: Vec<Effect>,
}

impl Injector {
    /// An injector without a run.
    pub fn new(rules: Rules, why_away: &str) -> Self {
        Self {
            rules,
            run: None,
            lanes: Lanes::default(),
            active: Active::Nothing,
            unclear: VecDeque::new(),
            sight: Sight::away(why_away),
            settling: None,
            resting: None,
            effects: Vec::new(),
        }
    }

    /// A run can be written to. The old one, if there was one, has been [ended](Self::run_ended).
    pub fn run_began(&mut self, run: RunId, rules: Rules) {
        self.run = Some(run);
        self.rules = rules;
        // Scripts are numbered anew in each run, so that the next daemon finds the first of them.
        for waiting in self.lanes.iter_mut() {
            waiting.prompt.unused_scripts = 0;
        }
        self.settling = None;
        self.resting = None;
    }

    /// The run is gone. A prompt that was under way waits for its [fate](Self::decide).
    pub fn run_ended(&mut self, why_away: &str, now: Instant) -> Vec<Effect> {
        self.run = None;
        self.sight = Sight::away(why_away);
        let (active, unused) = std::mem::replace(&mut self.active, Active::Nothing).run_ended();
        self.active = active;
        if let Some(prompt) = unused {
            self.lanes.put_back(prompt);
        }
        // The holder can't be asked any more.
        for (prompt, _) in std::mem::take(&mut self.unclear) {
            let reason = "an earlier daemon had begun with it, and its run is gone".to_owned();
            self.tell(&prompt, ReceiptState::Uncertain, None, Some(reason));
        }
        self.pump(now)
    }

    /// The run is about to end: nothing more is begun in it.
    pub fn leaves(&mut self, why_away: &str) {
        self.sight = Sight::away(why_away);
    }

    /// The prompt whose run ended under it.
    pub fn adrift(&self) -> Option<&Prompt> {
        match &self.active {
            Active::Adrift(prompt) => Some(prompt),
            _ => None,
        }
    }

    /// Gives up what post does not know of, because it is offered anew. Returns which of it was under way when its run
    /// ended.
    pub fn recall(&mut self) -> Option<Uuid> {
        self.lanes.extract(|prompt| prompt.source != Source::Message);
        match std::mem::replace(&mut self.active, Active::Nothing) {
            Active::Adrift(prompt) if prompt.source != Source::Message => Some(prompt.id),
            other => {
                self.active = other;
                None
            }
        }
    }

    /// Decides about the prompt that is [adrift](Self::adrift).
    pub fn decide(&mut self, fate: Fate, now: Instant) -> Vec<Effect> {
        match std::mem::replace(&mut self.active, Active::Nothing) {
            Active::Adrift(prompt) => match fate {
                Fate::Again => self.lanes.put_back(prompt.again(false)),
                Fate::Uncertain(reason) => self.tell(&prompt, ReceiptState::Uncertain, None, Some(reason)),
            },
            other => self.active = other,
        }
        self.pump(now)
    }

    /// Takes a prompt. `earlier` is how far an earlier daemon brought it.
    pub fn offer(&mut self, mut prompt: Prompt, earlier: Option<&Earlier>, now: Instant) -> Vec<Effect> {
        if self.holds(prompt.id) {
            return Vec::new();
        }
        match earlier {
            None => self.lanes.push(prompt),
            Some(earlier) => {
                prompt.attempt = earlier.attempt.max(1);
                let same_run = self.run.is_some_and(|run| earlier.run.parse() == Ok(run));
                if same_run {
                    self.unclear.push_back((prompt, earlier.state));
                } else {
                    let reason = "an earlier daemon was writing it, and its run is gone";
                    self.tell(&prompt, ReceiptState::Uncertain, None, Some(reason.to_owned()));
                }
            }
        }
        self.pump(now)
    }

    /// The journal has the note of a prompt, or failed to take it.
    pub fn noted(&mut self, prompt: Uuid, outcome: Result<(), String>, now: Instant) -> Vec<Effect> {
        match std::mem::replace(&mut self.active, Active::Nothing) {
            Active::Noting(noted) if noted.id == prompt => match outcome {
                Ok(()) if self.allows(noted.when, now) => self.write(noted),
                Ok(()) => self.lanes.put_back(noted),
                Err(why) => self.tell(&noted, ReceiptState::Failed, None, Some(why)),
            },
            other => self.active = other,
        }
        self.pump(now)
    }

    /// The harness was looked at.
    pub fn saw(&mut self, sight: Sight, now: Instant) -> Vec<Effect> {
        self.sight = sight;
        if matches!(self.sight.gate, Gate::Busy | Gate::Blocked(_)) {
            self.settling = None;
        }
        self.look(now);
        self.pump(now)
    }

    /// Something showed what became of a submission.
    pub fn sign(&mut self, sign: Sign, now: Instant) -> Vec<Effect> {
        match (&mut self.active, sign) {
            (Active::Writing(writing), Sign::Recorded(id)) if writing.prompt.id == id => {
                writing.proof = Some(Evidence::Structured);
            }
            (Active::Confirming(open), Sign::Recorded(id)) if open.prompt.id == id => {
                self.confirm(Evidence::Structured, now);
            }
            (Active::Confirming(open), Sign::TurnBegan) if !open.mid_turn => {
                self.confirm(Evidence::StatusOsc, now);
            }
            _ => {}
        }
        self.pump(now)
    }

    /// The holder said how far a script is.
    pub fn reported(&mut self, report: Report, now: Instant) -> Vec<Effect> {
        match std::mem::replace(&mut self.active, Active::Nothing) {
            Active::Writing(writing) if writing.operation == report.operation => {
                self.wrote(writing, report, now)
            }
            // This one was taken back unused; the dead daemon may have handed over another.
            Active::Asking { mut prompt, reached }
                if self.script_of(&prompt) == Some(report.operation) && report.is_unused() =>
            {
                prompt.unused_scripts += 1;
                self.ask(prompt, reached);
            }
            Active::Asking { prompt, reached } if self.script_of(&prompt) == Some(report.operation) => {
                let writing = Writing {
                    operation: report.operation,
                    part: Part::Script(prompt.unused_scripts),
                    // What the harness was doing when it was written is not known any more: only evidence that names
                    // the prompt, or the screen, counts.
                    mid_turn: true,
                    told: matches!(reached, ReceiptState::Written | ReceiptState::Submitted),
                    cancelling: false,
                    is_first_enter: true,
                    proof: None,
                    seen_in_composer: false,
                    prompt,
                };
                self.wrote(writing, report, now);
            }
            other => self.active = other,
        }
        self.look(now);
        self.pump(now)
    }

    /// The holder does not remember a script that it was asked for.
    pub fn not_seen(&mut self, asked: OperationId, now: Instant) -> Vec<Effect> {
        match std::mem::replace(&mut self.active, Active::Nothing) {
            Active::Asking { prompt, reached } if self.script_of(&prompt) == Some(asked) => match reached {
                ReceiptState::Written | ReceiptState::Submitted => {
                    let reason = "an earlier daemon had written it, and the holder no longer remembers";
                    self.tell(&prompt, ReceiptState::Uncertain, None, Some(reason.to_owned()));
                }
                _ => self.lanes.put_back(prompt),
            },
            // The holder was asked because the link broke: the script had never left.
            Active::Writing(writing) if writing.operation == asked => match writing.part {
                Part::Script(_) => self.lanes.put_back(writing.prompt),
                _ if writing.is_first_enter => self.active = Active::Stranded(writing.prompt),
                _ => {
                    let reason = "the link to the holder broke while Enter was being pressed".to_owned();
                    self.tell(&writing.prompt, ReceiptState::Uncertain, None, Some(reason));
                }
            },
            other => self.active = other,
        }
        self.pump(now)
    }

    /// The link to the holder was lost and found again: reports may have been missed, so the holder is asked.
    pub fn relinked(&mut self, now: Instant) -> Vec<Effect> {
        match &self.active {
            Active::Asking { prompt, .. } => self.effects.extend(self.script_of(prompt).map(Effect::Ask)),
            Active::Writing(writing) => self.effects.push(Effect::Ask(writing.operation)),
            _ => {}
        }
        self.pump(now)
    }

    /// Time passed.
    pub fn tick(&mut self, now: Instant) -> Vec<Effect> {
        self.look(now);
        self.pump(now)
    }

    /// When [`Self::tick`] has something to do, if nothing else happens.
    pub fn wakes_at(&self) -> Option<Instant> {
        let confirming = match (&self.active, &self.rules.confirm) {
            (Active::Confirming(open), Confirm::Evidence { again_after, within, .. }) => {
                let again = again_after.filter(|_| !open.pressed_again && !open.overdue);
                Some(open.since + again.unwrap_or(*within).min(*within))
            }
            _ => None,
        };
        [confirming, self.lanes.deadline(), self.settling, self.resting].into_iter().flatten().min()
    }

    /// What to look for on the screen: the prompt under way.
    pub fn under_way(&self) -> Option<&Prompt> {
        self.active.prompt()
    }

    /// What of the prompt under way is typed.
    pub fn typed(&self) -> Option<Cow<'_, str>> {
        self.under_way().map(|prompt| self.rules.framing.apply(prompt))
    }

    /// Whether a submission waits for evidence.
    pub fn is_confirming(&self) -> bool {
        matches!(self.active, Active::Confirming(_))
    }

    /// Prompts that have not ended.
    pub fn len(&self) -> usize {
        self.lanes.len() + self.unclear.len() + usize::from(self.under_way().is_some())
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn holds(&self, id: Uuid) -> bool {
        self.lanes.holds(id)
            || self.unclear.iter().any(|(prompt, _)| prompt.id == id)
            || self.under_way().is_some_and(|prompt| prompt.id == id)
    }

    fn script_of(&self, prompt: &Prompt) -> Option<OperationId> {
        let part = Part::Script(prompt.unused_scripts);
        self.run.map(|run| operation(prompt.id, run, prompt.attempt, part))
    }

    fn ask(&mut self, prompt: Prompt, reached: ReceiptState) {
        if let Some(operation) = self.script_of(&prompt) {
            self.effects.push(Effect::Ask(operation));
            self.active = Active::Asking { prompt, reached };
        }
    }

    /// Tells how far a prompt has come.
    fn tell(
        &mut self,
        prompt: &Prompt,
        state: ReceiptState,
        evidence: Option<Evidence>,
        reason: Option<String>,
    ) {
        self.effects.push(Effect::Tell {
            prompt: prompt.id,
            source: prompt.source,
            attempt: prompt.attempt,
            news: News::Reached { state, evidence, reason },
        });
    }
}
