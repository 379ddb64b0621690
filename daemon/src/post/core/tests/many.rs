//! Messages to several: broadcast, people, topics, channels, shadows, leases.

use posthouse_protocol::payload::{
    ChannelJoin, ChannelLeave, ChannelMessage, Claim, ClaimResult, Lease, LeaseResult, Message, ShadowBind,
    Subscribe,
};
use posthouse_protocol::{
    Durability, Encoding, ErrorCode, Evidence, FrameType, Header, Receipt, ReceiptState, SendMeta,
};

use super::world::World;
use crate::post::command::ConnId;
use crate::principal::Kind;

fn volatile() -> Option<SendMeta> {
    Some(SendMeta { durability: Some(Durability::Volatile), ..SendMeta::default() })
}

fn join(w: &mut World, conn: ConnId, channel: &str) {
    let join = ChannelJoin { channel: channel.into(), display_name: None, member: None };
    w.frame(conn, Header::new(FrameType::ChannelJoin, "j", 0), &join);
}

#[test]
fn a_broadcast_reaches_everyone_but_its_sender_with_a_receipt_each() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    let ann = w.person("ann");
    let mut hello = World::hello("bin");
    hello.encodings = vec![Encoding::Bincode];
    let bin = w.enter(hello).unwrap().0;
    let gone = w.client("gone");
    w.leave(gone);
    w.received(a);
    w.send(a, "m1", "*", "all");
    assert_eq!((w.bodies(ann), w.bodies(bin)), (vec!["all".to_owned()], vec!["all".to_owned()]));
    let delivered = w.take_first(b, FrameType::Deliver);
    assert_eq!(delivered.header.delivery.as_ref().unwrap().original_to.as_deref(), Some("*"));
    assert_eq!(delivered.header.to.as_deref(), Some("bob"));
    w.ack(b, &delivered);
    let told = w.received(a);
    assert!(told.iter().all(|frame| frame.header.kind == FrameType::Receipt), "not to the sender itself");
    let receipts: Vec<Receipt> = told.iter().map(|frame| frame.body.decode().unwrap()).collect();
    let states: Vec<_> = receipts.iter().map(|r| format!("{} {}", r.recipient, r.state)).collect();
    assert_eq!(states, ["ann accepted", "bin accepted", "bob accepted", "bob delivered"]);
    w.send(a, "m2", "@users", "people");
    assert_eq!((w.bodies(ann), w.bodies(b)), (vec!["people".to_owned()], vec![]));
    assert_eq!(w.journal.messages.len(), 2, "one body each");
}

#[test]
fn a_volatile_broadcast_reaches_connections_only() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    w.session("sess");
    w.received(a);
    w.send_with(a, "m1", "*", "all", volatile());
    let delivered = w.take_first(b, FrameType::Deliver);
    w.ack(b, &delivered);
    assert_eq!(w.receipts(a), ["bob delivered."]);
    assert!(w.injected().is_empty() && w.journal.messages.is_empty());
}

#[test]
fn a_broadcast_to_nobody_is_not_silent() {
    let mut w = World::new();
    let a = w.client("alice");
    for meta in [None, volatile()] {
        w.send_with(a, "m1", "*", "anyone?", meta);
        assert_eq!(w.error(a).1.code, ErrorCode::NoSuchName);
    }
}

#[test]
fn broadcasts_survive_the_daemon_for_each_recipient_by_itself() {
    let mut w = World::new();
    let (a, b, c) = (w.client("alice"), w.client("bob"), w.client("carol"));
    w.send(a, "m0", "carol", "before");
    w.send(a, "m1", "*", "all");
    let delivered = w.take_first(b, FrameType::Deliver);
    w.ack(b, &delivered);
    w.received(c);
    w.crash(0);
    let (b, c) = (w.client("bob"), w.client("carol"));
    assert!(w.bodies(b).is_empty());
    let again = w.received_of(c, FrameType::Deliver);
    let seqs: Vec<u64> = again.iter().map(|f| f.header.delivery.as_ref().unwrap().seq).collect();
    assert_eq!(seqs, [1, 2]);
}

#[test]
fn a_topic_reaches_its_subscribers() {
    let mut w = World::new();
    let (a, b, c) = (w.client("alice"), w.client("bob"), w.client("carol"));
    let mut subscribe = Header::new(FrameType::Subscribe, "s", 0);
    subscribe.topic = Some("news".into());
    w.frame(b, subscribe, &Subscribe::default());
    let mut header = Header::new(FrameType::Send, "m1", 0);
    header.to = Some("*".into());
    header.topic = Some("news".into());
    w.frame(a, header, &Message::text("extra"));
    let delivered = w.take_first(b, FrameType::Deliver);
    assert_eq!(delivered.header.topic.as_deref(), Some("news"));
    assert!(w.bodies(c).is_empty());
}

