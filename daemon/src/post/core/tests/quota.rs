//! Nobody can take everything.

use posthouse_protocol::handshake::Role;
use posthouse_protocol::payload::ChannelJoin;
use posthouse_protocol::{ErrorCode, FrameType, Header, Hello};

use super::world::{UID, World};

#[test]
fn who_has_the_journal_write_too_much_is_told_when_there_is_room() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    let c = w.client("carol");
    w.core.quotas.journal = 10_000;
    w.send(a, "m1", "bob", &"x".repeat(9_000));
    w.send(a, "m2", "bob", &"x".repeat(9_000));
    let (id, error) = w.error(a);
    assert_eq!((id.as_str(), error.code), ("m2", ErrorCode::LimitExceeded));
    assert!(error.message.contains("there is room in"), "{}", error.message);
    let free = w.core.quotas.inbox;
    w.core.quotas.inbox.messages = 0;
    w.send(c, "full", "bob", &"x".repeat(9_000));
    assert_eq!(w.error(c).1.code, ErrorCode::QueueFull);
    w.core.quotas.inbox = free;
    w.send(c, "m3", "bob", &format!("{:9000}", "nobody else is charged, nor is what was refused"));
    w.advance(60 * 60 * 1000);
    w.send(a, "m4", "bob", "an hour later");
    assert_eq!(w.bodies(b).len(), 3);
}

#[test]
fn names_and_connections_of_a_name_are_bounded_and_what_is_there_stays() {
    let mut w = World::new();
    let alice = w.client("alice");
    w.core.quotas.names = 2;
    w.core.quotas.connections = 2;
    w.client("bob");
    assert_eq!(w.enter(World::hello("carol")).unwrap_err().code, ErrorCode::LimitExceeded);
    w.auxiliary("alice");
    let third = Hello { role: Some(Role::Auxiliary), ..World::hello("alice") };
    assert_eq!(w.enter(third).unwrap_err().code, ErrorCode::LimitExceeded);
    w.send(alice, "m1", "bob", "still here");
    assert!(w.received_of(alice, FrameType::Error).is_empty());
}

#[test]
fn names_that_nobody_uses_make_room_for_new_ones_and_no_others_do() {
    let mut w = World::new();
    w.core.quotas.names = 6;
    let alice = w.client("alice");
    w.session_up("agent");
    // One has mail, one is a member of a channel, and two are of no use to anyone.
    let names = ["waiting", "member", "old", "newer"].map(|name| (name, w.client(name)));
    let join = ChannelJoin { channel: "#crew".into(), display_name: None, member: None };
    w.frame(names[1].1, Header::new(FrameType::ChannelJoin, "j1", 0), &join);
    for (_, conn) in names {
        w.advance(1);
        w.leave(conn);
    }
    w.send(alice, "m1", "waiting", "read me");
    w.client("first");
    w.client("second");
    assert_eq!(w.enter(World::hello("third")).unwrap_err().code, ErrorCode::LimitExceeded);
    let known = |w: &World, name: &str| w.core.names.find(UID, name).is_some();
    for (name, stays) in
        [("waiting", true), ("member", true), ("agent", true), ("old", false), ("newer", false)]
    {
        assert_eq!(known(&w, name), stays, "{name}");
    }
    w.crash(0);
    assert!(known(&w, "member") && !known(&w, "old"), "the journal has forgotten them as well");
}

#[test]
fn who_finds_a_name_taken_reads_whose_process_has_it() {
    let mut w = World::new();
    w.client("alice");
    let refused = w.enter(World::hello("alice")).unwrap_err();
    let spawned = w.core.reserve("alice").unwrap_err();
    for refused in [refused, spawned] {
        assert_eq!(refused.code, ErrorCode::NameTaken);
        assert!(refused.message.contains("taken by another connection, process 4711"), "{refused}");
    }
}

#[test]
fn a_session_that_has_ended_keeps_its_name_and_its_mail_until_it_is_released() {
    let mut w = World::new();
    let alice = w.client("alice");
    w.session_up("agent");
    w.session_down("agent", false);
    w.send(alice, "m1", "agent", "when you are back");
    assert!(w.receipts(alice).iter().any(|receipt| receipt.contains("queued")), "it waits");
    let squatter = w.enter(World::hello("agent")).unwrap_err();
    assert_eq!(squatter.code, ErrorCode::NameTaken);
    assert!(squatter.message.contains("posthouse release"), "{squatter}");
    w.core.reserve("agent").unwrap();
    w.session_up("agent");
    assert_eq!(w.injected().len(), 1);
    w.session_down("agent", false);
    w.session_down("agent", true);
    w.client("agent");
}
