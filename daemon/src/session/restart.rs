//! Whether a session whose harness ended is started again, and when; pure.
//!
//! Attempts in a row are counted against a budget and wait longer each time. What proves a session healthy is a turn
//! that ended well, or a run that lived long where nothing is known of turns: that a process was started proves nothing.

use std::time::Duration;

use posthouse_protocol::payload::{Crash, RestartPolicy, Restarts};
use serde::{Deserialize, Serialize};

/// Most attempts in a row.
pub const BUDGET: u32 = 5;
/// How long the first attempt waits; each further one twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// No attempt waits longer, apart from its part of chance.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A run that lived so long was healthy.
const LONG_LIFE: Duration = Duration::from_secs(600);
/// Most lines of the last screen that are kept.
const SCREEN_ROWS: usize = 30;

/// How a run ended that nobody ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The harness said that it was done.
    Well,
    /// It failed, was killed, or its holder died.
    Badly,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The session rests.
    Rest,
    /// It rests, because the budget is spent.
    GiveUp,
    /// It is started again after this time.
    Again(Duration),
}

/// What a session's record knows of its restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restarting {
    /// When it is started again.
    pub policy: RestartPolicy,
    /// Attempts since it was last healthy.
    #[serde(default)]
    pub attempts: u32,
    /// The last end that nobody asked for.
    #[serde(default)]
    pub last: Option<Crash>,
}

impl Default for Restarting {
    fn default() -> Self {
        Self::new(RestartPolicy::Never)
    }
}

impl Restarting {
    /// Of a session that has not ended yet.
    pub fn new(policy: RestartPolicy) -> Self {
        Self { policy, attempts: 0, last: None }
    }

    /// A run that lived for `life` has ended. `chance`, evenly from all numbers, spreads sessions that ended together.
    pub fn ended(&mut self, end: End, life: Duration, chance: u32) -> Verdict {
        if life >= LONG_LIFE {
            self.attempts = 0;
        }
        let wanted = match self.policy {
            RestartPolicy::Always => true,
            RestartPolicy::OnFailure => end == End::Badly,
            // A word of a later version is no order to start anything.
            RestartPolicy::Never | RestartPolicy::Unknown(_) => false,
        };
        if !wanted {
            return Verdict::Rest;
        }
        if self.attempts >= BUDGET {
            return Verdict::GiveUp;
        }
        let wait = FIRST_WAIT.saturating_mul(1 << self.attempts.min(16)).min(LONGEST_WAIT);
        self.attempts += 1;
        // Up to a quarter more.
        Verdict::Again(wait + wait.mul_f64(f64::from(chance) / f64::from(u32::MAX) / 4.0))
    }

    /// A turn ended well. Whether that changed anything.
    pub fn healthy(&mut self) -> bool {
        std::mem::take(&mut self.attempts) > 0
    }

    /// Keeps what is known of an end that nobody asked for.
    pub fn crashed(&mut self, at: u64, how: &str, screen: &str) {
        let rows: Vec<String> = screen.lines().map(|row| row.trim_end().to_owned()).collect();
        let end = rows.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1);
        let begin = end.saturating_sub(SCREEN_ROWS);
        let screen = rows.get(begin..end).unwrap_or_default().to_vec();
        self.last = Some(Crash { at, how: how.to_owned(), screen });
    }

    /// What lists show; nothing of a session that is never started again and never crashed.
    pub fn shown(&self, next_at: Option<u64>) -> Option<Restarts> {
        (self.policy != RestartPolicy::Never || self.last.is_some()).then(|| Restarts {
            policy: self.policy,
            attempts: self.attempts,
            budget: BUDGET,
            next_at,
            last: self.last.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHORT: Duration = Duration::from_secs(3);

    #[test]
    fn the_policy_says_which_ends_count() {
        for (policy, end, again) in [
            (RestartPolicy::Never, End::Badly, false),
            (RestartPolicy::Unknown(77), End::Badly, false),
            (RestartPolicy::OnFailure, End::Well, false),
            (RestartPolicy::OnFailure, End::Badly, true),
            (RestartPolicy::Always, End::Well, true),
            (RestartPolicy::Always, End::Badly, true),
        ] {
            let verdict = Restarting::new(policy).ended(end, SHORT, 0);
            assert_eq!(matches!(verdict, Verdict::Again(_)), again, "{policy} {end:?}");
        }
    }

    #[test]
    fn waits_double_and_the_budget_ends_them() {
        let mut restarting = Restarting::new(RestartPolicy::OnFailure);
        let mut waits = Vec::new();
        while let Verdict::Again(wait) = restarting.ended(End::Badly, SHORT, 0) {
            waits.push(wait.as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16]);
        assert_eq!(restarting.ended(End::Badly, SHORT, 0), Verdict::GiveUp);
        assert!(restarting.healthy() && !restarting.healthy());
        assert_eq!(restarting.ended(End::Badly, SHORT, 0), Verdict::Again(FIRST_WAIT));
    }

    #[test]
    fn a_long_life_is_health_where_nothing_is_known_of_turns() {
        let mut restarting = Restarting { attempts: BUDGET, ..Restarting::new(RestartPolicy::Always) };
        assert_eq!(restarting.ended(End::Well, LONG_LIFE, 0), Verdict::Again(FIRST_WAIT));
    }

    #[test]
    fn the_end_of_the_last_screen_is_kept() {
        let mut restarting = Restarting::default();
        assert_eq!(restarting.shown(None), None);
        let screen: String =
            (0..50).map(|n| format!("row {n}  \n")).chain(["\n".into(), " \n".into()]).collect();
        restarting.crashed(7, "signal 9", &screen);
        let crash = restarting.shown(None).unwrap().last.unwrap();
        assert_eq!((crash.screen.len(), crash.screen[29].as_str()), (SCREEN_ROWS, "row 49"));
    }

    proptest! {
        /// Whatever ends in whatever order: never more than the budget in a row, never longer than the bound.
        #[test]
        fn attempts_are_bounded(ends in prop::collection::vec((any::<bool>(), 0u64..700, any::<u32>(), any::<bool>()), 0..200)) {
            let mut restarting = Restarting::new(RestartPolicy::Always);
            let mut in_a_row = 0;
            for (badly, life, chance, healthy) in ends {
                let end = if badly { End::Badly } else { End::Well };
                let life = Duration::from_secs(life);
                in_a_row = if life >= LONG_LIFE { 0 } else { in_a_row };
                match restarting.ended(end, life, chance) {
                    Verdict::Again(wait) => {
                        in_a_row += 1;
                        prop_assert!(wait >= FIRST_WAIT && wait <= LONGEST_WAIT + LONGEST_WAIT / 4);
                    }
                    verdict => prop_assert_eq!((verdict, in_a_row), (Verdict::GiveUp, BUDGET)),
                }
                prop_assert!(in_a_row <= BUDGET);
                if healthy {
                    restarting.healthy();
                    in_a_row = 0;
                }
            }
        }
    }
}
