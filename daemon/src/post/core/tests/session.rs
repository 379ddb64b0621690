//! Messages for sessions: windows, lanes, steps, and what a restart or an end makes of them.

use posthouse_protocol::payload::{Claim, ClaimResult, Message};
use posthouse_protocol::{ErrorCode, Evidence, FrameType, Header, ReceiptState, SendMeta, When};

use super::world::World;
use crate::post::command::{Injection, SessionSink, Step};
use crate::principal::Kind;

fn when(when: When) -> Option<SendMeta> {
    Some(SendMeta { when: Some(when), ..SendMeta::default() })
}

fn only(mut injections: Vec<Injection>) -> Injection {
    assert_eq!(injections.len(), 1, "{injections:?}");
    injections.remove(0)
}

#[test]
fn an_injection_carries_the_message_and_its_steps_come_back() {
    let mut w = World::new();
    let a = w.client("alice");
    w.session("sess");
    w.received(a);
    w.send(a, "m1", "sess", "do it");
    let injection = only(w.injected());
    assert_eq!((injection.from.as_str(), injection.body.as_str()), ("alice", "do it"));
    assert_eq!((injection.original_to, injection.earlier, injection.when), (None, None, When::Idle));
    let id = injection.message;
    w.progress("sess", id, Step::Waiting { reason: "busy".into() });
    w.progress("sess", id, Step::Waiting { reason: "busy".into() });
    assert_eq!(w.writing("sess", id, "run-1", 1), Ok(()));
    w.reached("sess", id, ReceiptState::Written);
    w.reached("sess", id, ReceiptState::Submitted);
    let step = Step::Reached {
        state: ReceiptState::Delivered,
        evidence: Some(Evidence::StatusOsc),
        reason: None,
        run: Some("run-1".into()),
        attempt: 1,
    };
    w.progress("sess", id, step);
    assert_eq!(
        w.receipts(a),
        ["sess accepted", "sess queued", "sess written", "sess submitted", "sess delivered."]
    );
}

#[test]
fn the_intent_is_in_the_journal_before_the_session_may_write() {
    let mut w = World::new();
    let a = w.client("alice");
    w.session("sess");
    w.send(a, "m1", "sess", "do it");
    let id = only(w.injected()).message;
    w.prompt = false;
    let step = Step::Writing { run: "run-1".into(), attempt: 1, done: crate::post::command::Intent(None) };
    w.progress("sess", id, step.clone());
    assert!(w.intents.is_empty());
    w.commit_all();
    assert_eq!(w.intents.pop().unwrap().1, Ok(()));
    assert_eq!(w.journal.deliveries.values().next().unwrap().run.as_deref(), Some("run-1"));
}

#[test]
fn an_intent_that_cannot_be_noted_takes_the_message_back() {
    let mut w = World::new();
    let a = w.client("alice");
    w.session("sess");
    w.send(a, "m1", "sess", "do it");
    let id = only(w.injected()).message;
    w.prompt = false;
    let done = crate::post::command::Intent(None);
    w.progress("sess", id, Step::Writing { run: "run-1".into(), attempt: 1, done });
    w.fail_commit();
    assert!(w.intents.pop().unwrap().1.is_err());
    assert!(w.injected().is_empty());
    w.prompt = true;
    w.advance(2000);
    assert_eq!(only(w.injected()).message, id, "it is tried again");
}

#[test]
fn lanes_have_windows_of_their_own() {
    let mut w = World::new();
    let a = w.client("alice");
    w.session("sess");
    for n in 0..20 {
        w.send(a, &format!("i{n}"), "sess", &format!("idle {n}"));
    }
    assert_eq!(w.injected().len(), SessionSink::WINDOW);
    w.send_with(a, "n", "sess", "now", when(When::Now));
    let now = only(w.injected());
    assert_eq!((now.body.as_str(), now.when), ("now", When::Now));
    w.reached("sess", now.message, ReceiptState::Failed);
    assert!(w.injected().is_empty(), "room in one lane is not room in another");
}

