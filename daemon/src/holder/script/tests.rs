//! Scripts against a plain model: what is written, when, and what is reported.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn id(n: u128) -> OperationId {
    OperationId::new(Uuid::from_u128(n))
}

fn bytes(text: &str) -> Step {
    Step::Bytes(text.as_bytes().to_vec())
}

fn wait(ms: u64) -> Step {
    Step::Wait(Duration::from_millis(ms))
}

/// Drives scripts the way the holder does, with an unhurried clock.
struct Driver {
    scripts: Scripts,
    start: Instant,
    now: Instant,
    /// Every byte written and when.
    written: Vec<(u8, Instant)>,
    news: Vec<Report>,
}

impl Driver {
    fn new() -> Self {
        let start = Instant::now();
        Self { scripts: Scripts::default(), start, now: start, written: Vec::new(), news: Vec::new() }
    }

    /// One turn, writing at most `room` bytes. Returns whether anything is left to do.
    fn turn(&mut self, room: usize) -> bool {
        let count = match self.scripts.turn(self.now, &mut self.news) {
            Turn::Idle => return false,
            Turn::WaitUntil(until) => {
                assert!(until > self.now, "a wait that is over is not waited for");
                self.now = until;
                return true;
            }
            Turn::Write(bytes) => {
                assert!(!bytes.is_empty(), "nothing is never written");
                let count = room.min(bytes.len());
                self.written.extend(bytes[..count].iter().map(|byte| (*byte, self.now)));
                count
            }
        };
        self.scripts.wrote(count, self.now, &mut self.news);
        true
    }

    fn finish(&mut self) {
        while self.turn(usize::MAX) {}
    }

    fn text(&self) -> Vec<u8> {
        self.written.iter().map(|(byte, _)| *byte).collect()
    }
}

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..6).prop_map(Step::Bytes),
        1 => Just(wait(0)),
        2 => (1u64..500).prop_map(wait),
    ];
    prop::collection::vec(step, 0..8)
}

/// The bytes of `steps`, each with the waits before it in all.
fn model(steps: &[Step]) -> Vec<(u8, Duration)> {
    let mut waited = Duration::ZERO;
    let mut expected = Vec::new();
    for step in steps {
        match step {
            Step::Bytes(bytes) => expected.extend(bytes.iter().map(|byte| (*byte, waited))),
            Step::Wait(wait) => waited += *wait,
        }
    }
    expected
}

proptest! {
    #[test]
    fn every_byte_is_written_once_in_order_and_not_before_its_waits(
        steps in any_steps(),
        rooms in prop::collection::vec(1usize..5, 1..40),
    ) {
        let mut driver = Driver::new();
        driver.scripts.submit(id(1), steps.clone());
        for room in rooms.iter().cycle() {
            if !driver.turn(*room) {
                break;
            }
        }
        let expected = model(&steps);
        prop_assert_eq!(driver.text(), expected.iter().map(|(byte, _)| *byte).collect::<Vec<_>>());
        for ((_, at), (_, waited)) in driver.written.iter().zip(&expected) {
            prop_assert!(at.duration_since(driver.start) >= *waited);
        }
        let last = driver.scripts.how_far(id(1)).unwrap();
        prop_assert_eq!((last.state, last.steps_done as usize), (State::Done, steps.len()));
        let counts: Vec<u32> = driver.news.iter().map(|report| report.steps_done).collect();
        prop_assert!(counts.is_sorted());
        prop_assert_eq!(driver.news.iter().filter(|report| report.state.is_final()).count(), 1);
    }

    #[test]
    fn a_repeat_at_any_time_writes_nothing_more(steps in any_steps(), repeats in prop::collection::vec(0usize..20, 0..5)) {
        let mut driver = Driver::new();
        driver.scripts.submit(id(1), steps.clone());
        for turn in 0..20 {
            if repeats.contains(&turn) {
                driver.scripts.submit(id(1), steps.clone());
            }
            driver.turn(2);
        }
        driver.finish();
        driver.scripts.submit(id(1), steps.clone());
        driver.finish();
        prop_assert_eq!(driver.text().len(), model(&steps).len());
    }

    #[test]
    fn a_cancel_stops_exactly_there_and_spares_the_others(
        steps in any_steps(),
        others in any_steps(),
        before in 0usize..20,
        first in any::<bool>(),
    ) {
        let mut driver = Driver::new();
        let (victim, other) = if first { (id(1), id(2)) } else { (id(2), id(1)) };
        for n in [id(1), id(2)] {
            driver.scripts.submit(n, if n == victim { steps.clone() } else { others.clone() });
        }
        for _ in 0..before {
            driver.turn(1);
        }
        let report = driver.scripts.cancel(victim).unwrap();
        let so_far = driver.text().len();
        let whole: usize = model(&steps[..report.steps_done as usize]).len();
        let cut = whole + report.partial_bytes as usize;
        driver.finish();
        let other_len = model(&others).len();
        prop_assert_eq!(driver.text().len(), cut + other_len, "the report says what was written");
        if report.state == State::Cancelled {
            prop_assert!(cut <= so_far);
        } else {
            prop_assert_eq!(report.steps_done as usize, steps.len());
        }
        prop_assert_eq!(driver.scripts.how_far(victim), Some(report), "an ending is kept");
        prop_assert_eq!(driver.scripts.how_far(other).unwrap().state, State::Done);
    }
}

