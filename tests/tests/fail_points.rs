//! What fail points do besides killing: fail, and hold up one thing and nothing else.

use posthouse_protocol::payload::Message;
use posthouse_protocol::{ErrorCode, ReceiptState, SendMeta};
use posthouse_tests::world::{World, until_refused, until_state};
use posthoused::fail_point::Point;

#[tokio::test]
async fn a_commit_that_fails_is_refused_by_name_and_the_next_one_is_not() {
    let mut world = World::new();
    let points = world.with_points();
    world.start();
    let (mut alice, _bob) = (world.operator("alice").await, world.operator("bob").await);
    // Once this is accepted, nothing else waits for the journal.
    alice.send_as("m1", "bob", &Message::text("one"), SendMeta::default()).await.expect("sent");
    until_state(&mut alice, "m1", ReceiptState::Accepted).await;
    points.arm(Point::JournalBefore, "error", 0);
    alice.send_as("m2", "bob", &Message::text("two"), SendMeta::default()).await.expect("sent");
    assert_eq!(until_refused(&mut alice, "m2").await.code, ErrorCode::JournalUnavailable);
    points.wait(Point::JournalBefore);
    alice.send_as("m2", "bob", &Message::text("two"), SendMeta::default()).await.expect("sent");
    until_state(&mut alice, "m2", ReceiptState::Accepted).await;
}

#[tokio::test]
async fn a_session_that_is_held_up_holds_up_no_other() {
    let mut world = World::new();
    let points = world.with_points();
    world.start();
    for name in ["held", "free"] {
        world.cli(&["spawn", name, "--harness", "generic", "--", "cat"]).ok();
    }
    let mut alice = world.operator("alice").await;
    points.arm(Point::SessionWrite, "pause", 0);
    alice.send_as("m1", "held", &Message::text("one"), SendMeta::default()).await.expect("sent");
    points.wait(Point::SessionWrite);
    alice.send_as("m2", "free", &Message::text("two"), SendMeta::default()).await.expect("sent");
    until_state(&mut alice, "m2", ReceiptState::Delivered).await;
    points.go_on(Point::SessionWrite);
    until_state(&mut alice, "m1", ReceiptState::Delivered).await;
}
