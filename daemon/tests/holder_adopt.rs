//! The daemon dies and comes back: the run goes on, output is continuous, writes are neither lost
//! nor repeated, and what was stored is still there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::time::Duration;

use posthoused::holder::link::{self, HolderEvent, LinkError, place};
use posthoused::holder::run::{Exit, StreamId};
use posthoused::holder::script::{State, Step};
use posthoused::holder::wire::{ErrorCode, FailureCode, MAX_NOTE};
use support::{Held, Yard, bytes, canary, follow, operation};

fn wait(ms: u64) -> Step {
    Step::Wait(Duration::from_millis(ms))
}

#[tokio::test]
async fn a_canary_of_random_bytes_is_continuous_over_many_deaths() {
    let yard = Yard::new();
    let expected = canary(900_000);
    fs::write(yard.path().join("canary"), &expected).unwrap();
    // One piece per line of input, so that some of it is said while no daemon is there.
    let script = "stty raw -echo icrnl; printf UP; i=0; while read -r _; do \
                  tail -c +$((i * 30000 + 1)) canary | head -c 30000; i=$((i + 1)); done";
    let spec = yard.shell(script);
    let mut held = yard.start(&spec).await;
    held.until_text("UP").await;
    let start = held.offset;
    held.output.clear();
    let child = held.link.handle.identity().child_pid;
    let mut seen = Vec::new();
    for piece in 0..30_usize {
        let go = held.link.handle.write(operation(), vec![bytes("\r")]).await.unwrap();
        assert_eq!(go.state, State::Done);
        if piece % 3 == 0 {
            while held.offset < start + (piece as u64 * 30_000) + 1 {
                held.next().await;
            }
            seen.append(&mut held.output);
            let from = held.offset;
            held.abandon().await;
            held = Held::adopt(&spec.socket).await;
            assert_eq!(held.link.handle.identity().child_pid, child);
            follow(&mut held, from).await;
        }
    }
    while held.offset < start + expected.len() as u64 {
        held.next().await;
    }
    seen.append(&mut held.output);
    assert!(seen == expected, "{} of {} bytes", seen.len(), expected.len());
    held.finish().await;
}

#[tokio::test]
async fn a_script_runs_on_without_the_daemon_and_is_applied_once() {
    let yard = Yard::new();
    let spec = yard.shell("stty -echo; echo up; cat");
    let mut held = yard.start(&spec).await;
    held.until_text("up").await;
    let script = vec![bytes("body"), wait(300), bytes("\n")];
    let op = operation();
    let report = held.link.handle.write(op, script.clone()).await.unwrap();
    assert_eq!((report.state, report.steps_done), (State::Running, 1));
    held.abandon().await;

    let mut held = Held::adopt(&spec.socket).await;
    let between = held.link.handle.how_far(op).await.unwrap().expect("remembered");
    assert!(between.steps_done >= 1);
    // What a daemon that lost its memory would do.
    held.link.handle.write(op, script.clone()).await.unwrap();
    follow(&mut held, 0).await;
    held.until_text("body").await;
    let report = held.link.handle.write(op, script).await.unwrap();
    assert_eq!((report.state, report.steps_done), (State::Done, 3), "{report:?}");
    assert_eq!(
        held.link.handle.how_far(operation()).await.unwrap(),
        None,
        "an unknown one was never applied"
    );
    // The next line shows that no second body is in the way.
    held.link.handle.write(operation(), vec![bytes("end\n")]).await.unwrap();
    held.until_text("end").await;
    assert_eq!(held.text().matches("body").count(), 1, "{}", held.text());
    held.finish().await;
}

