//! Sessions that are told to move, to wait or to stay when a turn fails. Failover itself is played by the test.

use std::time::Duration;

use posthouse_protocol::payload::SessionInfo;
use posthouse_protocol::{ReceiptState, When};
use posthouse_tests::stage::{Stage, assignment, trouble};
use posthouse_tests::standin::record::Entry;
use posthoused::failover::classify::classify;
use posthoused::failover::command::{Choice, FailoverCommand, Homeward, Instruction, Parking};
use posthoused::failover::failure::{Class, Evidence};

const ROUTE: &str = "standin@acme/a, standin@acme/b, gapped@acme/c";

#[tokio::test]
async fn a_message_that_failed_is_submitted_again_on_the_next_mount_and_the_conversation_goes_on() {
    let stage = Stage::started().await;
    stage.routed(ROUTE, None).await;
    let first = stage.send("agent", "first", When::Idle).await;
    stage.wait_state(first, ReceiptState::Delivered).await;
    stage.wait_for_state("agent", "ready").await;
    let old = stage.info("agent").await.unwrap();
    stage.revoke("key-a");
    let second = stage.send("agent", "second", When::Idle).await;
    let third = stage.send("agent", "third", When::Idle).await;
    let (report, reply) = stage.next_report().await;
    let judged = classify(&report.observation, jiff::Timestamp::now(), &jiff::tz::TimeZone::UTC);
    let failure = judged.failure().expect("a failure");
    assert_eq!((failure.class, failure.evidence), (Class::TokenRevoked, Evidence::Typed));
    assert_eq!(report.observation.credential.unwrap().to_string(), "acme/a");
    assert_eq!(stage.under("key-a"), ["first", "second"], "nothing more is typed while it is judged");
    reply.send(Instruction::Move(assignment(&stage, "standin@acme/b"))).unwrap();

    let info = stage.wait_for("agent", |info| info.mount == "standin@acme/b" && info.state == "ready").await;
    stage.wait_state(third, ReceiptState::Delivered).await;
    assert_ne!(info.pid, old.pid);
    assert_eq!(info.conversation, old.conversation, "the conversation was resumed by its id");
    assert_eq!(info.trouble.unwrap().repair.as_deref(), Some("posthouse credential add acme a"));
    assert_eq!(stage.under("key-b"), ["second", "third"]);
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
    stage.routed(ROUTE, None).await;
    let message = stage.send("agent", "DO tool\nDO fail revoked", When::Idle).await;
    stage.wait_state(message, ReceiptState::Delivered).await;
    let (_, reply) = stage.next_report().await;
    reply.send(Instruction::Move(assignment(&stage, "standin@acme/b"))).unwrap();
    stage.wait_received("key-b", 1).await;
    let told = stage.under("key-b");
    assert!(told[0].starts_with("[posthouse] The turn before was cut off"), "{told:?}");
    let last = stage.received().pop().unwrap();
    assert_eq!(last.conversation, stage.received()[0].conversation);
}

#[tokio::test]
async fn another_harness_gets_a_brief_and_what_was_not_begun() {
    let stage = Stage::started().await;
    stage.routed(ROUTE, Some("keep the build green")).await;
    let first = stage.send("agent", "first", When::Idle).await;
    stage.wait_state(first, ReceiptState::Delivered).await;
    stage.wait_for_state("agent", "ready").await;
    stage.revoke("key-a");
    stage.send("agent", "second", When::Idle).await;
    let (_, reply) = stage.next_report().await;
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
    stage.routed(ROUTE, None).await;
    stage.send("agent", "DO fail limit 3600", When::Idle).await;
    let (report, reply) = stage.next_report().await;
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
    stage.revoke("key-a");
    stage.routed(ROUTE, Some("the task")).await;
    let (_, reply) = stage.next_report().await;
    reply.send(Instruction::Move(assignment(&stage, "standin@acme/b"))).unwrap();
    stage.wait_received("key-b", 1).await;
    assert_eq!(stage.under("key-b"), ["the task"]);
}

#[tokio::test]
async fn output_that_quotes_a_failure_is_no_failure() {
    let stage = Stage::started().await;
    stage.routed(ROUTE, None).await;
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
    stage.routed(ROUTE, None).await;
    let message = stage.send("agent", "DO exit 7", When::Idle).await;
    let (report, reply) = stage.next_report().await;
    assert_eq!(report.observation.exit, Some(7));
    reply.send(Instruction::Stay { trouble: Some(trouble("it ended")) }).unwrap();
    let info = stage.wait_for_state("agent", "exited").await;
    assert_eq!(info.exit.as_deref(), Some("exit code 7"));
    assert!(stage.states(message).iter().any(|state| state.is_terminal(false)), "{:?}", stage.told(message));
}

