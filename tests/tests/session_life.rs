//! Sessions over the death of their daemon, and at their own end.

use std::time::{Duration, Instant};

use posthouse_protocol::{Evidence, ReceiptState, When};
use posthouse_tests::stage::{Stage, injection};
use posthouse_tests::world::alive;

#[tokio::test]
async fn something_that_cannot_start_says_why_and_leaves_nothing() {
    let stage = Stage::started().await;
    let mut spawn = stage.spawn_of("ghost");
    spawn.args = vec!["/nonexistent/program".into()];
    let error = stage.try_spawn(spawn).await.unwrap_err();
    assert!(
        error.message.contains("/nonexistent/program") && error.message.contains("No such file"),
        "{error}"
    );
    assert!(stage.info("ghost").await.is_none());
    let mut spawn = stage.spawn_of("nowhere");
    spawn.args = vec!["true".into()];
    spawn.cwd = Some("/nonexistent/folder".into());
    let error = stage.try_spawn(spawn).await.unwrap_err();
    assert!(error.message.contains("/nonexistent/folder"), "{error}");
    let mut spawn = stage.spawn_of("unknown");
    spawn.harness = Some("no-such-harness".into());
    let error = stage.try_spawn(spawn).await.unwrap_err();
    assert!(error.message.contains("standin"), "the harnesses there are should be listed: {error}");
}

#[tokio::test]
async fn a_name_is_taken_while_its_session_lives_and_free_when_it_ended() {
    let stage = Stage::started().await;
    let first = stage.standin("agent").await;
    let again =
        posthouse_protocol::payload::Spawn { harness: Some("standin".into()), ..stage.spawn_of("agent") };
    let error = stage.try_spawn(again.clone()).await.unwrap_err();
    assert_eq!(error.code, posthouse_protocol::ErrorCode::NameTaken);
    stage.send("agent", "DO exit 3", When::Idle).await;
    let info = stage.wait_for_state("agent", "exited").await;
    assert_eq!(info.exit.as_deref(), Some("exit code 3"));
    let second = stage.try_spawn(again).await.expect("the name is free");
    assert_ne!(first.pid, second.pid);
}

#[tokio::test]
async fn releasing_ends_every_process_even_one_that_ran_away() {
    let stage = Stage::started().await;
    let spawned = stage.standin("agent").await;
    let fork = stage.send("agent", "DO fork", When::Idle).await;
    stage.wait_state(fork, ReceiptState::Delivered).await;
    stage.wait_for_state("agent", "ready").await;
    stage.release("agent").await.expect("a release");
    assert!(!alive(spawned.pid));
    assert!(stage.info("agent").await.is_none());
    let run = spawned.run.parse().unwrap();
    assert_eq!(posthoused::holder::survey::survivors(run, None).unwrap(), []);
}

#[tokio::test]
async fn the_daemons_death_is_nobody_elses() {
    let mut stage = Stage::started().await;
    let before = stage.standin("agent").await;
    let hello = stage.send("agent", "before", When::Idle).await;
    stage.wait_state(hello, ReceiptState::Delivered).await;
    stage.wait_screen("agent", "• Done.").await;
    let screen = stage.screen("agent").await;
    stage.die();
    assert!(alive(before.pid));
    assert_eq!(stage.start().await, 1);
    let info = stage.wait_for_state("agent", "ready").await;
    assert_eq!((info.pid, info.run.as_deref()), (Some(before.pid), Some(before.run.as_str())));
    assert_eq!(stage.screen("agent").await, screen);
    let after = stage.send("agent", "after", When::Idle).await;
    stage.wait_state(after, ReceiptState::Delivered).await;
    assert_eq!(stage.received().len(), 2);
}

