//! Sessions that are told to move, to wait or to stay when a turn fails. Failover itself is played by the test.

use std::time::Duration;

use posthouse_protocol::payload::{Spawn, Trouble};
use posthouse_protocol::{ReceiptState, When};
use posthouse_tests::stage::Stage;
use posthouse_tests::standin::record::Entry;
use posthoused::failover::classify::classify;
use posthoused::failover::command::{
    Assignment, Choice, FailoverCommand, FailureReport, Instruction, Parking,
};
use posthoused::failover::failure::{Class, Evidence};
use posthoused::harness::launch::Presentation;
use tokio::sync::oneshot;

const ROUTE: &str = "standin@acme/a, standin@acme/b, gapped@acme/c";

/// What failover says of a mount whose key is called as its alias.
fn assignment(stage: &Stage, mount: &str) -> Assignment {
    let mount: posthoused::failover::route::Mount = mount.parse().unwrap();
    let key = format!("key-{}", mount.credential.alias());
    let home = stage.path().join(format!("home-{}", mount.credential.alias()));
    let presentation = Presentation::Key { secret: key.into(), base_url: None, home: Some(home) };
    Assignment { mount, presentation, trouble: Some(trouble("the key of acme/a was revoked")) }
}

fn trouble(message: &str) -> Trouble {
    Trouble {
        class: "token_revoked".into(),
        credential: Some("acme/a".into()),
        message: message.into(),
        until: None,
        repair: Some("posthouse credential add acme a".into()),
        evidence: None,
        at: 1,
    }
}

/// Starts a session on the route; failover puts it on the first mount.
async fn routed(stage: &Stage, task: Option<&str>) {
    let spawn = Spawn { route: Some(ROUTE.into()), task: task.map(str::to_owned), ..stage.spawn_of("agent") };
    let choose = async {
        let reply = next_choose(stage).await;
        reply.send(Choice::On(Assignment { trouble: None, ..assignment(stage, "standin@acme/a") })).unwrap();
    };
    let (spawned, ()) = tokio::join!(stage.try_spawn(spawn), choose);
    assert_eq!(spawned.expect("a session").mount, "standin@acme/a");
}

async fn next_choose(stage: &Stage) -> oneshot::Sender<Choice> {
    loop {
        if let FailoverCommand::Choose { reply, .. } = stage.next_failover().await {
            return reply;
        }
    }
}

async fn next_report(stage: &Stage) -> (FailureReport, oneshot::Sender<Instruction>) {
    loop {
        if let FailoverCommand::Report { report, reply } = stage.next_failover().await {
            return (*report, reply);
        }
    }
}

fn revoke(stage: &Stage, key: &str) {
    std::fs::write(stage.path().join("revoked"), format!("{key}\n")).unwrap();
}

/// The bodies that reached the harness under a key.
fn under(stage: &Stage, key: &str) -> Vec<String> {
    let bodies =
        |entry: &Entry| entry.text.split_once('\n').map_or(entry.text.clone(), |(_, body)| body.to_owned());
    stage.received().iter().filter(|entry| entry.key == key).map(bodies).collect()
}