#[test]
fn one_lane_is_handed_over_in_order_as_the_window_moves() {
    let mut w = World::new();
    let a = w.client("alice");
    w.session("sess");
    for n in 0..40 {
        w.send(a, &format!("m{n}"), "sess", &n.to_string());
    }
    let mut seen = Vec::new();
    let mut hands = w.injected();
    while !hands.is_empty() {
        let next = hands.remove(0);
        w.reached("sess", next.message, ReceiptState::Delivered);
        seen.push(next.body);
        hands.extend(w.injected());
        assert!(hands.len() <= SessionSink::WINDOW);
    }
    assert_eq!(seen, (0..40).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_typed_is_refused_before_it_is_accepted() {
    let mut w = World::new();
    let a = w.client("alice");
    w.session("sess");
    w.send(a, "m1", "sess", "paste\u{1b}[201~me");
    let (id, error) = w.error(a);
    assert_eq!((id.as_str(), error.code), ("m1", ErrorCode::Untypable));
    assert!(error.message.contains("byte 5"), "{}", error.message);
    assert!(w.journal.messages.is_empty() && w.injected().is_empty());
}

#[test]
fn only_an_operator_sends_without_the_header_line() {
    let mut w = World::new();
    w.session("sess");
    let plain = Some(SendMeta { plain: Some(true), ..SendMeta::default() });
    let a = w.client("alice");
    w.send_with(a, "m1", "sess", "/help", plain.clone());
    assert_eq!(w.error(a).1.code, ErrorCode::Forbidden);
    let operator = w.enter_as(World::hello("me"), Kind::Operator).unwrap().0;
    w.send_with(operator, "m1", "sess", "/help", plain);
    assert!(only(w.injected()).plain);
}

#[test]
fn messages_wait_for_a_session_that_is_starting_and_survive_its_end() {
    let mut w = World::new();
    let a = w.client("alice");
    w.received(a);
    w.core.reserve("sess").unwrap();
    assert_eq!(w.core.reserve("sess").unwrap_err().code, ErrorCode::NameTaken);
    w.send(a, "m1", "sess", "early");
    assert_eq!(w.receipts(a), ["sess accepted", "sess queued"]);
    w.session_up("sess");
    let id = only(w.injected()).message;
    w.session_down("sess", false);
    assert_eq!(w.receipts(a), ["sess queued"]);
    w.session("sess");
    assert_eq!(only(w.injected()).message, id);
}

#[test]
fn what_was_being_typed_when_the_session_ended_is_uncertain() {
    let mut w = World::new();
    let a = w.client("alice");
    w.session("sess");
    w.received(a);
    w.send(a, "m1", "sess", "typed");
    w.send(a, "m2", "sess", "waits");
    let first = w.injected().remove(0).message;
    assert_eq!(w.writing("sess", first, "run-1", 1), Ok(()));
    w.session_down("sess", false);
    w.session("sess");
    assert_eq!(only(w.injected()).body, "waits");
    assert_eq!(w.receipts(a), ["sess accepted", "sess accepted", "sess uncertain.", "sess queued"]);
}

#[test]
fn a_released_session_fails_what_it_never_got() {
    let mut w = World::new();
    let a = w.client("alice");
    w.session("sess");
    w.received(a);
    w.send(a, "m1", "sess", "too late");
    w.session_down("sess", true);
    assert_eq!(w.receipts(a), ["sess accepted", "sess queued", "sess failed."]);
    w.send(a, "m2", "sess", "gone");
    assert_eq!(w.error(a).1.code, ErrorCode::NoSuchName);
}

#[test]
fn a_new_daemon_tells_the_session_how_far_the_old_one_came() {
    let mut w = World::new();
    let a = w.client("alice");
    w.session("sess");
    w.send(a, "m1", "sess", "one");
    w.send(a, "m2", "sess", "two");
    let ids: Vec<_> = w.injected().iter().map(|i| i.message).collect();
    w.writing("sess", ids[0], "run-1", 1).unwrap();
    w.reached("sess", ids[0], ReceiptState::Written);
    w.crash(0);
    w.session_up("sess");
    let again = w.injected();
    assert_eq!(again.iter().map(|i| i.message).collect::<Vec<_>>(), ids);
    let earlier = again[0].earlier.as_ref().unwrap();
    assert_eq!((earlier.state, earlier.run.as_str(), earlier.attempt), (ReceiptState::Written, "run-1", 1));
    assert_eq!(again[1].earlier, None);
    w.reached("sess", ids[0], ReceiptState::Delivered);
    w.session_down("sess", false);
    let states: Vec<_> = w.journal.deliveries.values().map(|d| (d.state, d.ended)).collect();
    assert!(states.contains(&(ReceiptState::Delivered, true)));
}

#[test]
fn a_second_submission_is_an_event_and_not_a_second_ending() {
    let mut w = World::new();
    let a = w.client("alice");
    w.session("sess");
    w.send(a, "m1", "sess", "again");
    let id = only(w.injected()).message;
    w.writing("sess", id, "run-1", 1).unwrap();
    w.reached("sess", id, ReceiptState::Delivered);
    w.received(a);
    assert_eq!(w.writing("sess", id, "run-2", 2), Ok(()));
    w.reached("sess", id, ReceiptState::Delivered);
    assert!(w.receipts(a).is_empty());
    assert_eq!(w.journal.events.last().unwrap().kind.as_str(), "resubmitted");
}

#[test]
fn an_agent_may_claim_what_its_session_has_not_begun() {
    let mut w = World::new();
    let a = w.client("alice");
    w.session("sess");
    let kind = Kind::Agent { session: "sess".into(), run: "r".into(), allow: vec![] };
    let aux = w.enter_as(World::hello("sess"), kind).unwrap().0;
    w.received(a);
    w.send(a, "m1", "sess", "one");
    w.send(a, "m2", "sess", "two");
    let ids: Vec<_> = w.injected().iter().map(|i| i.message).collect();
    w.writing("sess", ids[0], "run-1", 1).unwrap();
    let claim = |w: &mut World, id: uuid::Uuid| {
        w.frame(aux, Header::new(FrameType::Claim, "c", 0), &Claim { message: id.to_string() });
        w.take_first(aux, FrameType::ClaimResult).body.decode::<ClaimResult>().unwrap().claimed
    };
    assert!(!claim(&mut w, ids[0]), "it is being typed");
    assert!(claim(&mut w, ids[1]));
    assert!(!claim(&mut w, ids[1]), "a claim is exclusive");
    assert!(w.writing("sess", ids[1], "run-1", 1).is_err(), "the session may not type it as well");
    let delivered = w.take_first(aux, FrameType::Deliver);
    w.ack(aux, &delivered);
    assert_eq!(w.receipts(a).last().unwrap(), "sess delivered.");
}

#[test]
fn a_claim_ends_with_its_connection() {
    let mut w = World::new();
    let a = w.client("alice");
    w.session("sess");
    let kind = Kind::Agent { session: "sess".into(), run: "r".into(), allow: vec![] };
    let aux = w.enter_as(World::hello("sess"), kind).unwrap().0;
    w.send(a, "m1", "sess", "one");
    let id = only(w.injected()).message;
    w.frame(aux, Header::new(FrameType::Claim, "c", 0), &Claim { message: id.to_string() });
    w.leave(aux);
    assert!(w.injected().is_empty(), "the session has it still");
    assert_eq!(w.writing("sess", id, "run-1", 1), Ok(()));
}

#[test]
fn a_session_is_told_by_which_channel_a_message_came() {
    let mut w = World::new();
    let a = w.client("alice");
    w.session("sess");
    w.send(a, "m1", "#general", "hi all");
    w.send(a, "m2", "*", "everyone");
    let seen: Vec<_> = w.injected().into_iter().map(|i| (i.original_to.unwrap(), i.body)).collect();
    assert_eq!(seen, [("#general".into(), "hi all".into()), ("*".into(), "everyone".into())]);
}

#[test]
fn a_thread_goes_along() {
    let mut w = World::new();
    let a = w.client("alice");
    w.session("sess");
    let mut header = Header::new(FrameType::Send, "m1", 0);
    header.to = Some("sess".into());
    w.frame(a, header, &Message { thread: Some("t-1".into()), ..Message::text("hi") });
    assert_eq!(only(w.injected()).thread.as_deref(), Some("t-1"));
    assert_eq!(w.journal.messages[0].thread.as_deref(), Some("t-1"));
}
