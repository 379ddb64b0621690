//! What the screen and the clock mean for a prompt that was written: evidence, a second Enter, or none.

use std::time::Instant;

use posthouse_protocol::{Evidence, ReceiptState};

use super::Injector;
use super::active::{Active, Confirming};
use crate::session::injection::prompt::Prompt;
use crate::session::injection::rules::Confirm;
use crate::session::injection::sight::{Composer, Gate};
use crate::session::injection::words::Effect;

impl Injector {
    /// What the screen and the clock mean for the prompt under way.
    pub(super) fn look(&mut self, now: Instant) {
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

    pub(super) fn look_at_stranded(&mut self, prompt: Prompt) {
        if !self.sight.settled || matches!(self.sight.gate, Gate::Blocked(_) | Gate::Away(_) | Gate::Failing)
        {
            self.active = Active::Stranded(prompt);
        } else if self.sight.composer == Composer::Ours && self.sight.drafting {
            // Keys were just sent; what they did is not on the screen yet.
            self.active = Active::Stranded(prompt);
        } else if self.sight.composer == Composer::Ours {
            let mid_turn = self.sight.gate == Gate::Busy;
            self.press_enter(prompt, mid_turn, true);
        } else {
            let reason =
                "a dialog came between the text and Enter, and the composer no longer shows the text";
            self.tell(&prompt, ReceiptState::Uncertain, None, Some(reason.to_owned()));
        }
    }

    pub(super) fn look_at_confirming(&mut self, mut open: Confirming, now: Instant) {
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
                self.press_enter(open.prompt, mid_turn, false);
                return;
            }
        }
        if waited >= within {
            let reason = if self.sight.composer == Composer::Ours {
                "Enter was pressed twice and the composer still shows it"
            } else {
                "nothing shows whether the harness took it"
            };
            self.tell(&open.prompt, ReceiptState::Uncertain, None, Some(reason.to_owned()));
        } else {
            self.active = Active::Confirming(open);
        }
    }

    pub(super) fn confirm(&mut self, evidence: Evidence, now: Instant) {
        if let Active::Confirming(open) = std::mem::replace(&mut self.active, Active::Nothing) {
            if let Confirm::Evidence { turn_shows_within, .. } = self.rules.confirm
                && self.sight.gate == Gate::Ready
            {
                self.settling = Some(now + turn_shows_within);
            }
            self.tell(&open.prompt, ReceiptState::Delivered, Some(evidence), None);
        }
    }
}
