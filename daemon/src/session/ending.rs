//! How a run is asked to end, pure: the definition's steps within the time that was granted. Keys are typed by the
//! session; signals, and the kill after them, are one ladder that the holder climbs by itself.

use std::time::{Duration, Instant};

use nix::libc;

use crate::harness::definition::{EndAct, EndSignal, EndStep};
use crate::holder::wire::Rung;

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub enum EndMove {
    /// Type these keys.
    Type(Vec<u8>),
    /// Hand this ladder to the holder. It is the last move.
    Climb(Vec<Rung>),
    /// Nothing before this.
    WaitUntil(Instant),
    /// All was done; the holder reports.
    Nothing,
}

/// A run's end in progress.
#[derive(Debug)]
pub struct Ending {
    keys: std::collections::VecDeque<(Vec<u8>, Duration)>,
    rungs: Option<Vec<Rung>>,
    next: Instant,
}

impl Ending {
    /// The steps of a definition, cut short where they take longer than `grace`.
    pub fn new(steps: &[EndStep], grace: Duration, now: Instant) -> Self {
        let mut left = grace;
        let mut keys = std::collections::VecDeque::new();
        let mut rungs = Vec::new();
        for step in steps {
            if left.is_zero() {
                break;
            }
            match &step.act {
                EndAct::Keys(bytes) if rungs.is_empty() => {
                    keys.push_back((bytes.clone().into_bytes(), spend(&mut left, step.wait)));
                }
                // Keys after a signal would reach a program that is going away.
                EndAct::Keys(_) => {}
                EndAct::Signal(signal) => {
                    let grace_ms = u32::try_from(spend(&mut left, step.wait).as_millis()).unwrap_or(u32::MAX);
                    rungs.push(Rung { signal: number(*signal), grace_ms });
                }
            }
        }
        Self { keys, rungs: Some(rungs), next: now }
    }

    /// What is due at `now`.
    pub fn next_move(&mut self, now: Instant) -> EndMove {
        if now < self.next {
            return EndMove::WaitUntil(self.next);
        }
        if let Some((keys, wait)) = self.keys.pop_front() {
            self.next = now + wait;
            return EndMove::Type(keys);
        }
        self.rungs.take().map_or(EndMove::Nothing, EndMove::Climb)
    }

    /// The harness itself has ended: what is left of the run is ended at once.
    pub fn hasten(&mut self, now: Instant) {
        self.keys.clear();
        self.next = now;
        if let Some(rungs) = &mut self.rungs {
            rungs.clear();
        }
    }

    /// When a move is due.
    pub fn wakes_at(&self) -> Option<Instant> {
        self.rungs.is_some().then_some(self.next)
    }
}

fn spend(left: &mut Duration, wanted: Duration) -> Duration {
    let granted = wanted.min(*left);
    *left -= granted;
    granted
}

const fn number(signal: EndSignal) -> i32 {
    match signal {
        EndSignal::Hup => libc::SIGHUP,
        EndSignal::Int => libc::SIGINT,
        EndSignal::Term => libc::SIGTERM,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn steps() -> Vec<EndStep> {
        vec![
            EndStep { act: EndAct::Keys("\u{3}".into()), wait: ms(300) },
            EndStep { act: EndAct::Signal(EndSignal::Term), wait: ms(2000) },
        ]
    }

    #[test]
    fn keys_come_first_and_the_holder_does_the_rest() {
        let now = Instant::now();
        let mut ending = Ending::new(&steps(), ms(5000), now);
        assert_eq!(ending.next_move(now), EndMove::Type(vec![3]));
        assert_eq!(ending.next_move(now), EndMove::WaitUntil(now + ms(300)));
        let ladder = vec![Rung { signal: libc::SIGTERM, grace_ms: 2000 }];
        assert_eq!(ending.next_move(now + ms(300)), EndMove::Climb(ladder));
        assert_eq!(ending.next_move(now + ms(300)), EndMove::Nothing);
        assert_eq!(ending.wakes_at(), None);
    }

    #[test]
    fn the_time_granted_cuts_the_steps_short() {
        let now = Instant::now();
        let mut ending = Ending::new(&steps(), ms(400), now);
        assert_eq!(ending.next_move(now), EndMove::Type(vec![3]));
        let ladder = vec![Rung { signal: libc::SIGTERM, grace_ms: 100 }];
        assert_eq!(ending.next_move(now + ms(300)), EndMove::Climb(ladder));
        assert_eq!(Ending::new(&steps(), ms(0), now).next_move(now), EndMove::Climb(vec![]));
    }

    #[test]
    fn a_harness_that_went_by_itself_is_not_waited_for() {
        let now = Instant::now();
        let mut ending = Ending::new(&steps(), ms(5000), now);
        assert_eq!(ending.next_move(now), EndMove::Type(vec![3]));
        ending.hasten(now + ms(10));
        assert_eq!(ending.next_move(now + ms(10)), EndMove::Climb(vec![]));
    }
}
