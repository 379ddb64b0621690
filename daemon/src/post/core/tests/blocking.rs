//! Blocking sends: every way in which the call ends.

use posthouse_protocol::payload::Ack;
use posthouse_protocol::{ErrorCode, Frame, FrameType, Header, SendMeta, Sync};

use super::world::World;
use crate::post::command::ConnId;
use crate::principal::Kind;

fn sync(correlation: &str, timeout_ms: u64) -> Option<SendMeta> {
    let sync = Sync { correlation_id: correlation.into(), timeout_ms: Some(timeout_ms), blocking: true };
    Some(SendMeta { sync: Some(sync), ..SendMeta::default() })
}

fn respond(w: &mut World, conn: ConnId, delivered: &Frame, correlation: &str, response: &str) {
    let ack = Ack {
        ack_id: delivered.header.id.clone(),
        seq: 0,
        correlation_id: Some(correlation.into()),
        response: Some(response.into()),
        response_data: None,
    };
    w.frame(conn, Header::new(FrameType::Ack, "a", 0), &ack);
}

fn answer(w: &mut World, conn: ConnId) -> Ack {
    w.take_first(conn, FrameType::Ack).body.decode().unwrap()
}

#[test]
fn the_second_ack_is_the_answer() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    w.send_with(a, "m1", "bob", "well?", sync("c1", 1000));
    let delivered = w.take_first(b, FrameType::Deliver);
    assert_eq!(delivered.header.meta.as_ref().unwrap().sync.as_ref().unwrap().correlation_id, "c1");
    w.ack(b, &delivered);
    respond(&mut w, b, &delivered, "c1", "fine");
    let ack = answer(&mut w, a);
    assert_eq!((ack.correlation_id.as_deref(), ack.response.as_deref()), (Some("c1"), Some("fine")));
    assert_eq!(w.receipts(a), ["bob accepted", "bob delivered", "bob answered."]);
}

#[test]
fn a_reply_is_an_answer_too() {
    let mut w = World::new();
    let a = w.client("alice");
    w.session("sess");
    let kind = Kind::Agent { session: "sess".into(), run: "r".into(), allow: vec![] };
    let agent = w.enter_as(World::hello("sess"), kind).unwrap().0;
    w.send_with(a, "m1", "sess", "well?", sync("c1", 1000));
    let injection = w.injected().remove(0);
    assert!(injection.expects_answer);
    w.writing("sess", injection.message, "run-1", 1).unwrap();
    w.reached("sess", injection.message, posthouse_protocol::ReceiptState::Delivered);
    let reply = SendMeta { reply_to: Some(injection.message.to_string()), ..SendMeta::default() };
    w.send_with(agent, "r1", "alice", "fine", Some(reply));
    assert_eq!(answer(&mut w, a).response.as_deref(), Some("fine"));
    assert_eq!(w.bodies(a), ["fine"], "the reply is a message as well");
    let states: Vec<_> = w.journal.steps.iter().map(|(_, to, state)| format!("{to} {state}")).collect();
    assert!(states.contains(&"sess answered".to_owned()), "{states:?}");
}

#[test]
fn a_stranger_cannot_answer() {
    let mut w = World::new();
    let (a, b, eve) = (w.client("alice"), w.client("bob"), w.client("eve"));
    w.send_with(a, "m1", "bob", "well?", sync("c1", 1000));
    let delivered = w.take_first(b, FrameType::Deliver);
    respond(&mut w, eve, &delivered, "c1", "forged");
    assert!(w.received_of(a, FrameType::Ack).is_empty());
}

#[test]
fn nobody_answers_at_once_with_an_error() {
    let mut w = World::new();
    let a = w.client("alice");
    w.send_with(a, "m1", "nobody", "well?", sync("c1", 60_000));
    let frames = w.received(a);
    let error = frames.iter().find(|f| f.header.kind == FrameType::Error).unwrap();
    let ack = frames.iter().find(|f| f.header.kind == FrameType::Ack).unwrap();
    assert_eq!(error.header.id, "m1");
    let ack: Ack = ack.body.decode().unwrap();
    let data = ack.response_data.unwrap().value().unwrap();
    assert_eq!((ack.response.as_deref(), &data["code"]), (Some("ERROR"), &"NO_SUCH_NAME".into()));
}

#[test]
fn a_timeout_ends_the_call_and_not_the_message() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    w.leave(b);
    w.received(a);
    w.send_with(a, "m1", "bob", "well?", sync("c1", 1000));
    w.advance(999);
    assert!(w.received_of(a, FrameType::Ack).is_empty());
    w.advance(1);
    let (id, error) = w.error(a);
    assert_eq!((id.as_str(), error.code), ("m1", ErrorCode::Timeout));
    assert_eq!(answer(&mut w, a).response.as_deref(), Some("ERROR"));
    let b = w.client("bob");
    let delivered = w.take_first(b, FrameType::Deliver);
    w.received(a);
    w.ack(b, &delivered);
    respond(&mut w, b, &delivered, "c1", "late");
    assert_eq!(w.receipts(a), ["bob delivered", "bob answered."]);
}

#[test]
fn a_failure_ends_the_call() {
    let mut w = World::new();
    let a = w.client("alice");
    w.session("sess");
    w.send_with(a, "m1", "sess", "well?", sync("c1", 60_000));
    let id = w.injected().remove(0).message;
    w.reached("sess", id, posthouse_protocol::ReceiptState::Failed);
    assert_eq!(answer(&mut w, a).response.as_deref(), Some("ERROR"));
}

#[test]
fn a_correlation_is_needed_and_used_once_at_a_time() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    w.send_with(a, "m1", "bob", "well?", sync("", 1000));
    assert_eq!(w.error(a).1.code, ErrorCode::BadCorrelation);
    w.send_with(a, "m2", "bob", "well?", sync("c1", 1000));
    w.send_with(a, "m3", "bob", "well?", sync("c1", 1000));
    let frames = w.received(a);
    assert!(frames.iter().any(|f| f.header.kind == FrameType::Error && f.header.id == "m3"));
    assert!(frames.iter().all(|f| f.header.kind != FrameType::Ack), "the first call is still open");
    let delivered = w.take_first(b, FrameType::Deliver);
    respond(&mut w, b, &delivered, "c1", "ok");
    assert_eq!(answer(&mut w, a).response.as_deref(), Some("ok"));
    w.send_with(a, "m4", "bob", "again?", sync("c1", 1000));
    assert!(w.received_of(a, FrameType::Error).is_empty());
}

#[test]
fn a_message_that_awaits_its_answer_survives_the_daemon() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    w.send_with(a, "m1", "bob", "well?", sync("c1", 1000));
    let delivered = w.take_first(b, FrameType::Deliver);
    w.ack(b, &delivered);
    w.crash(0);
    let (a, b) = (w.client("alice"), w.client("bob"));
    assert!(w.bodies(b).is_empty(), "it was delivered");
    w.received(a);
    respond(&mut w, b, &delivered, "c1", "fine");
    assert_eq!(w.receipts(a), ["bob answered."]);
}

#[test]
fn a_repeated_call_waits_for_the_first_message() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    w.send_with(a, "m1", "bob", "well?", sync("c1", 1000));
    let delivered = w.take_first(b, FrameType::Deliver);
    w.leave(a);
    let a = w.client("alice");
    w.send_with(a, "m1", "bob", "well?", sync("c2", 1000));
    assert!(w.bodies(b).is_empty(), "it is the same message");
    respond(&mut w, b, &delivered, "c1", "fine");
    assert_eq!(answer(&mut w, a).correlation_id.as_deref(), Some("c2"));
}
