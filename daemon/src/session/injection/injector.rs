//! The injector: one prompt at a time on its way into a harness, the others in their lanes. Pure: it is told what
//! happened and when, and answers with what is to be done.
//!
//! A prompt is noted in the journal, written as one holder script (text, gap, Enter), and confirmed by evidence.
//! Whoever may be in the way (a dialog, someone's half-typed line) is looked at before each of these steps.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Instant;

use posthouse_protocol::{Evidence, ReceiptState, When};
use uuid::Uuid;

use super::lanes::Lanes;
use super::operation::{Part, operation};
use super::prompt::{Prompt, Source};
use super::rules::{Confirm, PASTE_END, Rules};
use super::sight::{Composer, Gate, Sight};
pub use super::words::{Effect, Fate, News, Sign};
use crate::holder::run::RunId;
use crate::holder::script::{OperationId, Report, State, Step};
use crate::post::command::Earlier;

/// How long the injector rests after the holder could not take a script.
const REST: std::time::Duration = std::time::Duration::from_secs(1);

#[derive(Debug)]
enum Active {
    Nothing,
    /// An earlier daemon had begun with it: the holder is asked for its script.
    Asking {
        prompt: Prompt,
        reached: ReceiptState,
    },
    Noting(Prompt),
    Writing(Writing),
    /// A dialog came between text and Enter: the text may be in the composer.
    Stranded(Prompt),
    Confirming(Confirming),
    /// Its run ended.
    Adrift(Prompt),
}

#[derive(Debug)]
struct Writing {
    prompt: Prompt,
    operation: OperationId,
    part: Part,
    mid_turn: bool,
    /// `written` has been told.
    told: bool,
    cancelling: bool,
    proof: Option<Evidence>,
    seen_in_composer: bool,
}

