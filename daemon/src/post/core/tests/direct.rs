//! One sender, one recipient: the durable and the volatile way.

use posthouse_protocol::payload::Nack;
use posthouse_protocol::{Durability, Encoding, ErrorCode, FrameType, Header, ReceiptState, SendMeta};

use super::world::{World, body};
use crate::post::core::queue::Bounds;

fn volatile() -> Option<SendMeta> {
    Some(SendMeta { durability: Some(Durability::Volatile), ..SendMeta::default() })
}

#[test]
fn accepted_comes_after_the_commit_and_delivered_after_the_ack() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    w.received(a);
    w.prompt = false;
    w.send(a, "m1", "bob", "hello");
    assert_eq!((w.receipts(a), w.bodies(b)), (vec![], vec![]), "nothing is told before the commit");
    w.commit_all();
    assert_eq!(w.receipts(a), ["bob accepted"]);
    let delivered = w.take_first(b, FrameType::Deliver);
    assert_eq!(body(&delivered), "hello");
    assert_eq!(delivered.header.from.as_deref(), Some("alice"), "the claim of the client is ignored");
    assert_eq!(delivered.header.delivery.as_ref().unwrap().seq, 1);
    w.ack(b, &delivered);
    assert_eq!(w.receipts(a), Vec::<String>::new());
    w.commit_all();
    assert_eq!(w.receipts(a), ["bob delivered."]);
    w.ack(b, &delivered);
    w.commit_all();
    assert_eq!(w.receipts(a), Vec::<String>::new(), "a second ACK changes nothing");
}

#[test]
fn a_journal_that_fails_accepts_nothing() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    w.advance(100);
    w.prompt = false;
    w.send(a, "m1", "bob", "lost");
    w.fail_commit();
    let (id, error) = w.error(a);
    assert_eq!((id.as_str(), error.code, error.fatal), ("m1", ErrorCode::JournalUnavailable, false));
    w.send(a, "m2", "bob", "kept");
    w.commit_all();
    assert_eq!(w.bodies(b), ["kept"]);
}

#[test]
fn volatile_messages_leave_no_trace() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    w.received(a);
    w.send_with(a, "m1", "bob", "hi", volatile());
    let delivered = w.take_first(b, FrameType::Deliver);
    assert_eq!(delivered.header.from.as_deref(), Some("alice"));
    assert_eq!(delivered.header.to.as_deref(), Some("bob"));
    w.ack(b, &delivered);
    assert_eq!(w.receipts(a), ["bob delivered."]);
    assert!(w.journal.messages.is_empty() && w.journal.steps.is_empty());
}

#[test]
fn volatile_messages_fail_where_nobody_takes_them() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    w.session("sess");
    w.received(a);
    w.send_with(a, "m0", "bob", "in flight", volatile());
    w.leave(b);
    w.send_with(a, "m1", "bob", "nobody there", volatile());
    w.send_with(a, "m2", "sess", "a session", volatile());
    assert_eq!(w.receipts(a), ["bob failed.", "bob failed.", "sess failed."]);
}

#[test]
fn a_volatile_message_does_not_overtake_a_durable_one() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    w.prompt = false;
    w.send(a, "m1", "bob", "1 durable");
    w.send_with(a, "m2", "bob", "2 volatile", volatile());
    w.send(a, "m3", "bob", "3 durable");
    w.send_with(a, "m4", "bob", "4 volatile", volatile());
    assert!(w.bodies(b).is_empty());
    w.commit_all();
    let frames = w.received_of(b, FrameType::Deliver);
    let seqs: Vec<u64> = frames.iter().map(|f| f.header.delivery.as_ref().unwrap().seq).collect();
    let bodies: Vec<String> = frames.iter().map(body).collect();
    assert_eq!(bodies, ["1 durable", "2 volatile", "3 durable", "4 volatile"]);
    assert_eq!(seqs, [1, 2, 3, 4]);
}

