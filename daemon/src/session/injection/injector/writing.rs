//! A script on its way through the holder: handed over, reported on, taken back.

use std::time::{Duration, Instant};

use posthouse_protocol::{Evidence, ReceiptState};

use super::Injector;
use super::active::{Active, Confirming, Writing};
use crate::holder::script::{Report, State, Step};
use crate::session::injection::operation::{Part, operation};
use crate::session::injection::prompt::Prompt;
use crate::session::injection::rules::{Confirm, PASTE_END};
use crate::session::injection::sight::Gate;
use crate::session::injection::words::Effect;

/// How long the injector rests after the holder could not take a script.
const REST: Duration = Duration::from_secs(1);

impl Injector {
    pub(super) fn write(&mut self, prompt: Prompt) {
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
            is_first_enter: true,
            proof: None,
            seen_in_composer: false,
        });
    }

    /// Presses Enter, for the first time where a dialog had kept it back, else once more.
    pub(super) fn press_enter(&mut self, prompt: Prompt, mid_turn: bool, is_first_enter: bool) {
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
            is_first_enter,
            proof: None,
            seen_in_composer: true,
        });
    }

    /// The script under way moved on or ended.
    pub(super) fn wrote(&mut self, mut writing: Writing, report: Report, now: Instant) {
        let is_script = matches!(writing.part, Part::Script(_));
        if is_script && report.steps_done >= 1 && !writing.told {
            writing.told = true;
            self.tell(&writing.prompt, ReceiptState::Written, Some(Evidence::Holder), None);
        }
        match report.state {
            State::Queued | State::Running | State::Other(..) => self.active = Active::Writing(writing),
            State::Done => self.applied(writing, now),
            _ if !is_script => {
                // This Enter never left and is not tried again: evidence may still come, of an earlier one or of a
                // person who pressed it.
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
            State::Cancelled if report.is_unused() => {
                writing.prompt.unused_scripts += 1;
                self.lanes.put_back(writing.prompt);
            }
            State::Failed { .. } if report.is_unused() => {
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
                self.tell(&writing.prompt, ReceiptState::Uncertain, None, Some(reason));
            }
            State::Failed { errno } => {
                let reason = format!("the terminal could not be written (error {errno})");
                self.tell(&writing.prompt, ReceiptState::Uncertain, None, Some(reason));
            }
        }
    }

    /// Enter was applied.
    pub(super) fn applied(&mut self, writing: Writing, now: Instant) {
        let Writing { prompt, mid_turn, proof, part, seen_in_composer, is_first_enter, .. } = writing;
        if is_first_enter {
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
    pub(super) fn close_paste(&mut self, prompt: &Prompt) {
        if let (true, Some(run)) = (self.rules.paste, self.run) {
            let operation = operation(prompt.id, run, prompt.attempt, Part::PasteEnd);
            self.effects.push(Effect::Write { operation, steps: vec![Step::Bytes(PASTE_END.to_vec())] });
        }
    }
}