#[tokio::test]
async fn a_cancel_between_body_and_enter_leaves_enter_unpressed() {
    let yard = Yard::new();
    let spec = yard.shell("stty raw -echo; echo up; cat -v");
    let mut held = yard.start(&spec).await;
    held.until_text("up").await;
    let op = operation();
    held.link.handle.write(op, vec![bytes("body"), wait(60_000), bytes("\r")]).await.unwrap();
    held.until_text("body").await;
    let report = held.link.handle.cancel(op).await.unwrap().unwrap();
    assert_eq!((report.state, report.steps_done), (State::Cancelled, 1));
    assert_eq!(held.link.handle.cancel(op).await.unwrap(), Some(report), "a second cancel changes nothing");
    held.link.handle.write(operation(), vec![bytes("|after")]).await.unwrap();
    held.until_text("after").await;
    assert!(held.text().ends_with("body|after"), "{:?}", held.text());
    held.finish().await;
}

#[tokio::test]
async fn progress_is_told_step_by_step() {
    let yard = Yard::new();
    let mut held = yard.start(&yard.shell("cat")).await;
    let op = operation();
    held.link.handle.write_soon(op, vec![bytes("a"), wait(30), bytes("\n")]).unwrap();
    let mut steps = Vec::new();
    while steps.last() != Some(&(3, State::Done)) {
        if let HolderEvent::Progress(report) = held.next().await {
            assert_eq!(report.operation, op);
            steps.push((report.steps_done, report.state));
        }
    }
    assert_eq!(steps, [(1, State::Running), (2, State::Running), (3, State::Done)]);
    held.finish().await;
}

#[tokio::test]
async fn status_after_adoption_tells_all_that_was_stored() {
    let yard = Yard::new();
    let spec = yard.shell("printf hello; exit 4");
    let mut held = yard.start(&spec).await;
    held.until_gone().await;
    held.link.handle.answered_soon(3).unwrap();
    held.link.handle.note(b"screen at 5".to_vec()).await.unwrap();
    let error = held.link.handle.note(vec![0; MAX_NOTE + 1]).await.unwrap_err();
    assert!(matches!(error, LinkError::Refused { code: ErrorCode::NoteTooLarge, .. }), "{error}");
    held.link.handle.answered_soon(2).unwrap();
    let failed = held.link.handle.write(operation(), vec![bytes("too late")]).await.unwrap();
    held.abandon().await;

    assert_eq!(place::scan(yard.path()).unwrap(), std::slice::from_ref(&spec.socket));
    let mut held = Held::adopt(&spec.socket).await;
    assert_eq!(held.link.handle.identity().run, spec.run);
    let status = held.link.handle.status().await.unwrap();
    assert_eq!(status.exit, Some(Exit::Code(4)));
    assert!(status.gone);
    assert_eq!(status.answered, 3);
    assert_eq!(status.note, b"screen at 5");
    assert_eq!(status.operations, [failed]);
    let [terminal] = status.streams.as_slice() else { panic!("{status:?}") };
    assert_eq!((terminal.start, terminal.end, terminal.ended), (0, 5, true));
    follow(&mut held, 0).await;
    held.until(|event| matches!(event, HolderEvent::StreamEnd { offset: 5, .. })).await;
    assert_eq!(held.text(), "hello");
    held.finish().await;
    assert!(place::scan(yard.path()).unwrap().is_empty());
}

#[tokio::test]
async fn a_terminal_never_waits_for_a_daemon_and_the_gap_is_told() {
    let yard = Yard::new();
    let expected = canary(400_000);
    fs::write(yard.path().join("canary"), &expected).unwrap();
    let mut spec =
        yard.shell("stty raw -echo icrnl; printf UP; read -r _; cat canary; printf END; sleep 1000");
    spec.ring = 64 << 10;
    let mut held = yard.start(&spec).await;
    held.until_text("UP").await;
    held.abandon().await;
    let mut held = Held::adopt(&spec.socket).await;
    held.link.handle.write(operation(), vec![bytes("\n")]).await.unwrap();
    // Nobody follows; the child gets through all the same.
    let total = expected.len() as u64 + 5;
    while held.link.handle.status().await.unwrap().streams[0].end < total {
        tokio::task::yield_now().await;
    }
    follow(&mut held, 100).await;
    let gap = held.until(|event| matches!(event, HolderEvent::Gap { .. } | HolderEvent::Output { .. })).await;
    let HolderEvent::Gap { stream, from, to } = gap else { panic!("{gap:?}") };
    assert_eq!((stream, from, to), (StreamId::TERMINAL, 100, total - (64 << 10)));
    held.until_text("END").await;
    let tail = &expected[to as usize - 2..];
    assert!(held.output.starts_with(tail), "what is kept is the newest");
    held.finish().await;
}

