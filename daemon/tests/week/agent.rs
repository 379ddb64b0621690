//! A session as failover sees it: it gets messages, works on one at a time, and does as it is told.

use std::collections::VecDeque;

use jiff::Timestamp;
use posthoused::failover::route::{Mount, Route};

/// What it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for a message.
    Idle,
    /// Works until then.
    Works(Timestamp),
    /// Tries the same again then.
    Waits(Timestamp),
    /// Sleeps, until then if anything is known.
    Parked(Option<Timestamp>),
}

/// One session.
#[derive(Debug)]
pub struct Agent {
    pub name: String,
    pub route: Route,
    pub first: Mount,
    pub mount: Mount,
    pub state: State,
    /// When failover is asked whether to go back.
    pub homeward: Option<Timestamp>,
    /// Messages that wait, and when the next one comes.
    pub waiting: usize,
    pub next: Timestamp,
    pub sent: usize,
    pub answered: usize,
    /// Tries of the message at hand since the session was last parked.
    pub tries: usize,
    pub most_tries: usize,
    recent: VecDeque<Timestamp>,
    pub most_in_ten_minutes: usize,
    seed: u64,
}

impl Agent {
    pub fn new(name: String, route: Route, start: Timestamp, seed: u64) -> Self {
        let first = route.ranked().next().unwrap().clone();
        let mut agent = Self {
            name,
            route,
            mount: first.clone(),
            first,
            state: State::Idle,
            homeward: None,
            waiting: 0,
            next: start,
            sent: 0,
            answered: 0,
            tries: 0,
            most_tries: 0,
            recent: VecDeque::new(),
            most_in_ten_minutes: 0,
            seed,
        };
        agent.next = later(start, agent.between(1, 30) * 60);
        agent
    }

    /// The same numbers every time (SplitMix64).
    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        least + i64::try_from((z ^ (z >> 31)) % u64::try_from(most - least + 1).unwrap()).unwrap()
    }

    /// A try begins.
    pub fn tries(&mut self, now: Timestamp) {
        self.tries += 1;
        self.most_tries = self.most_tries.max(self.tries);
        self.recent.push_back(now);
        while self.recent.front().is_some_and(|first| now.duration_since(*first).as_mins() >= 10) {
            self.recent.pop_front();
        }
        self.most_in_ten_minutes = self.most_in_ten_minutes.max(self.recent.len());
    }

    /// When something happens by itself.
    pub fn wakes_at(&self) -> Option<Timestamp> {
        let own = match self.state {
            State::Idle => self.homeward,
            State::Works(at) | State::Waits(at) => Some(at),
            State::Parked(at) => at,
        };
        own.into_iter().chain([self.next]).min()
    }
}

pub fn later(at: Timestamp, seconds: i64) -> Timestamp {
    at.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap()
}
