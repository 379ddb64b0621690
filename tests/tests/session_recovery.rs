//! The daemon's death in the middle of a turn, and of a move: the next one does what the dead one would have done.
//! Failover is played by the test.

use posthouse_protocol::{ReceiptState, When};
use posthouse_tests::stage::{Stage, What, assignment, injection, trouble};
use posthouse_tests::standin::record::Entry;
use posthoused::failover::command::{FailoverCommand, Instruction};
use posthoused::failover::failure::Evidence;
use posthoused::session::spec::{Rest, SessionRecord};

/// Where a move is when the daemon dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The failure was reported, and nothing decided.
    Reported,
    /// The old run is being ended.
    Ending,
    /// It is gone, and failover is asked where to go. No answer comes.
    Choosing,
    /// The new run is noted, and perhaps started.
    Starting,
    /// It has everything that it is to be told, and was perhaps told some of it.
    Unpacked,
    /// It was told.
    Told,
}

const STEPS: [Step; 6] =
    [Step::Reported, Step::Ending, Step::Choosing, Step::Starting, Step::Unpacked, Step::Told];

/// A session on `standin@acme/a` with one good turn behind it, whose second message fails. The daemon dies at `step` of
/// the move to `mount`, and another one takes over. A step that passes before it is seen is played anew.
async fn dies_at(step: Step, mount: &str) -> Stage {
    for _ in 0..10 {
        if let Some(stage) = try_to_die_at(step, mount).await {
            return stage;
        }
    }
    panic!("{step:?} was over each time before it was seen");
}

async fn try_to_die_at(step: Step, mount: &str) -> Option<Stage> {
    let mut stage = Stage::started().await;
    stage.routed(&format!("standin@acme/a, {mount}"), Some("keep it green")).await;
    let first = stage.send("agent", "first", When::Idle).await;
    stage.wait_state(first, ReceiptState::Delivered).await;
    stage.wait_for_state("agent", "ready").await;
    stage.revoke("key-a");
    let second = stage.send("agent", "second", When::Idle).await;
    let (_, reply) = stage.next_report().await;
    stage.wait_state(second, ReceiptState::Delivered).await;
    if step != Step::Reported {
        let until = if step == Step::Choosing { Step::Ending } else { step };
        reply.send(Instruction::Move(assignment(&stage, mount))).unwrap();
        let record = stage.wait_record("agent", |record| reached(record, until, mount)).await;
        if until == Step::Ending && record.rest != Rest::Moving {
            return None;
        }
    }
    stage.die();
    stage.start().await;
    if step == Step::Choosing {
        // The second daemon dies as well, at the only moment at which nothing of the session runs. A question that is let
        // go of before that is one that was refused.
        let unanswered = stage.next_choose().await;
        stage.die();
        drop(unanswered);
        stage.start().await;
    }
    Some(stage)
}

fn reached(record: &SessionRecord, step: Step, mount: &str) -> bool {
    let there = record.run.as_ref().is_some_and(|run| run.mount_name() == mount);
    match step {
        Step::Reported | Step::Choosing => true,
        // It may be over before anyone looks.
        Step::Ending => record.rest == Rest::Moving || there,
        Step::Starting => there,
        Step::Unpacked => there && record.luggage.is_none(),
        Step::Told => there && record.luggage.is_none() && record.owed.is_empty(),
    }
}

/// Says one more thing, behind everything that may still have to be said, and waits until the harness has it.
async fn finish(stage: &Stage, mount: &str, key: &str, before: usize) {
    stage
        .with_only(mount, async {
            stage.wait_received(key, before).await;
            let last = stage.send("agent", "last", When::Idle).await;
            stage.wait_state(last, ReceiptState::Delivered).await;
        })
        .await;
}

#[tokio::test]
async fn a_failed_message_is_submitted_again_once_wherever_the_daemon_died() {
    for step in STEPS {
        let stage = dies_at(step, "standin@acme/b").await;
        finish(&stage, "standin@acme/b", "key-b", 1).await;
        assert_eq!(stage.under("key-b"), ["second", "last"], "{step:?}");
        let received = stage.received();
        let conversations: std::collections::HashSet<_> = received.iter().map(|e| &e.conversation).collect();
        assert_eq!(conversations.len(), 1, "{step:?}: the conversation is the same: {received:?}");
    }
}

#[tokio::test]
async fn a_brief_is_told_once_wherever_the_daemon_died() {
    for step in STEPS {
        // A harness that takes no prompt on its command line, so that the brief has to be typed.
        let stage = dies_at(step, "shy@acme/b").await;
        finish(&stage, "shy@acme/b", "key-b", 2).await;
        let received: Vec<Entry> =
            stage.received().into_iter().filter(|entry| entry.key == "key-b").collect();
        assert_eq!(received.len(), 3, "{step:?}: {received:?}");
        let brief = &received[0].text;
        assert!(brief.starts_with("[posthouse] You take over the session"), "{step:?}: {brief}");
        assert!(brief.contains("keep it green") && brief.contains("first"), "{step:?}: {brief}");
        assert!(brief.contains("the key of acme/a was revoked"), "{step:?}: {brief}");
        assert_eq!(&stage.under("key-b")[1..], ["second", "last"], "{step:?}");
    }
}

