//! Messages into the stand-in, by real holders: when they are typed, what they prove, and what keeps them back.

use posthouse_protocol::{Evidence, ReceiptState, When};
use posthouse_tests::stage::{Stage, What, injection};

const DELIVERED: [ReceiptState; 3] =
    [ReceiptState::Written, ReceiptState::Submitted, ReceiptState::Delivered];

/// The body as the harness received it, without the header line.
fn body(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, body)| body)
}

#[tokio::test]
async fn bodies_arrive_whole_and_once_with_evidence() {
    let stage = Stage::started().await;
    stage.standin("agent").await;
    let long = format!("{}\nend", "0123456789abcdef ".repeat(120));
    let bodies = ["hello", "two\n\n  lines\twith tab ", &long, "ünïcödé → 日本 👩‍💻", "/not a command"];
    for text in bodies {
        let message = stage.send("agent", text, When::Idle).await;
        let evidence = stage.wait_state(message, ReceiptState::Delivered).await;
        assert!(matches!(evidence, Some(Evidence::StatusOsc | Evidence::Structured)), "{evidence:?}");
        assert_eq!(stage.states(message), DELIVERED);
    }
    let received = stage.received();
    assert_eq!(received.iter().map(|entry| body(&entry.text)).collect::<Vec<_>>(), bodies);
    for entry in &received {
        assert!(entry.text.starts_with("[posthouse from=alice id="), "{}", entry.text);
    }
}

#[tokio::test]
async fn any_command_takes_messages_and_nothing_more_is_claimed() {
    let stage = Stage::started().await;
    let mut spawn = stage.spawn_of("shell");
    spawn.args = ["sh", "-c", "stty -echo; while read -r line; do echo \"got <$line>\"; done"]
        .map(String::from)
        .into();
    let spawned = stage.try_spawn(spawn).await.expect("a session");
    assert_eq!(stage.info("shell").await.unwrap().pid, Some(spawned.pid));
    let message = stage.send("shell", "hello there", When::Idle).await;
    assert_eq!(stage.wait_state(message, ReceiptState::Delivered).await, Some(Evidence::Holder));
    stage.wait_screen("shell", "got <hello there>").await;
}

#[tokio::test]
async fn idle_waits_for_the_turn_and_now_does_not() {
    let stage = Stage::started().await;
    stage.standin("agent").await;
    let slow = stage.send("agent", "DO slow 1500", When::Idle).await;
    stage.wait_state(slow, ReceiptState::Delivered).await;
    stage.wait_for_state("agent", "busy").await;
    let idle = stage.send("agent", "later", When::Idle).await;
    let turn_end = stage.send("agent", "at the end", When::TurnEnd).await;
    let now = stage.send("agent", "at once", When::Now).await;
    stage.wait_told(idle, |what| *what == What::Waits("busy".into())).await;
    stage.wait_state(now, ReceiptState::Submitted).await;
    assert!(stage.states(idle).is_empty(), "it was typed during the turn: {:?}", stage.told(idle));
    let evidence = stage.wait_state(now, ReceiptState::Delivered).await;
    assert!(matches!(evidence, Some(Evidence::Screen | Evidence::Structured)), "{evidence:?}");
    stage.wait_state(turn_end, ReceiptState::Delivered).await;
    stage.wait_state(idle, ReceiptState::Delivered).await;
    let order: Vec<String> = stage.received().iter().map(|entry| body(&entry.text).to_owned()).collect();
    assert_eq!(order, ["DO slow 1500", "at once", "at the end", "later"]);
}

#[tokio::test]
async fn nothing_is_typed_into_a_dialog() {
    let stage = Stage::started().await;
    stage.standin("agent").await;
    let ask = stage.send("agent", "DO dialog permission", When::Idle).await;
    stage.wait_state(ask, ReceiptState::Delivered).await;
    let info = stage.wait_for_state("agent", "blocked").await;
    let blocked = info.blocked.expect("what it waits for");
    assert_eq!(blocked.kind, "permission");
    assert_eq!(blocked.message.as_deref(), Some("approve this"));
    let idle = stage.send("agent", "1 is the answer", When::Idle).await;
    let now = stage.send("agent", "2 is the answer", When::Now).await;
    stage.wait_told(idle, |what| *what == What::Waits("blocked: permission".into())).await;
    let told = stage.wait_told(now, |what| matches!(what, What::Reached(..))).await;
    let reason = Some("the harness is blocked: permission".to_owned());
    assert_eq!(told.what, What::Reached(ReceiptState::Failed, None, reason));
    stage.keys("agent", b"1").await.unwrap();
    stage.wait_state(idle, ReceiptState::Delivered).await;
    assert_eq!(stage.received().len(), 2);
}