#[tokio::test]
async fn a_message_that_failed_is_submitted_again_on_the_next_mount_and_the_conversation_goes_on() {
    let stage = Stage::started().await;
    routed(&stage, None).await;
    let first = stage.send("agent", "first", When::Idle).await;
    stage.wait_state(first, ReceiptState::Delivered).await;
    stage.wait_for_state("agent", "ready").await;
    let old = stage.info("agent").await.unwrap();
    revoke(&stage, "key-a");
    let second = stage.send("agent", "second", When::Idle).await;
    let third = stage.send("agent", "third", When::Idle).await;
    let (report, reply) = next_report(&stage).await;
    let judged = classify(&report.observation, jiff::Timestamp::now(), &jiff::tz::TimeZone::UTC);
    let failure = judged.failure().expect("a failure");
    assert_eq!((failure.class, failure.evidence), (Class::TokenRevoked, Evidence::Typed));
    assert_eq!(report.observation.credential.unwrap().to_string(), "acme/a");
    assert_eq!(under(&stage, "key-a"), ["first", "second"], "nothing more is typed while it is judged");
    reply.send(Instruction::Move(assignment(&stage, "standin@acme/b"))).unwrap();

    let info = stage.wait_for("agent", |info| info.mount == "standin@acme/b" && info.state == "ready").await;
    stage.wait_state(third, ReceiptState::Delivered).await;
    assert_ne!(info.pid, old.pid);
    assert_eq!(info.conversation, old.conversation, "the conversation was resumed by its id");
    assert_eq!(info.trouble.unwrap().repair.as_deref(), Some("posthouse credential add acme a"));
    assert_eq!(under(&stage, "key-b"), ["second", "third"]);
    assert!(!posthouse_tests::world::alive(old.pid.unwrap()));
    let ended = stage.states(second).iter().filter(|state| state.is_terminal(false)).count();
    assert_eq!(ended, 1, "a receipt that has ended is not reopened: {:?}", stage.told(second));
    assert!(
        stage.events().iter().any(|(kind, data)| kind == "session.moved" && data.contains("standin@acme/b"))
    );
}

#[tokio::test]
async fn a_turn_in_which_a_tool_ran_is_continued_and_not_repeated() {
    let stage = Stage::started().await;
    routed(&stage, None).await;
    let message = stage.send("agent", "DO tool\nDO fail revoked", When::Idle).await;
    stage.wait_state(message, ReceiptState::Delivered).await;
    let (_, reply) = next_report(&stage).await;
    reply.send(Instruction::Move(assignment(&stage, "standin@acme/b"))).unwrap();
    stage.wait_received("key-b", 1).await;
    let told = under(&stage, "key-b");
    assert!(told[0].starts_with("[posthouse] The turn before was cut off"), "{told:?}");
    let last = stage.received().pop().unwrap();
    assert_eq!(last.conversation, stage.received()[0].conversation);
}

#[tokio::test]
async fn another_harness_gets_a_brief_and_what_was_not_begun() {
    let stage = Stage::started().await;
    routed(&stage, Some("keep the build green")).await;
    let first = stage.send("agent", "first", When::Idle).await;
    stage.wait_state(first, ReceiptState::Delivered).await;
    stage.wait_for_state("agent", "ready").await;
    revoke(&stage, "key-a");
    stage.send("agent", "second", When::Idle).await;
    let (_, reply) = next_report(&stage).await;
    reply.send(Instruction::Move(assignment(&stage, "gapped@acme/c"))).unwrap();
    stage.wait_received("key-c", 2).await;
    let received: Vec<Entry> = stage.received().into_iter().filter(|entry| entry.key == "key-c").collect();
    let brief = &received[0].text;
    assert!(brief.contains("keep the build green") && brief.contains("first"), "{brief}");
    assert!(received[1].text.ends_with("\nsecond"), "{received:?}");
}

#[tokio::test]
async fn a_usage_limit_is_reported_with_its_reset() {
    let stage = Stage::started().await;
    routed(&stage, None).await;
    stage.send("agent", "DO fail limit 3600", When::Idle).await;
    let (report, reply) = next_report(&stage).await;
    let judged = classify(&report.observation, jiff::Timestamp::now(), &jiff::tz::TimeZone::UTC);
    assert_eq!(judged.failure().unwrap().class, Class::QuotaReset);
    assert!(judged.failure().unwrap().until.is_some());
    reply.send(Instruction::Stay { trouble: Some(trouble("the limit is reached")) }).unwrap();
    let info = stage.wait_for("agent", |info| info.trouble.is_some() && info.state == "ready").await;
    assert_eq!(info.mount, "standin@acme/a");
}