#[tokio::test]
async fn a_daemon_that_dies_between_text_and_enter_leaves_one_submission() {
    let mut stage = Stage::started().await;
    stage.harness("agent", "gapped").await;
    let message = injection("across the gap", When::Idle);
    stage.inject("agent", message.clone()).await;
    stage.wait_state(message.message, ReceiptState::Written).await;
    stage.die();
    stage.start().await;
    stage.hand_over_again("agent", message.clone()).await;
    let evidence = stage.wait_state(message.message, ReceiptState::Delivered).await;
    assert!(matches!(evidence, Some(Evidence::Structured | Evidence::Screen)), "{evidence:?}");
    stage.wait_for_state("agent", "ready").await;
    assert_eq!(stage.received().len(), 1);
}

#[tokio::test]
async fn a_message_that_was_noted_and_never_written_is_written_by_the_next_daemon() {
    let mut stage = Stage::started().await;
    let spawned = stage.standin("agent").await;
    stage.die();
    stage.start().await;
    stage.wait_for_state("agent", "ready").await;
    let mut message = injection("noted only", When::Idle);
    message.earlier = Some(posthoused::post::command::Earlier {
        state: ReceiptState::Queued,
        run: spawned.run,
        attempt: 1,
    });
    stage.inject("agent", message.clone()).await;
    stage.wait_state(message.message, ReceiptState::Delivered).await;
    assert_eq!(stage.received().len(), 1);
}

#[tokio::test]
async fn a_message_written_to_a_run_that_is_gone_is_uncertain() {
    let stage = Stage::started().await;
    stage.standin("agent").await;
    let mut message = injection("lost", When::Idle);
    message.earlier = Some(posthoused::post::command::Earlier {
        state: ReceiptState::Written,
        run: uuid::Uuid::now_v7().to_string(),
        attempt: 1,
    });
    stage.inject("agent", message.clone()).await;
    stage.wait_state(message.message, ReceiptState::Uncertain).await;
    assert_eq!(stage.received().len(), 0);
}

#[tokio::test]
async fn scrollback_is_continuous_over_the_daemons_death() {
    let mut stage = Stage::started().await;
    stage.standin("agent").await;
    let flood = stage.send("agent", "DO flood 300000", When::Idle).await;
    stage.wait_state(flood, ReceiptState::Delivered).await;
    stage.die();
    stage.start().await;
    let again = stage.send("agent", "DO flood 300000", When::Idle).await;
    stage.wait_state(again, ReceiptState::Delivered).await;
    let last = stage.send("agent", "the flood is over", When::Idle).await;
    stage.wait_state(last, ReceiptState::Delivered).await;
    let (offset, output) = stage.output("agent").await;
    assert_eq!(offset, 0);
    let text = String::from_utf8_lossy(&output);
    let numbers: Vec<u64> =
        text.lines().filter_map(|line| line.strip_prefix("flood ")?.trim().parse().ok()).collect();
    let half = numbers.len() / 2;
    assert!(half > 10_000, "{half} lines");
    for series in [&numbers[..half], &numbers[half..]] {
        assert!(series.iter().copied().eq(0..half as u64), "a line is missing or came twice");
    }
}

#[tokio::test]
async fn a_harness_that_ended_while_nobody_watched_is_found_with_its_exit() {
    let mut stage = Stage::started().await;
    let spawned = stage.standin("agent").await;
    stage.die();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(spawned.pid as i32), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
    stage.wait_dead(spawned.pid).await;
    stage.start().await;
    let info = stage.wait_for_state("agent", "exited").await;
    assert_eq!(info.exit.as_deref(), Some("signal 9"));
}

#[tokio::test]
async fn fifty_sessions_are_adopted_in_less_than_a_second() {
    let mut stage = Stage::started().await;
    let mut pids = Vec::new();
    for at in 0..50 {
        let mut spawn = stage.spawn_of(&format!("s{at}"));
        spawn.args = vec!["cat".into()];
        pids.push(stage.try_spawn(spawn).await.expect("a session").pid);
    }
    stage.die();
    let begun = Instant::now();
    assert_eq!(stage.start().await, 50);
    let took = begun.elapsed();
    eprintln!("50 sessions adopted in {took:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    for (at, pid) in pids.into_iter().enumerate() {
        assert_eq!(stage.wait_for(&format!("s{at}"), |info| info.pid.is_some()).await.pid, Some(pid));
    }
}