/// What a failure leaves that nobody watched.
async fn fails_unwatched(body: &str) -> Stage {
    let mut stage = Stage::started().await;
    stage.routed("standin@acme/a, standin@acme/b", None).await;
    let message = stage.send("agent", body, When::Idle).await;
    stage.wait_state(message, ReceiptState::Delivered).await;
    stage.wait_record("agent", |record| record.run.as_ref().is_some_and(|run| run.turn.is_open())).await;
    stage.die();
    stage.wait_recorded("home-a", "isApiErrorMessage").await;
    stage.start().await;
    let (report, reply) = stage.next_report().await;
    let judged = posthoused::failover::classify::classify(
        &report.observation,
        jiff::Timestamp::now(),
        &jiff::tz::TimeZone::UTC,
    );
    assert_eq!(judged.failure().unwrap().evidence, Evidence::Typed);
    reply.send(Instruction::Move(assignment(&stage, "standin@acme/b"))).unwrap();
    stage.wait_received("key-b", 1).await;
    stage
}

#[tokio::test]
async fn a_failure_that_nobody_watched_is_judged_and_its_message_submitted_again() {
    let stage = fails_unwatched("DO slow 700\nDO fail revoked").await;
    assert_eq!(stage.under("key-b"), ["DO slow 700\nDO fail revoked"]);
}

#[tokio::test]
async fn a_tool_that_nobody_watched_ran_all_the_same() {
    let stage = fails_unwatched("DO tool\nDO slow 700\nDO fail revoked").await;
    let told = stage.under("key-b");
    assert!(told[0].starts_with("[posthouse] The turn before was cut off"), "{told:?}");
}

#[tokio::test]
async fn a_turn_that_ended_well_unwatched_is_over() {
    let mut stage = Stage::started().await;
    stage.routed("standin@acme/a, standin@acme/b", None).await;
    let message = stage.send("agent", "DO slow 700", When::Idle).await;
    stage.wait_state(message, ReceiptState::Delivered).await;
    stage.die();
    stage.wait_recorded("home-a", "turn_duration").await;
    stage.start().await;
    assert!(matches!(stage.next_failover().await, FailoverCommand::TurnDone { .. }));
    stage.revoke("key-a");
    stage.send("agent", "fails", When::Idle).await;
    let (_, reply) = stage.next_report().await;
    reply.send(Instruction::Move(assignment(&stage, "standin@acme/b"))).unwrap();
    finish(&stage, "standin@acme/b", "key-b", 1).await;
    assert_eq!(stage.under("key-b"), ["fails", "last"]);
}

#[tokio::test]
async fn a_harness_that_failed_and_ended_unwatched_is_judged_by_its_end() {
    let mut stage = Stage::started().await;
    stage.routed("standin@acme/a, standin@acme/b", None).await;
    let pid = stage.info("agent").await.and_then(|info| info.pid).unwrap();
    let body = "DO slow 700\nDO exit 7 key-a";
    let exits = stage.send("agent", body, When::Idle).await;
    stage.wait_state(exits, ReceiptState::Delivered).await;
    stage.die();
    stage.wait_dead(pid).await;
    stage.start().await;
    let (report, reply) = stage.next_report().await;
    assert_eq!(report.observation.exit, Some(7));
    reply.send(Instruction::Move(assignment(&stage, "standin@acme/b"))).unwrap();
    stage.wait_received("key-b", 1).await;
    assert_eq!(stage.under("key-b"), [body]);
}

#[tokio::test]
async fn a_failure_that_was_dealt_with_is_not_reported_again() {
    let mut stage = Stage::started().await;
    stage.routed("standin@acme/a, standin@acme/b", None).await;
    stage.revoke("key-a");
    let message = stage.send("agent", "fails", When::Idle).await;
    let (_, reply) = stage.next_report().await;
    reply.send(Instruction::Stay { trouble: Some(trouble("stay where you are")) }).unwrap();
    stage.wait_for("agent", |info| info.trouble.is_some()).await;
    stage.wait_state(message, ReceiptState::Delivered).await;
    stage.die();
    stage.revoke("none");
    stage.start().await;
    let next = stage.send("agent", "works", When::Idle).await;
    stage.wait_state(next, ReceiptState::Delivered).await;
    let said = stage.next_failover().await;
    assert!(matches!(said, FailoverCommand::TurnDone { .. }), "{said:?}");
    assert_eq!(stage.under("key-a"), ["fails", "works"]);
}

#[tokio::test]
async fn a_message_half_typed_into_the_run_that_was_left_is_typed_into_the_next() {
    for step in [None, Some(Step::Ending), Some(Step::Starting)] {
        let mut stage = Stage::started().await;
        stage.routed("gapped@acme/a, gapped@acme/b", None).await;
        stage.revoke("key-a");
        let fails = stage.send("agent", "DO slow 500", When::Idle).await;
        stage.wait_state(fails, ReceiptState::Delivered).await;
        let half = injection("half typed", When::Now);
        stage.inject("agent", half.clone()).await;
        stage.wait_state(half.message, ReceiptState::Written).await;
        let (_, reply) = stage.next_report().await;
        reply.send(Instruction::Move(assignment(&stage, "gapped@acme/b"))).unwrap();
        if let Some(step) = step {
            stage.wait_record("agent", |record| reached(record, step, "gapped@acme/b")).await;
            stage.die();
            stage.start().await;
        }
        let mount = "gapped@acme/b";
        stage
            .with_only(mount, async {
                if step.is_some() {
                    stage.hand_over_again("agent", half.clone()).await;
                }
                stage.wait_state(half.message, ReceiptState::Delivered).await;
            })
            .await;
        let typed = stage.under("key-b").iter().filter(|body| *body == "half typed").count();
        assert_eq!(typed, 1, "{step:?}: {:?}", stage.under("key-b"));
        let told = stage.told(half.message);
        let attempts: Vec<u32> = told
            .iter()
            .filter(|told| matches!(told.what, What::Writing(_)))
            .map(|told| told.attempt)
            .collect();
        assert_eq!(attempts, [1, 2], "{step:?}");
    }
}