#[test]
fn an_unknown_name_is_told_before_anything_is_accepted() {
    let mut w = World::new();
    let a = w.client("alice");
    w.send(a, "m1", "nobody", "hello?");
    let (id, error) = w.error(a);
    assert_eq!((id.as_str(), error.code), ("m1", ErrorCode::NoSuchName));
    assert!(w.journal.messages.is_empty());
}

#[test]
fn a_repeat_returns_the_first_receipt() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    w.send(a, "m1", "bob", "once");
    let delivered = w.take_first(b, FrameType::Deliver);
    w.ack(b, &delivered);
    w.received(a);
    w.send(a, "m1", "bob", "once");
    let receipt = w.take_first(a, FrameType::Receipt).body.decode::<posthouse_protocol::Receipt>().unwrap();
    assert_eq!((receipt.message, receipt.state), (delivered.header.id, ReceiptState::Delivered));
    assert_eq!(w.bodies(b), Vec::<String>::new());
}

#[test]
fn what_is_not_acknowledged_comes_again_with_the_same_id_and_number() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    for n in 1..=3 {
        w.send(a, &format!("m{n}"), "bob", &format!("{n}"));
    }
    let first = w.received_of(b, FrameType::Deliver);
    w.ack(b, &first[1]);
    w.leave(b);
    w.send(a, "m4", "bob", "4");
    let b = w.client("bob");
    let again = w.received_of(b, FrameType::Deliver);
    let look = |f: &posthouse_protocol::Frame| {
        (f.header.id.clone(), f.header.delivery.as_ref().unwrap().seq, body(f))
    };
    assert_eq!(again.iter().map(look).take(2).collect::<Vec<_>>(), [look(&first[0]), look(&first[2])]);
    let attempts: Vec<_> = again.iter().map(|f| f.header.meta.as_ref().and_then(|m| m.attempt)).collect();
    assert_eq!((attempts, body(&again[2])), (vec![Some(2), Some(2), None], "4".to_owned()));
}

#[test]
fn a_new_daemon_delivers_again_with_the_same_id_and_number() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    w.send(a, "m1", "bob", "1");
    w.send(a, "m2", "bob", "2");
    let first = w.received_of(b, FrameType::Deliver);
    w.ack(b, &first[0]);
    w.crash(0);
    let b = w.client("bob");
    let again = w.received_of(b, FrameType::Deliver);
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].header.id, first[1].header.id);
    assert_eq!(again[0].header.delivery.as_ref().unwrap().seq, 2);
    assert_eq!(again[0].header.meta.as_ref().unwrap().attempt, Some(2));
    let a = w.client("alice");
    w.send(a, "m3", "bob", "3");
    assert_eq!(w.take_first(b, FrameType::Deliver).header.delivery.unwrap().seq, 3);
}

#[test]
fn a_nack_fails_with_the_reason_given() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    w.send(a, "m1", "bob", "1");
    let delivered = w.take_first(b, FrameType::Deliver);
    let nack =
        Nack { ack_id: delivered.header.id, code: Some("INVALID".into()), reason: Some("not mine".into()) };
    w.frame(b, Header::new(FrameType::Nack, "n", 0), &nack);
    assert_eq!(w.receipts(a), ["bob accepted", "bob failed."]);
    let delivery = w.journal.deliveries.values().next().unwrap();
    assert_eq!(delivery.reason.as_deref(), Some("INVALID: not mine"));
}

#[test]
fn the_window_holds_back_what_the_client_did_not_ask_for() {
    let mut w = World::new();
    let a = w.client("alice");
    let mut hello = World::hello("bob");
    hello.capabilities.max_inflight = Some(2);
    let b = w.enter(hello).unwrap().0;
    for n in 0..5 {
        w.send(a, &format!("d{n}"), "bob", &format!("{n}"));
        w.send_with(a, &format!("v{n}"), "bob", &format!("v{n}"), volatile());
    }
    let mut seen = Vec::new();
    loop {
        let frames = w.received_of(b, FrameType::Deliver);
        if frames.is_empty() {
            break;
        }
        assert!(frames.len() <= 2);
        for frame in frames {
            seen.push(body(&frame));
            w.ack(b, &frame);
        }
    }
    assert_eq!(seen, ["0", "v0", "1", "v1", "2", "v2", "3", "v3", "4", "v4"]);
}