#[tokio::test]
async fn the_first_task_is_not_lost_with_the_mount_that_could_not_do_it() {
    let stage = Stage::started().await;
    revoke(&stage, "key-a");
    routed(&stage, Some("the task")).await;
    let (_, reply) = next_report(&stage).await;
    reply.send(Instruction::Move(assignment(&stage, "standin@acme/b"))).unwrap();
    stage.wait_received("key-b", 1).await;
    assert_eq!(under(&stage, "key-b"), ["the task"]);
}

#[tokio::test]
async fn output_that_quotes_a_failure_is_no_failure() {
    let stage = Stage::started().await;
    routed(&stage, None).await;
    let quote = "DO quote Failed to authenticate. API Error: 401 OAuth token revoked";
    let message = stage.send("agent", quote, When::Idle).await;
    stage.wait_state(message, ReceiptState::Delivered).await;
    match stage.next_failover().await {
        FailoverCommand::TurnDone { mount, .. } => assert_eq!(mount.unwrap().to_string(), "standin@acme/a"),
        other => panic!("{other:?}"),
    }
    assert_eq!(stage.info("agent").await.unwrap().mount, "standin@acme/a");
}

#[tokio::test]
async fn a_harness_that_ends_badly_is_reported_with_its_last_words_and_can_move() {
    let stage = Stage::started().await;
    routed(&stage, None).await;
    let message = stage.send("agent", "DO exit 7", When::Idle).await;
    let (report, reply) = next_report(&stage).await;
    assert_eq!(report.observation.exit, Some(7));
    reply.send(Instruction::Stay { trouble: Some(trouble("it ended")) }).unwrap();
    let info = stage.wait_for_state("agent", "exited").await;
    assert_eq!(info.exit.as_deref(), Some("exit code 7"));
    assert!(stage.states(message).iter().any(|state| state.is_terminal(false)), "{:?}", stage.told(message));
}

#[tokio::test]
async fn when_nothing_is_left_the_session_is_parked_and_wakes_by_itself() {
    let stage = Stage::started().await;
    routed(&stage, None).await;
    let first = stage.send("agent", "first", When::Idle).await;
    stage.wait_state(first, ReceiptState::Delivered).await;
    stage.wait_for_state("agent", "ready").await;
    revoke(&stage, "key-a");
    stage.send("agent", "second", When::Idle).await;
    let (_, reply) = next_report(&stage).await;
    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(1);
    let parking = Parking {
        until: Some(until),
        wait: Some(Duration::from_secs(1)),
        trouble: trouble("nothing is left"),
    };
    reply.send(Instruction::Park(parking)).unwrap();
    let info = stage.wait_for_state("agent", "parked").await;
    assert_eq!(info.until, Some(until.to_string()));
    assert_eq!(info.pid, None);
    let waits = stage.send("agent", "third", When::Idle).await;
    stage.wait_told(waits, |what| matches!(what, posthouse_tests::stage::What::Waits(why) if why.starts_with("parked until"))).await;
    let reply = next_choose(&stage).await;
    reply.send(Choice::On(assignment(&stage, "standin@acme/b"))).unwrap();
    stage.wait_state(waits, ReceiptState::Delivered).await;
    assert_eq!(under(&stage, "key-b"), ["second", "third"]);
}

#[tokio::test]
async fn a_passing_failure_is_tried_again_where_it_was() {
    let stage = Stage::started().await;
    routed(&stage, None).await;
    revoke(&stage, "key-a");
    stage.send("agent", "patience", When::Idle).await;
    let (_, reply) = next_report(&stage).await;
    revoke(&stage, "none");
    let wait = Duration::from_millis(300);
    reply.send(Instruction::Retry { wait, trouble: trouble("overloaded") }).unwrap();
    stage.wait_received("key-a", 2).await;
    assert_eq!(under(&stage, "key-a"), ["patience", "patience"]);
    assert_eq!(stage.info("agent").await.unwrap().mount, "standin@acme/a");
}