#[tokio::test]
async fn nothing_is_typed_into_a_persons_line() {
    let stage = Stage::started().await;
    stage.standin("agent").await;
    stage.keys("agent", b"half a").await.unwrap();
    stage.wait_for("agent", |info| info.drafting).await;
    let idle = stage.send("agent", "after you", When::Idle).await;
    let now = stage.send("agent", "me first", When::Now).await;
    stage.wait_told(idle, |what| *what == What::Waits("drafting".into())).await;
    stage.wait_told(now, |what| matches!(what, What::Reached(ReceiptState::Failed, ..))).await;
    stage.keys("agent", b" line").await.unwrap();
    stage.wait_screen("agent", "> half a line").await;
    stage.keys("agent", b"\r").await.unwrap();
    stage.wait_state(idle, ReceiptState::Delivered).await;
    let received: Vec<String> = stage.received().iter().map(|entry| entry.text.clone()).collect();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0], "half a line");
    assert_eq!(body(&received[1]), "after you");
}

#[tokio::test]
async fn a_dialog_between_text_and_enter_stops_the_enter_and_it_is_pressed_when_the_dialog_is_gone() {
    let stage = Stage::started().await;
    // A gap wide enough for a dialog to be seen in it.
    stage.harness("agent", "gapped").await;
    let set = stage.send("agent", "DO ambush", When::Idle).await;
    stage.wait_state(set, ReceiptState::Delivered).await;
    stage.wait_for_state("agent", "ready").await;
    let message = stage.send("agent", "into the ambush", When::Idle).await;
    stage.wait_state(message, ReceiptState::Written).await;
    stage.wait_for_state("agent", "blocked").await;
    stage.keys("agent", b"1").await.unwrap();
    stage.wait_state(message, ReceiptState::Delivered).await;
    assert_eq!(stage.states(message), DELIVERED);
    let received = stage.received();
    assert_eq!(received.len(), 2);
    assert_eq!(body(&received[1].text), "into the ambush");
}

#[tokio::test]
async fn a_lost_enter_is_pressed_once_more() {
    let stage = Stage::started().await;
    stage.standin("agent").await;
    let set = stage.send("agent", "DO swallow-enter", When::Idle).await;
    stage.wait_state(set, ReceiptState::Delivered).await;
    let message = stage.send("agent", "persistent", When::Idle).await;
    stage.wait_state(message, ReceiptState::Delivered).await;
    assert_eq!(stage.received().len(), 2);
    assert_eq!(stage.states(message), DELIVERED, "a second Enter is no second submission");
}

#[tokio::test]
async fn without_any_evidence_the_message_is_uncertain_and_not_repeated() {
    let stage = Stage::started().await;
    stage.standin("agent").await;
    let wedge = stage.send("agent", "DO wedge", When::Idle).await;
    // The stand-in reports that it works, and then nothing ever again.
    stage.wait_state(wedge, ReceiptState::Delivered).await;
    let now = stage.send("agent", "anybody there", When::Now).await;
    let told = stage.wait_told(now, |what| matches!(what, What::Reached(ReceiptState::Uncertain, ..))).await;
    let reason = Some("nothing shows whether the harness took it".to_owned());
    assert_eq!(told.what, What::Reached(ReceiptState::Uncertain, None, reason));
    assert_eq!(stage.received().len(), 1);
}

#[tokio::test]
async fn one_wedged_session_delays_no_other() {
    let stage = Stage::started().await;
    stage.standin("wedged").await;
    stage.standin("healthy").await;
    let wedge = stage.send("wedged", "DO wedge", When::Idle).await;
    stage.wait_state(wedge, ReceiptState::Delivered).await;
    for _ in 0..10 {
        stage.send("wedged", &"x".repeat(100_000), When::Now).await;
    }
    for round in 0..5 {
        let message = stage.send("healthy", &format!("round {round}"), When::Idle).await;
        stage.wait_state(message, ReceiptState::Delivered).await;
    }
    stage.release("wedged").await.expect("even a wedged session ends");
    assert!(stage.info("wedged").await.is_none());
}

#[tokio::test]
async fn what_came_too_late_expires_untyped() {
    let stage = Stage::started().await;
    stage.standin("agent").await;
    let slow = stage.send("agent", "DO slow 1000", When::Idle).await;
    stage.wait_state(slow, ReceiptState::Delivered).await;
    let mut late = injection("too late", When::Idle);
    late.deadline = Some(posthoused::session::house::now_ms() + 100);
    let message = late.message;
    stage.inject("agent", late).await;
    stage.wait_state(message, ReceiptState::Expired).await;
    stage.wait_for_state("agent", "ready").await;
    assert_eq!(stage.received().len(), 1);
}
