//! Ending a run, pure: the ladder of signals with its graces, then KILL again and again until
//! nothing is left or it is clear that something cannot be killed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::holder::wire::Rung;

/// How long killing goes on before the survivors are reported.
const KILLING: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// Send this signal to the leader and its group.
    Signal(i32),
    /// Kill everything that belongs to the run.
    Kill,
    /// Look again at this time, or when a child ends.
    WaitUntil(Instant),
    /// Report who is left.
    GiveUp,
}

#[derive(Debug)]
pub(super) struct Ending {
    rungs: VecDeque<Rung>,
    /// Nothing is due before this.
    next: Instant,
    killing: Option<Killing>,
}

#[derive(Debug)]
struct Killing {
    until: Instant,
    pause: Duration,
}

impl Ending {
    pub fn new(rungs: Vec<Rung>, now: Instant) -> Self {
        Self { rungs: rungs.into(), next: now, killing: None }
    }

    /// What is due at `now`. The caller stops asking once the run is gone.
    pub fn next_move(&mut self, now: Instant) -> Move {
        if now < self.next {
            return Move::WaitUntil(self.next);
        }
        if let Some(rung) = self.rungs.pop_front() {
            self.next = now + Duration::from_millis(rung.grace_ms.into());
            return Move::Signal(rung.signal);
        }
        let killing = self.killing.get_or_insert(Killing { until: now + KILLING, pause: FIRST_PAUSE });
        if now >= killing.until {
            return Move::GiveUp;
        }
        self.next = now + killing.pause;
        killing.pause = (killing.pause * 2).min(LONGEST_PAUSE);
        Move::Kill
    }

    /// A further END takes whichever ladder is done sooner: it can only hasten the end.
    pub fn hasten(&mut self, other: Self) {
        if self.killing.is_none() && other.last_due() < self.last_due() {
            *self = other;
        }
    }

    fn last_due(&self) -> Instant {
        self.rungs.iter().fold(self.next, |due, rung| due + Duration::from_millis(rung.grace_ms.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM: Rung = Rung { signal: 15, grace_ms: 1000 };

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn each_rung_gets_its_grace_and_then_everything_is_killed_until_it_is_given_up() {
        let start = Instant::now();
        let mut ending = Ending::new(vec![Rung { signal: 2, grace_ms: 300 }, TERM], start);
        assert_eq!(ending.next_move(start), Move::Signal(2));
        assert_eq!(ending.next_move(start), Move::WaitUntil(start + ms(300)));
        assert_eq!(ending.next_move(start + ms(300)), Move::Signal(15));
        assert_eq!(ending.next_move(start + ms(1299)), Move::WaitUntil(start + ms(1300)));
        assert_eq!(ending.next_move(start + ms(1300)), Move::Kill);
        assert!(matches!(ending.next_move(start + ms(1300)), Move::WaitUntil(_)));
        assert_eq!(ending.next_move(start + ms(2000)), Move::Kill);
        assert_eq!(ending.next_move(start + ms(6300)), Move::GiveUp);
    }

    #[test]
    fn no_rung_kills_at_once() {
        let now = Instant::now();
        assert_eq!(Ending::new(Vec::new(), now).next_move(now), Move::Kill);
    }

    #[test]
    fn a_second_end_hastens_and_never_delays() {
        let now = Instant::now();
        let mut ending = Ending::new(vec![TERM], now);
        assert_eq!(ending.next_move(now), Move::Signal(15));
        ending.hasten(Ending::new(vec![TERM, TERM], now));
        assert_eq!(ending.next_move(now), Move::WaitUntil(now + ms(1000)));
        ending.hasten(Ending::new(Vec::new(), now));
        assert_eq!(ending.next_move(now), Move::Kill);
    }
}
