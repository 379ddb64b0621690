//! Sessions that are started again: after a crash, after the death of a holder, after a reboot.

use nix::sys::signal::Signal;
use posthouse_protocol::payload::{RestartPolicy, SessionInfo, Spawn};
use posthouse_protocol::{Later, ReceiptState, When};
use posthouse_tests::stage::Stage;
use posthouse_tests::standin::record::{Entry, entries};
use posthouse_tests::world::{parent, signal};

/// A stand-in that is kept going, ready for input.
async fn kept(stage: &Stage, name: &str, policy: RestartPolicy) -> SessionInfo {
    let spawn =
        Spawn { restart: Later(Some(policy)), harness: Some("standin".into()), ..stage.spawn_of(name) };
    stage.try_spawn(spawn).await.expect("a session");
    stage.wait_for_state(name, "ready").await
}

/// A command that is kept going.
async fn command(stage: &Stage, name: &str, args: &[&str], policy: Option<RestartPolicy>) {
    let args = args.iter().map(|&arg| arg.to_owned()).collect();
    let spawn = Spawn { restart: Later(policy), args, ..stage.spawn_of(name) };
    stage.try_spawn(spawn).await.expect("a session");
}

/// A turn that ended well.
async fn told(stage: &Stage, name: &str, text: &str) {
    let turns = stage.events().iter().filter(|(kind, _)| kind == "session.turn_ended").count();
    let message = stage.send(name, text, When::Idle).await;
    stage.wait_state(message, ReceiptState::Delivered).await;
    stage.wait_events("session.turn_ended", turns + 1).await;
}

fn starts(stage: &Stage) -> Vec<Entry> {
    entries(&stage.log()).into_iter().filter(|entry| entry.event == "started").collect()
}

/// The session runs again, as another process.
async fn again(stage: &Stage, name: &str, before: &SessionInfo) -> SessionInfo {
    stage.wait_for(name, |info| info.state == "ready" && info.pid.is_some() && info.run != before.run).await
}

#[tokio::test]
async fn a_crashed_harness_goes_on_with_its_conversation() {
    let stage = Stage::started().await;
    let before = kept(&stage, "agent", RestartPolicy::OnFailure).await;
    told(&stage, "agent", "remember this").await;
    signal(before.pid.unwrap(), Signal::SIGKILL);
    let waiting = stage.wait_for_state("agent", "restarting").await;
    let restarts = waiting.restarts.0.expect("restarts");
    assert_eq!((restarts.attempts, restarts.next_at.is_some()), (1, true));
    let crash = restarts.last.expect("what happened");
    assert_eq!(crash.how, "signal 9");
    assert!(crash.screen.iter().any(|row| row.contains("remember this")), "{crash:?}");

    let after = again(&stage, "agent", &before).await;
    assert_eq!(after.restarts.0.unwrap().attempts, 1, "being started is no proof of health");
    let started = starts(&stage);
    assert!(started[1].resumed && started[0].conversation == started[1].conversation);
    told(&stage, "agent", "go on").await;
    stage.wait_for("agent", |info| info.restarts.as_ref().is_some_and(|r| r.attempts == 0)).await;
    let texts: Vec<String> = stage.received().into_iter().map(|entry| entry.text).collect();
    assert_eq!(texts.len(), 2, "an idle session is told nothing when it comes back: {texts:?}");
}

#[tokio::test]
async fn a_message_that_ends_the_harness_is_not_given_to_it_for_ever() {
    let stage = Stage::started().await;
    kept(&stage, "agent", RestartPolicy::OnFailure).await;
    let poison = stage.send("agent", "DO exit 3", When::Idle).await;
    stage.wait_received("", 3).await;
    stage.wait_for_state("agent", "ready").await;
    let received = stage.received();
    let given = received.iter().filter(|entry| entry.text.contains("DO exit 3")).count();
    assert_eq!(given, 2, "{received:?}");
    assert!(
        received[2].text.contains("exit code 3"),
        "the conversation is told why it was cut off: {received:?}"
    );
    let ended = stage.told(poison).iter().filter(|told| told.is_ending()).count();
    assert_eq!(ended, 1, "{:?}", stage.told(poison));
}

#[tokio::test]
async fn whoever_is_done_rests() {
    let stage = Stage::started().await;
    kept(&stage, "agent", RestartPolicy::OnFailure).await;
    stage.send("agent", "DO exit 0", When::Idle).await;
    let info = stage.wait_for_state("agent", "exited").await;
    assert_eq!(info.exit.as_deref(), Some("exit code 0"));
    command(&stage, "loop", &["true"], Some(RestartPolicy::Always)).await;
    stage.wait_for("loop", |info| info.restarts.as_ref().is_some_and(|r| r.attempts == 2)).await;
    stage.release("loop").await.expect("a session that waits can be released");
}

#[tokio::test]
async fn a_holders_death_ends_only_its_run() {
    let stage = Stage::started().await;
    let before = kept(&stage, "agent", RestartPolicy::OnFailure).await;
    let other = stage.standin("other").await;
    told(&stage, "agent", "remember this").await;
    signal(parent(before.pid.unwrap()), Signal::SIGKILL);
    let waiting = stage.wait_for_state("agent", "restarting").await;
    assert_eq!(waiting.restarts.0.unwrap().last.unwrap().how, "its holder died, and the run with it");
    again(&stage, "agent", &before).await;
    assert!(starts(&stage).last().unwrap().resumed);
    assert_eq!(stage.info("other").await.unwrap().pid, Some(other.pid));
    signal(parent(other.pid), Signal::SIGKILL);
    let info = stage.wait_for_state("other", "exited").await;
    assert_eq!(info.exit.as_deref(), Some("its holder died, and the run with it"));
}

#[tokio::test]
async fn a_restart_that_is_due_survives_the_daemon() {
    let mut stage = Stage::started().await;
    let before = kept(&stage, "agent", RestartPolicy::OnFailure).await;
    told(&stage, "agent", "remember this").await;
    signal(before.pid.unwrap(), Signal::SIGKILL);
    stage.wait_for_state("agent", "restarting").await;
    stage.die();
    stage.start().await;
    let after = again(&stage, "agent", &before).await;
    assert_eq!(after.restarts.0.unwrap().attempts, 1, "the end is judged once");
    assert_eq!(starts(&stage).len(), 2);
}

#[tokio::test]
async fn after_a_reboot_conversations_go_on_and_commands_only_if_they_are_to() {
    let mut stage = Stage::started().await;
    let before = kept(&stage, "agent", RestartPolicy::Never).await;
    told(&stage, "agent", "remember this").await;
    command(&stage, "once", &["cat"], None).await;
    command(&stage, "kept", &["cat"], Some(RestartPolicy::OnFailure)).await;
    stage.reboot().await;
    stage.start().await;
    again(&stage, "agent", &before).await;
    assert!(starts(&stage)[1].resumed);
    assert_eq!(stage.received().len(), 1, "an idle session is told nothing");
    let once = stage.wait_for_state("once", "failed").await;
    assert_eq!(
        (once.pid, once.restarts.0.unwrap().last.unwrap().how.as_str()),
        (None, "the machine was restarted")
    );
    stage.wait_for("kept", |info| info.pid.is_some()).await;
}