#[test]
fn encodings_meet_in_the_middle() {
    let mut w = World::new();
    let a = w.client("alice");
    let mut hello = World::hello("bob");
    hello.encodings = vec![Encoding::Bincode];
    let b = w.enter(hello).unwrap().0;
    w.send(a, "m1", "bob", "durable");
    w.send_with(a, "m2", "bob", "volatile", volatile());
    assert_eq!(w.bodies(b), ["durable", "volatile"]);
    w.send(b, "m3", "alice", "back");
    assert_eq!(w.bodies(a), ["back"]);
}

#[test]
fn time_to_live_ends_what_waits_and_nothing_else() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    w.leave(b);
    w.received(a);
    w.send_with(a, "m1", "bob", "short", Some(SendMeta { ttl_ms: Some(50), ..SendMeta::default() }));
    w.send_with(a, "m2", "bob", "long", Some(SendMeta { ttl_ms: Some(5000), ..SendMeta::default() }));
    w.send(a, "m3", "bob", "for ever");
    w.advance(1000);
    let receipts = w.receipts(a);
    assert_eq!(receipts.last().unwrap(), "bob expired.");
    assert_eq!(receipts.iter().filter(|r| r.ends_with('.')).count(), 1);
    w.crash(0);
    w.advance(10_000);
    let b = w.client("bob");
    assert_eq!(w.bodies(b), ["for ever"]);
}

#[test]
fn a_full_inbox_refuses_and_keeps_what_it_has() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    let c = w.client("carol");
    w.leave(b);
    w.core.quotas.inbox = Bounds { messages: 3, bytes: 1000 };
    for n in 0..3 {
        w.send(a, &format!("m{n}"), "bob", "small");
    }
    assert!(w.received_of(a, FrameType::Error).is_empty());
    w.send(a, "m3", "bob", "small");
    let (id, error) = w.error(a);
    assert_eq!((id.as_str(), error.code), ("m3", ErrorCode::QueueFull));
    w.send(a, "m4", "carol", &"x".repeat(2000));
    assert_eq!(w.error(a).1.code, ErrorCode::QueueFull, "bytes are bounded as well");
    w.received(a);
    let b = w.client("bob");
    for delivered in w.received_of(b, FrameType::Deliver) {
        w.ack(b, &delivered);
    }
    w.send(a, "m5", "bob", "room again");
    assert_eq!(w.bodies(b), ["room again"]);
    assert!(w.bodies(c).is_empty());
}

#[test]
fn bodies_beyond_a_mebibyte_leave_memory_and_come_back_in_order() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    w.leave(b);
    let text = |n: usize| format!("{n} {}", "x".repeat(60_000));
    for n in 0..100 {
        w.send(a, &format!("m{n}"), "bob", &text(n));
    }
    let bob = w.core.names.find(super::world::UID, "bob").unwrap();
    let resident = |w: &World| w.core.names.get(bob).unwrap().queue.resident();
    assert!(resident(&w) <= 1024 * 1024, "{}", resident(&w));
    let b = w.client("bob");
    let mut seen = Vec::new();
    loop {
        let frames = w.received_of(b, FrameType::Deliver);
        if frames.is_empty() {
            break;
        }
        for frame in frames {
            seen.push(body(&frame));
            w.ack(b, &frame);
            assert!(resident(&w) <= 2 * 1024 * 1024, "{}", resident(&w));
        }
    }
    assert_eq!(seen, (0..100).map(text).collect::<Vec<_>>());
}

#[test]
fn a_message_that_could_not_be_delivered_in_one_frame_is_refused() {
    let mut w = World::new();
    let a = w.client("alice");
    w.client("bob");
    w.send(a, "m1", "bob", &"x".repeat(1024 * 1024 - 200));
    assert_eq!(w.error(a).1.code, ErrorCode::FrameTooLarge);
}