#[tokio::test]
async fn when_nothing_is_left_the_session_is_parked_and_wakes_by_itself() {
    let stage = Stage::started().await;
    stage.routed(ROUTE, None).await;
    let first = stage.send("agent", "first", When::Idle).await;
    stage.wait_state(first, ReceiptState::Delivered).await;
    stage.wait_for_state("agent", "ready").await;
    stage.revoke("key-a");
    stage.send("agent", "second", When::Idle).await;
    let (_, reply) = stage.next_report().await;
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
    let reply = stage.next_choose().await;
    reply.send(Choice::On(assignment(&stage, "standin@acme/b"))).unwrap();
    stage.wait_state(waits, ReceiptState::Delivered).await;
    assert_eq!(stage.under("key-b"), ["second", "third"]);
}

#[tokio::test]
async fn a_parked_session_looks_again_when_something_becomes_usable() {
    let stage = Stage::started().await;
    stage.routed(ROUTE, None).await;
    stage.revoke("key-a");
    stage.send("agent", "first", When::Idle).await;
    let (_, reply) = stage.next_report().await;
    let nothing = Parking { until: None, wait: None, trouble: trouble("only a person can help") };
    reply.send(Instruction::Park(nothing)).unwrap();
    stage.wait_for_state("agent", "parked").await;
    stage.revoke("none");
    stage.reopen();
    let reply = stage.next_choose().await;
    reply.send(Choice::On(assignment(&stage, "standin@acme/a"))).unwrap();
    stage.wait_received("key-a", 2).await;
    assert_eq!(stage.under("key-a"), ["first", "first"]);
}

/// A session that failed on its first mount, as it was on the second one, from which it was just told to go back.
async fn told_to_go_back() -> (Stage, SessionInfo) {
    let stage = Stage::started().await;
    stage.routed(ROUTE, None).await;
    stage.revoke("key-a");
    stage.send("agent", "first", When::Idle).await;
    let (_, reply) = stage.next_report().await;
    reply.send(Instruction::Move(assignment(&stage, "standin@acme/b"))).unwrap();
    let away = stage.wait_for("agent", |info| info.mount == "standin@acme/b" && info.state == "ready").await;
    stage.next_homeward().await.send(Homeward::Stay).unwrap();
    stage.revoke("none");
    stage.reopen();
    stage.next_homeward().await.send(Homeward::Now("acme/a works again".into())).unwrap();
    (stage, away)
}

#[tokio::test]
async fn between_turns_a_session_goes_back_to_what_its_route_prefers_and_says_nothing_there() {
    let (stage, away) = told_to_go_back().await;
    let reply = stage.next_choose().await;
    let home =
        posthoused::failover::command::Assignment { trouble: None, ..assignment(&stage, "standin@acme/a") };
    reply.send(Choice::On(home)).unwrap();
    let back = stage.wait_for("agent", |info| info.mount == "standin@acme/a" && info.state == "ready").await;
    assert_eq!(back.conversation, away.conversation, "the conversation goes on");
    assert!(back.trouble.is_none(), "{:?}", back.trouble);
    let second = stage.send("agent", "second", When::Idle).await;
    stage.wait_state(second, ReceiptState::Delivered).await;
    assert_eq!(stage.under("key-a"), ["first", "second"], "nothing else was said");
}

#[tokio::test]
async fn a_message_that_comes_while_a_run_is_being_left_is_for_the_next() {
    let (stage, _) = told_to_go_back().await;
    stage.wait_for("agent", |info| info.state == "moving").await;
    let meanwhile = stage.send("agent", "meanwhile", When::Idle).await;
    let reply = stage.next_choose().await;
    reply.send(Choice::On(assignment(&stage, "standin@acme/a"))).unwrap();
    stage.wait_state(meanwhile, ReceiptState::Delivered).await;
    assert_eq!(stage.under("key-a"), ["first", "meanwhile"]);
    assert_eq!(stage.under("key-b"), ["first"]);
}

#[tokio::test]
async fn a_passing_failure_is_tried_again_where_it_was() {
    let stage = Stage::started().await;
    stage.routed(ROUTE, None).await;
    stage.revoke("key-a");
    stage.send("agent", "patience", When::Idle).await;
    let (_, reply) = stage.next_report().await;
    stage.revoke("none");
    let wait = Duration::from_millis(300);
    reply.send(Instruction::Retry { wait, trouble: trouble("overloaded") }).unwrap();
    stage.wait_received("key-a", 2).await;
    assert_eq!(stage.under("key-a"), ["patience", "patience"]);
    assert_eq!(stage.info("agent").await.unwrap().mount, "standin@acme/a");
}
