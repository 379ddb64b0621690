//! Prompts that wait, in one lane per `when`. Each lane is first in, first out; what the house itself has to say
//! goes first, then `now`, then `turn-end`, then `idle`.

use std::collections::VecDeque;
use std::time::Instant;

use posthouse_protocol::When;
use uuid::Uuid;

use super::prompt::{Prompt, Source};

/// A prompt that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What is to be typed.
    pub prompt: Prompt,
    /// What its sender was last told that it waits for.
    pub told: Option<String>,
}

/// The three lanes.
#[derive(Debug, Default)]
pub struct Lanes {
    house: VecDeque<Waiting>,
    now: VecDeque<Waiting>,
    turn_end: VecDeque<Waiting>,
    idle: VecDeque<Waiting>,
}

impl Lanes {
    /// Puts a prompt at the end of its lane.
    pub fn push(&mut self, prompt: Prompt) {
        self.lane(&prompt).push_back(Waiting { prompt, told: None });
    }

    /// Puts a prompt back where it was taken from: at the head of its lane.
    pub fn put_back(&mut self, prompt: Prompt) {
        self.lane(&prompt).push_front(Waiting { prompt, told: None });
    }

    /// The next prompt of a lane whose `when` is allowed.
    pub fn take(&mut self, allowed: impl Fn(When) -> bool) -> Option<Prompt> {
        for lane in [&mut self.house, &mut self.now, &mut self.turn_end, &mut self.idle] {
            if lane.front().is_some_and(|head| allowed(head.prompt.when)) {
                return lane.pop_front().map(|waiting| waiting.prompt);
            }
        }
        None
    }

    /// Removes every prompt for which `chosen` holds, in order.
    pub fn extract(&mut self, chosen: impl Fn(&Prompt) -> bool) -> Vec<Prompt> {
        let mut taken = Vec::new();
        for lane in [&mut self.house, &mut self.now, &mut self.turn_end, &mut self.idle] {
            let (out, kept): (VecDeque<_>, VecDeque<_>) =
                std::mem::take(lane).into_iter().partition(|waiting| chosen(&waiting.prompt));
            *lane = kept;
            taken.extend(out.into_iter().map(|waiting| waiting.prompt));
        }
        taken
    }

    /// Everything that waits.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Waiting> {
        self.house.iter_mut().chain(&mut self.now).chain(&mut self.turn_end).chain(&mut self.idle)
    }

    /// Whether a prompt waits.
    pub fn holds(&self, id: Uuid) -> bool {
        [&self.house, &self.now, &self.turn_end, &self.idle]
            .into_iter()
            .any(|lane| lane.iter().any(|waiting| waiting.prompt.id == id))
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.house.len() + self.now.len() + self.turn_end.len() + self.idle.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The earliest deadline among them.
    pub fn deadline(&self) -> Option<Instant> {
        let lanes = [&self.house, &self.now, &self.turn_end, &self.idle];
        lanes.into_iter().flatten().filter_map(|waiting| waiting.prompt.deadline).min()
    }

    fn lane(&mut self, prompt: &Prompt) -> &mut VecDeque<Waiting> {
        match (prompt.source, prompt.when) {
            (Source::House | Source::Resubmission, _) => &mut self.house,
            (Source::Message, When::Now) => &mut self.now,
            (Source::Message, When::TurnEnd) => &mut self.turn_end,
            (Source::Message, When::Idle | When::Unknown(_)) => &mut self.idle,
        }
    }
}