#[test]
fn a_wait_of_zero_joins_body_and_enter_into_one_write() {
    let mut scripts = Scripts::default();
    scripts.submit(id(1), vec![bytes("body"), wait(0), bytes("\r")]);
    let mut news = Vec::new();
    assert_eq!(scripts.turn(Instant::now(), &mut news), Turn::Write(b"body\r"));
}

#[test]
fn a_partial_write_is_reported_within_its_step() {
    let mut scripts = Scripts::default();
    let now = Instant::now();
    let mut news = Vec::new();
    scripts.submit(id(1), vec![bytes("ab"), wait(0), bytes("cdef")]);
    scripts.wrote(4, now, &mut news);
    let report = scripts.how_far(id(1)).unwrap();
    assert_eq!((report.steps_done, report.partial_bytes, report.state), (2, 2, State::Running));
    let cancelled = scripts.cancel(id(1)).unwrap();
    assert_eq!((cancelled.steps_done, cancelled.partial_bytes, cancelled.state), (2, 2, State::Cancelled));
    assert!(scripts.is_idle());
}

#[test]
fn the_wait_begins_when_the_bytes_before_it_are_written() {
    let mut scripts = Scripts::default();
    let start = Instant::now();
    let mut news = Vec::new();
    scripts.submit(id(1), vec![bytes("x"), wait(100), bytes("\r")]);
    let written = start + Duration::from_secs(5);
    scripts.wrote(1, written, &mut news);
    assert_eq!(scripts.turn(written, &mut news), Turn::WaitUntil(written + Duration::from_millis(100)));
    assert_eq!(news.last().map(|report| report.steps_done), Some(1));
    assert_eq!(scripts.turn(written + Duration::from_millis(100), &mut news), Turn::Write(b"\r"));
    assert_eq!(news.last().map(|report| report.steps_done), Some(2));
}

#[test]
fn a_closed_input_fails_what_is_queued_and_says_how_far_each_was() {
    let mut scripts = Scripts::default();
    let mut news = Vec::new();
    scripts.submit(id(1), vec![bytes("ab"), wait(5), bytes("c")]);
    scripts.submit(id(2), vec![bytes("d")]);
    scripts.wrote(2, Instant::now(), &mut news);
    news.clear();
    scripts.fail(5, &mut news);
    let failed = State::Failed { errno: 5 };
    assert_eq!(news.iter().map(|r| (r.state, r.steps_done)).collect::<Vec<_>>(), [(failed, 1), (failed, 0)]);
}

#[test]
fn what_is_too_much_is_refused_without_using_up_the_id() {
    let mut scripts = Scripts::default();
    for n in 0..MAX_QUEUED as u128 {
        assert!(!scripts.submit(id(n), vec![bytes("x")]).state.is_final());
    }
    assert_eq!(scripts.submit(id(1000), vec![bytes("x")]).state, State::Full);
    assert_eq!(scripts.how_far(id(1000)), None);
    scripts.cancel(id(0));
    assert_eq!(scripts.submit(id(1000), vec![Step::Bytes(vec![0; MAX_QUEUED_BYTES])]).state, State::Full);
    assert_eq!(scripts.submit(id(1000), vec![wait(1); MAX_STEPS + 1]).state, State::NotUnderstood);
    assert_eq!(scripts.submit(id(1000), vec![bytes("x")]).state, State::Queued);
}

#[test]
fn the_newest_endings_are_remembered() {
    let mut driver = Driver::new();
    for n in 0..REMEMBERED as u128 + 10 {
        driver.scripts.submit(id(n), vec![bytes("x")]);
        driver.finish();
    }
    assert_eq!(driver.scripts.how_far(id(9)), None);
    assert_eq!(driver.scripts.how_far(id(10)).map(|report| report.state), Some(State::Done));
    assert_eq!(driver.scripts.reports().count(), REMEMBERED);
}
