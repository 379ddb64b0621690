//! Nobody can take everything.

use posthouse_protocol::handshake::Role;
use posthouse_protocol::{ErrorCode, FrameType, Hello};

use super::world::World;

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
    w.send(c, "m3", "bob", "nobody else is charged");
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