#[tokio::test]
async fn a_daemon_that_does_not_take_events_still_gets_answers_and_bounded_output() {
    let yard = Yard::new();
    let spec = yard.shell("stty raw; head -c 20000000 /dev/zero; printf END; sleep 1000");
    let mut held = yard.start(&spec).await;
    // Events are not taken while the child floods: commands are answered, the child is not blocked.
    while held.link.handle.status().await.unwrap().streams[0].end < 20_000_003 {
        tokio::task::yield_now().await;
    }
    held.until(|event| matches!(event, HolderEvent::Gap { .. })).await;
    assert!(held.output.len() < 4 << 20, "{} bytes were in flight", held.output.len());
    while !held.output.ends_with(b"END") {
        held.next().await;
    }
    held.finish().await;
}

#[tokio::test]
async fn a_lost_holder_is_told_to_whoever_asks_even_if_nobody_takes_events() {
    let yard = Yard::new();
    let spec = yard.shell("stty raw; while :; do echo flood; done");
    let held = yard.start(&spec).await;
    while held.link.handle.status().await.unwrap().streams[0].end < 1 << 20 {
        tokio::task::yield_now().await;
    }
    let identity = held.link.handle.identity();
    support::kill(identity.holder_pid);
    let lost = async {
        while held.link.handle.status().await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(support::GENEROUS, lost).await.expect("an answer, if only that it is lost");
    support::until_dead(identity.child_pid).await;
}

#[tokio::test]
async fn two_holders_cannot_take_one_name() {
    let yard = Yard::new();
    let spec = yard.shell("read x");
    let held = yard.start(&spec).await;
    let error = link::spawn(&support::program(), &spec).await.unwrap_err();
    assert!(matches!(error, LinkError::NotStarted { code: FailureCode::Socket, .. }), "{error}");
    assert_eq!(held.link.handle.status().await.unwrap().exit, None);
    Held::adopt(&spec.socket).await.finish().await;
}

#[tokio::test]
async fn the_newest_daemon_replaces_the_older() {
    let yard = Yard::new();
    let spec = yard.shell("cat");
    let old = yard.start(&spec).await;
    let new = Held::adopt(&spec.socket).await;
    let why = old.lost().await;
    assert!(matches!(why, LinkError::Refused { code: ErrorCode::Replaced, .. }), "{why}");
    assert_eq!(new.link.handle.status().await.unwrap().exit, None);
    new.finish().await;
}

#[tokio::test]
async fn collecting_a_living_run_is_refused() {
    let yard = Yard::new();
    let held = yard.start(&yard.shell("cat")).await;
    let error = held.link.handle.collect().await.unwrap_err();
    assert!(matches!(error, LinkError::Refused { code: ErrorCode::NotGone, .. }), "{error}");
    held.finish().await;
}

#[tokio::test]
async fn a_killed_holder_is_lost_and_its_socket_can_be_buried() {
    let yard = Yard::new();
    let spec = yard.shell("cat");
    let held = yard.start(&spec).await;
    let identity = held.link.handle.identity();
    support::kill(identity.holder_pid);
    let why = held.lost().await;
    assert!(matches!(why, LinkError::Lost | LinkError::Io(_)), "{why}");
    support::until_dead(identity.holder_pid).await;
    let error = link::adopt(&spec.socket).await.unwrap_err();
    assert!(matches!(error, LinkError::NoHolder { .. }), "{error}");
    assert!(place::bury(&spec.socket).unwrap());
    support::until_dead(identity.child_pid).await;
}