#[test]
fn channel_messages_reach_members_and_count_as_handed_over() {
    let mut w = World::new();
    let (a, b, c) = (w.client("alice"), w.client("bob"), w.client("carol"));
    join(&mut w, a, "#dev");
    join(&mut w, b, "dev");
    assert_eq!(w.received_of(a, FrameType::ChannelJoin)[0].header.from.as_deref(), Some("bob"));
    let message = ChannelMessage {
        channel: "#dev".into(),
        body: "hi".into(),
        thread: None,
        mentions: vec!["bob".into()],
        attachments: None,
        data: None,
    };
    w.frame(a, Header::new(FrameType::ChannelMessage, "m1", 0), &message);
    let got = w.take_first(b, FrameType::ChannelMessage);
    assert_eq!(got.header.from.as_deref(), Some("alice"));
    assert_eq!(got.body.decode::<ChannelMessage>().unwrap(), message);
    assert!(w.received_of(c, FrameType::ChannelMessage).is_empty());
    assert_eq!(w.receipts(a), ["bob accepted", "bob delivered."]);
    let delivery = w.journal.deliveries.values().next().unwrap();
    assert_eq!(delivery.evidence, Some(Evidence::Connection));
    w.frame(c, Header::new(FrameType::ChannelMessage, "m2", 0), &message);
    assert_eq!(w.error(c).1.code, ErrorCode::Forbidden);
    let leave = ChannelLeave { channel: "#dev".into(), reason: None, member: None };
    w.frame(b, Header::new(FrameType::ChannelLeave, "l", 0), &leave);
    assert_eq!(w.received_of(a, FrameType::ChannelLeave).len(), 1);
}

#[test]
fn what_nobody_acknowledges_is_delivered_once_it_is_written() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    w.writes = false;
    w.send(a, "m1", "#general", "hi all");
    w.take_first(b, FrameType::ChannelMessage);
    assert_eq!(w.receipts(a), ["bob accepted"], "the daemon may die before it writes");
    w.crash(0);
    w.writes = true;
    let (b, _) = w.enter(World::hello("bob")).unwrap();
    let again = w.take_first(b, FrameType::ChannelMessage);
    assert_eq!(again.header.meta.unwrap().attempt, Some(2));
    let delivery = w.journal.deliveries.values().next().unwrap();
    assert_eq!((delivery.state, delivery.evidence), (ReceiptState::Delivered, Some(Evidence::Connection)));
}

#[test]
fn a_send_to_a_channel_is_a_channel_message() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    w.send(a, "m1", "#general", "hi all");
    let got = w.take_first(b, FrameType::ChannelMessage).body.decode::<ChannelMessage>().unwrap();
    assert_eq!((got.channel.as_str(), got.body.as_str()), ("#general", "hi all"));
    w.send(a, "m2", "#secret", "psst");
    assert_eq!(w.error(a).1.code, ErrorCode::Forbidden);
}

#[test]
fn membership_outlives_connection_and_daemon() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    join(&mut w, a, "dev");
    join(&mut w, b, "dev");
    w.leave(b);
    w.crash(0);
    let (a, b) = (w.client("alice"), w.client("bob"));
    w.send(a, "m1", "#dev", "still here?");
    assert_eq!(w.received_of(b, FrameType::ChannelMessage).len(), 1);
    let leave = ChannelLeave { channel: "general".into(), reason: None, member: None };
    w.frame(b, Header::new(FrameType::ChannelLeave, "l", 0), &leave);
    w.leave(b);
    let b = w.client("bob");
    w.send(a, "m2", "#general", "not for bob");
    assert!(w.received_of(b, FrameType::ChannelMessage).is_empty());
}

#[test]
fn only_an_operator_moves_others_in_and_out_of_channels() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    let admin =
        |member: &str| ChannelJoin { channel: "dev".into(), display_name: None, member: Some(member.into()) };
    w.frame(a, Header::new(FrameType::ChannelJoin, "j", 0), &admin("bob"));
    assert_eq!(w.error(a).1.code, ErrorCode::Forbidden);
    let op = w.enter_as(World::hello("op"), Kind::Operator).unwrap().0;
    join(&mut w, op, "dev");
    w.frame(op, Header::new(FrameType::ChannelJoin, "j", 0), &admin("bob"));
    w.frame(op, Header::new(FrameType::ChannelJoin, "j", 0), &admin("nobody"));
    assert_eq!(w.error(op).1.code, ErrorCode::NoSuchName);
    assert!(w.received_of(op, FrameType::ChannelJoin).is_empty(), "done silently");
    w.send(op, "m", "#dev", "welcome");
    assert_eq!(w.received_of(b, FrameType::ChannelMessage).len(), 1);
}

