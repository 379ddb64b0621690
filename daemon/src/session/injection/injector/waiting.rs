//! Which of the waiting prompts may start, and what the others are told.

use std::time::Instant;

use posthouse_protocol::{ReceiptState, When};

use super::Injector;
use super::active::Active;
use crate::session::injection::prompt::Source;
use crate::session::injection::sight::Gate;
use crate::session::injection::words::{Effect, News};

impl Injector {
    /// Whether a prompt may be written now.
    pub(super) fn allows(&self, when: When, now: Instant) -> bool {
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
    pub(super) fn pump(&mut self, now: Instant) -> Vec<Effect> {
        for prompt in self.lanes.extract(|prompt| prompt.deadline.is_some_and(|deadline| deadline <= now)) {
            self.tell(&prompt, ReceiptState::Expired, None, None);
        }
        if let Some(reason) = self.refuses_now() {
            for prompt in self.lanes.extract(|p| p.when == When::Now && p.source == Source::Message) {
                self.tell(&prompt, ReceiptState::Failed, None, Some(reason.clone()));
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
    pub(super) fn refuses_now(&self) -> Option<String> {
        match &self.sight.gate {
            Gate::Blocked(what) => Some(format!("the harness is blocked: {what}")),
            _ if self.sight.drafting => Some("someone is drafting in the composer".to_owned()),
            _ => None,
        }
    }

    pub(super) fn tell_reasons(&mut self) {
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
}