#[derive(Debug)]
struct Confirming {
    prompt: Prompt,
    since: Instant,
    mid_turn: bool,
    pressed_again: bool,
    /// The time for a second Enter has come; whether it is pressed depends on what is seen.
    overdue: bool,
    seen_in_composer: bool,
}

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
        self.settling = None;
        self.resting = None;
    }

    /// The run is gone. A prompt that was under way waits for its [fate](Self::decide).
    pub fn run_ended(&mut self, why_away: &str, now: Instant) -> Vec<Effect> {
        self.run = None;
        self.sight = Sight::away(why_away);
        self.active = match std::mem::replace(&mut self.active, Active::Nothing) {
            Active::Nothing => Active::Nothing,
            Active::Noting(prompt) => {
                self.lanes.put_back(prompt);
                Active::Nothing
            }
            Active::Asking { prompt, .. }
            | Active::Writing(Writing { prompt, .. })
            | Active::Stranded(prompt)
            | Active::Confirming(Confirming { prompt, .. })
            | Active::Adrift(prompt) => Active::Adrift(prompt),
        };
        // The holder can't be asked any more.
        for (prompt, _) in std::mem::take(&mut self.unclear) {
            let reason = "an earlier daemon had begun with it, and its run is gone".to_owned();
            self.end(prompt, ReceiptState::Uncertain, None, Some(reason));
        }
        self.pump(now)
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
                Fate::Uncertain(reason) => self.end(prompt, ReceiptState::Uncertain, None, Some(reason)),
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
                    self.end(prompt, ReceiptState::Uncertain, None, Some(reason.to_owned()));
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
                Err(why) => self.end(noted, ReceiptState::Failed, None, Some(why)),
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
            Active::Asking { prompt, reached } if self.script_of(&prompt) == Some(report.operation) => {
                let writing = Writing {
                    operation: report.operation,
                    part: Part::Script(prompt.unused_scripts),
                    // What the harness was doing when it was written is not known any more: only evidence that names
                    // the prompt, or the screen, counts.
                    mid_turn: true,
                    told: matches!(reached, ReceiptState::Written | ReceiptState::Submitted),
                    cancelling: false,
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
                    self.end(prompt, ReceiptState::Uncertain, None, Some(reason.to_owned()));
                }
                _ => self.lanes.put_back(prompt),
            },
            // The holder was asked because the link broke: the script had never left.
            Active::Writing(writing) if writing.operation == asked => match writing.part {
                Part::Script(_) => self.lanes.put_back(writing.prompt),
                _ => {
                    let reason = "the link to the holder broke while Enter was being pressed".to_owned();
                    self.end(writing.prompt, ReceiptState::Uncertain, None, Some(reason));
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
        match &self.active {
            Active::Nothing => None,
            Active::Asking { prompt, .. }
            | Active::Noting(prompt)
            | Active::Writing(Writing { prompt, .. })
            | Active::Stranded(prompt)
            | Active::Confirming(Confirming { prompt, .. })
            | Active::Adrift(prompt) => Some(prompt),
        }
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

    /// Whether a prompt may be written now.
    fn allows(&self, when: When, now: Instant) -> bool {
        let rests = |until: Option<Instant>| until.is_some_and(|until| now < until);
        if self.run.is_none() || self.sight.is_taken() || rests(self.resting) {
            return false;
        }
        match (&self.sight.gate, when) {
            (Gate::Away(_) | Gate::Blocked(_) | Gate::Failing, _) => false,
            (Gate::Busy, When::Now) => self.rules.mid_turn,
            (Gate::Ready | Gate::Unknown, When::Now) => true,
            (Gate::Ready, _) => !rests(self.settling),
            (Gate::Busy | Gate::Unknown, _) => false,
        }
    }

    /// Starts whatever may start, ends what came too late, and tells the others what they wait for.
    fn pump(&mut self, now: Instant) -> Vec<Effect> {
        for prompt in self.lanes.extract(|prompt| prompt.deadline.is_some_and(|deadline| deadline <= now)) {
            self.end(prompt, ReceiptState::Expired, None, None);
        }
        if let Some(reason) = self.refuses_now() {
            for prompt in self.lanes.extract(|p| p.when == When::Now && p.source == Source::Message) {
                self.end(prompt, ReceiptState::Failed, None, Some(reason.clone()));
            }
        }
        if matches!(self.active, Active::Nothing)
            && let Some((prompt, reached)) = self.unclear.pop_front()
        {
            self.ask(prompt, reached);
        }
        if matches!(self.active, Active::Nothing) {
            let (now_allowed, idle_allowed) = (self.allows(When::Now, now), self.allows(When::Idle, now));
            let next = self.lanes.take(|when| if when == When::Now { now_allowed } else { idle_allowed });
            if let Some(prompt) = next {
                self.effects.push(Effect::Note(prompt.clone()));
                self.active = Active::Noting(prompt);
            }
        }
        self.tell_reasons();
        std::mem::take(&mut self.effects)
    }

    /// Why `now` fails at once.
    fn refuses_now(&self) -> Option<String> {
        match &self.sight.gate {
            Gate::Blocked(what) => Some(format!("the harness is blocked: {what}")),
            _ if self.sight.drafting => Some("someone is drafting in the composer".to_owned()),
            _ => None,
        }
    }

    fn tell_reasons(&mut self) {
        let reason = self.sight.waits_for();
        for waiting in self.lanes.iter_mut() {
            let reason = reason.clone().unwrap_or_else(|| "behind another message".to_owned());
            if waiting.told.as_ref() != Some(&reason) {
                waiting.told = Some(reason.clone());
                let prompt = &waiting.prompt;
                self.effects.push(Effect::Tell {
                    prompt: prompt.id,
                    source: prompt.source,
                    attempt: prompt.attempt,
                    news: News::Waits(reason),
                });
            }
        }
    }

    fn write(&mut self, prompt: Prompt) {
        let Some(operation) = self.script_of(&prompt) else {
            self.lanes.put_back(prompt);
            return;
        };
        let mid_turn = self.sight.gate == Gate::Busy;
        let steps = self.rules.script(&prompt);
        self.effects.push(Effect::Write { operation, steps });
        self.active = Active::Writing(Writing {
            part: Part::Script(prompt.unused_scripts),
            prompt,
            operation,
            mid_turn,
            told: false,
            cancelling: false,
            proof: None,
            seen_in_composer: false,
        });
    }

    fn press_enter(&mut self, prompt: Prompt, mid_turn: bool) {
        let Some(run) = self.run else { return };
        let operation = operation(prompt.id, run, prompt.attempt, Part::EnterAgain);
        let steps = self.rules.press_enter();
        self.effects.push(Effect::Write { operation, steps });
        self.active = Active::Writing(Writing {
            prompt,
            operation,
            part: Part::EnterAgain,
            mid_turn,
            told: true,
            cancelling: false,
            proof: None,
            seen_in_composer: true,
        });
    }

    /// The script under way moved on or ended.
    fn wrote(&mut self, mut writing: Writing, report: Report, now: Instant) {
        let is_script = matches!(writing.part, Part::Script(_));
        if is_script && report.steps_done >= 1 && !writing.told {
            writing.told = true;
            self.tell(&writing.prompt, ReceiptState::Written, Some(Evidence::Holder), None);
        }
        let untouched = report.steps_done == 0 && report.partial_bytes == 0;
        match report.state {
            State::Queued | State::Running | State::Other(..) => self.active = Active::Writing(writing),
            State::Done => self.applied(writing, now),
            _ if !is_script => {
                // The second Enter never left: the first one's evidence may still come.
                self.active = Active::Confirming(Confirming {
                    prompt: writing.prompt,
                    since: now,
                    mid_turn: writing.mid_turn,
                    pressed_again: true,
                    overdue: true,
                    seen_in_composer: writing.seen_in_composer,
                });
            }
            State::Full | State::NotUnderstood => {
                self.resting = Some(now + REST);
                self.lanes.put_back(writing.prompt);
            }
            State::Cancelled if untouched => {
                writing.prompt.unused_scripts += 1;
                self.lanes.put_back(writing.prompt);
            }
            State::Failed { .. } if untouched => {
                writing.prompt.unused_scripts += 1;
                self.resting = Some(now + REST);
                self.lanes.put_back(writing.prompt);
            }
            // Enter was not pressed, also where the terminal went away in between.
            State::Cancelled | State::Failed { .. }
                if report.steps_done >= 1 && report.partial_bytes == 0 =>
            {
                self.active = Active::Stranded(writing.prompt);
            }
            State::Cancelled => {
                self.close_paste(&writing.prompt);
                let reason = "a dialog appeared while it was being typed".to_owned();
                self.end(writing.prompt, ReceiptState::Uncertain, None, Some(reason));
            }
            State::Failed { errno } => {
                let reason = format!("the terminal could not be written (error {errno})");
                self.end(writing.prompt, ReceiptState::Uncertain, None, Some(reason));
            }
        }
    }

    /// Enter was applied.
    fn applied(&mut self, writing: Writing, now: Instant) {
        let Writing { prompt, mid_turn, proof, part, seen_in_composer, .. } = writing;
        if part != Part::EnterAgain || !seen_in_composer {
            self.tell(&prompt, ReceiptState::Submitted, Some(Evidence::Holder), None);
            self.effects.push(Effect::Submitted(prompt.clone()));
        }
        self.active = Active::Confirming(Confirming {
            prompt,
            since: now,
            mid_turn,
            pressed_again: part == Part::EnterAgain,
            overdue: false,
            seen_in_composer,
        });
        match (&self.rules.confirm, proof) {
            (Confirm::Holder, _) => self.confirm(Evidence::Holder, now),
            (Confirm::Evidence { .. }, Some(proof)) => self.confirm(proof, now),
            (Confirm::Evidence { .. }, None) => {}
        }
    }

    /// A paste without its end would swallow every later key.
    fn close_paste(&mut self, prompt: &Prompt) {
        if let (true, Some(run)) = (self.rules.paste, self.run) {
            let operation = operation(prompt.id, run, prompt.attempt, Part::PasteEnd);
            self.effects.push(Effect::Write { operation, steps: vec![Step::Bytes(PASTE_END.to_vec())] });
        }
    }

    /// What the screen and the clock mean for the prompt under way.
    fn look(&mut self, now: Instant) {
        let blocked = matches!(self.sight.gate, Gate::Blocked(_));
        match std::mem::replace(&mut self.active, Active::Nothing) {
            Active::Writing(mut writing) => {
                if blocked && !writing.cancelling {
                    writing.cancelling = true;
                    self.effects.push(Effect::Cancel(writing.operation));
                }
                self.active = Active::Writing(writing);
            }
            Active::Stranded(prompt) => self.look_at_stranded(prompt),
            Active::Confirming(open) => self.look_at_confirming(open, now),
            other => self.active = other,
        }
    }

    fn look_at_stranded(&mut self, prompt: Prompt) {
        if !self.sight.settled || matches!(self.sight.gate, Gate::Blocked(_) | Gate::Away(_) | Gate::Failing)
        {
            self.active = Active::Stranded(prompt);
        } else if self.sight.composer == Composer::Ours && self.sight.drafting {
            // Keys were just sent; what they did is not on the screen yet.
            self.active = Active::Stranded(prompt);
        } else if self.sight.composer == Composer::Ours {
            let mid_turn = self.sight.gate == Gate::Busy;
            self.tell(&prompt, ReceiptState::Submitted, Some(Evidence::Holder), None);
            self.effects.push(Effect::Submitted(prompt.clone()));
            self.press_enter(prompt, mid_turn);
        } else {
            let reason =
                "a dialog came between the text and Enter, and the composer no longer shows the text";
            self.end(prompt, ReceiptState::Uncertain, None, Some(reason.to_owned()));
        }
    }

    fn look_at_confirming(&mut self, mut open: Confirming, now: Instant) {
        let Confirm::Evidence { again_after, within, .. } = self.rules.confirm else {
            self.active = Active::Confirming(open);
            return;
        };
        let waited = now.saturating_duration_since(open.since);
        let sight = &self.sight;
        let free = !sight.is_taken();
        open.overdue |= again_after.is_some_and(|after| waited >= after);
        if sight.settled {
            let gone =
                sight.composer == Composer::Empty || (sight.composer == Composer::Other && sight.shown);
            let took_it =
                sight.shown || open.seen_in_composer || (sight.gate == Gate::Busy && !open.mid_turn);
            open.seen_in_composer |= sight.composer == Composer::Ours;
            if gone && took_it {
                self.active = Active::Confirming(open);
                self.confirm(Evidence::Screen, now);
                return;
            }
            if sight.composer == Composer::Ours && free && !open.pressed_again && open.overdue {
                let mid_turn = sight.gate == Gate::Busy;
                self.press_enter(open.prompt, mid_turn);
                return;
            }
        }
        if waited >= within {
            let reason = if self.sight.composer == Composer::Ours {
                "Enter was pressed twice and the composer still shows it"
            } else {
                "nothing shows whether the harness took it"
            };
            self.end(open.prompt, ReceiptState::Uncertain, None, Some(reason.to_owned()));
        } else {
            self.active = Active::Confirming(open);
        }
    }

    fn confirm(&mut self, evidence: Evidence, now: Instant) {
        if let Active::Confirming(open) = std::mem::replace(&mut self.active, Active::Nothing) {
            if let Confirm::Evidence { turn_shows_within, .. } = self.rules.confirm
                && self.sight.gate == Gate::Ready
            {
                self.settling = Some(now + turn_shows_within);
            }
            self.end(open.prompt, ReceiptState::Delivered, Some(evidence), None);
        }
    }

    fn end(
        &mut self,
        prompt: Prompt,
        state: ReceiptState,
        evidence: Option<Evidence>,
        reason: Option<String>,
    ) {
        self.tell(&prompt, state, evidence, reason);
    }

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