#[test]
fn shadows_see_copies_both_ways() {
    let mut w = World::new();
    let (a, b, s) = (w.client("alice"), w.client("bob"), w.client("shadow"));
    let bind = ShadowBind {
        primary_agent: "bob".into(),
        speak_on: vec![],
        receive_incoming: None,
        receive_outgoing: None,
    };
    w.frame(s, Header::new(FrameType::ShadowBind, "b", 0), &bind);
    w.send_with(a, "m1", "bob", "to bob", volatile());
    w.send(b, "m2", "alice", "from bob");
    w.send(b, "m3", "bob", "to myself");
    let copies = w.received_of(s, FrameType::Deliver);
    let seen: Vec<_> = copies
        .iter()
        .map(|f| {
            let message = f.body.decode::<Message>().unwrap();
            let data = message.data.unwrap().value().unwrap();
            assert_eq!((&data["_shadowCopy"], &data["_shadowOf"]), (&true.into(), &"bob".into()));
            (message.body, data["_shadowDirection"].as_str().unwrap().to_owned())
        })
        .collect();
    let expect = [
        ("to bob", "incoming"),
        ("from bob", "outgoing"),
        ("to myself", "outgoing"),
        ("to myself", "incoming"),
    ];
    assert_eq!(seen, expect.map(|(b, d)| (b.to_owned(), d.to_owned())));
    let mut ids: Vec<_> = copies.iter().map(|f| &f.header.id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[test]
fn a_lease_is_the_delivery_path_until_its_connection_ends() {
    let mut w = World::new();
    let a = w.client("alice");
    let (one, two) = (w.auxiliary("bob"), w.auxiliary("bob"));
    w.send(a, "m1", "bob", "1");
    assert!(w.bodies(one).is_empty());
    let lease = |w: &mut World, conn| {
        w.frame(conn, Header::new(FrameType::Lease, "l", 0), &Lease {});
        w.take_first(conn, FrameType::LeaseResult).body.decode::<LeaseResult>().unwrap().granted
    };
    assert!(lease(&mut w, one));
    assert!(!lease(&mut w, two));
    assert_eq!(w.bodies(one), ["1"]);
    let primary = w.client("bob");
    w.send(a, "m2", "bob", "2");
    assert_eq!((w.bodies(one), w.bodies(primary)), (vec!["2".to_owned()], vec![]));
    w.leave(one);
    assert_eq!(w.bodies(primary), ["1", "2"], "what the lease had not acknowledged");
    assert!(!lease(&mut w, two), "the name has a primary");
}

#[test]
fn a_message_whose_body_left_memory_can_be_claimed() {
    let mut w = World::new();
    let a = w.client("alice");
    let aux = w.auxiliary("bob");
    for n in 0..40 {
        w.send(a, &format!("m{n}"), "bob", &format!("{n} {}", "x".repeat(60_000)));
    }
    let last = w.journal.messages.last().unwrap().id;
    w.frame(aux, Header::new(FrameType::Claim, "c", 0), &Claim { message: last.to_string() });
    let frames = w.received(aux);
    let kinds: Vec<_> = frames.iter().map(|f| f.header.kind).collect();
    assert_eq!(kinds, [FrameType::ClaimResult, FrameType::Deliver]);
    assert_eq!((frames[0].header.id.as_str(), &frames[1].header.id), ("c", &last.to_string()));
    w.frame(aux, Header::new(FrameType::Claim, "c2", 0), &Claim { message: "nonsense".into() });
    let refused: ClaimResult = w.take_first(aux, FrameType::ClaimResult).body.decode().unwrap();
    assert!(!refused.claimed && refused.reason.is_some());
}

#[test]
fn a_client_that_does_not_acknowledge_is_believed_no_further_than_that() {
    let mut w = World::new();
    let a = w.client("alice");
    let mut hello = World::hello("mute");
    hello.capabilities.ack = Some(false);
    let mute = w.enter(hello).unwrap().0;
    w.received(a);
    w.send(a, "m1", "mute", "1");
    w.send_with(a, "m2", "mute", "2", volatile());
    assert_eq!(w.bodies(mute), ["1", "2"]);
    assert_eq!(w.receipts(a), ["mute accepted", "mute delivered.", "mute delivered."]);
    assert_eq!(w.journal.deliveries.values().next().unwrap().evidence, Some(Evidence::Connection));
}
