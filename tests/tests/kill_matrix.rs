//! A slice of the kill matrix; `cargo run -p posthouse-tests --bin kill-matrix` runs all of it.

use posthouse_protocol::payload::Message;
use posthouse_protocol::{FrameType, Receipt, ReceiptState, SendMeta};
use posthouse_tests::killing::{Kind, along};
use posthouse_tests::world::{World, next};
use posthoused::fail_point::Point;

async fn keeps_its_word(kind: Kind, points: &[Point]) {
    for row in along(kind, points, 2).await {
        assert!(row.deaths > 0, "nobody came by {}", row.point);
        assert!(row.words.is_empty(), "{}: {:#?}", row.point, row.words);
    }
}

#[tokio::test]
async fn a_daemon_killed_on_a_clients_message_loses_and_doubles_nothing() {
    keeps_its_word(Kind::Client, &[Point::GateFrames, Point::JournalBefore, Point::JournalAfter]).await;
}

#[tokio::test]
async fn a_daemon_killed_on_a_sessions_message_types_it_once() {
    let points = [Point::PostInject, Point::SessionWrite, Point::SessionWritten, Point::SessionSubmitted];
    keeps_its_word(Kind::Session, &points).await;
}

#[tokio::test]
async fn a_daemon_killed_on_a_message_for_many_loses_none_of_them() {
    keeps_its_word(Kind::Broadcast, &[Point::PostCommitted]).await;
    keeps_its_word(Kind::Channel, &[Point::PostFrames, Point::GateWritten]).await;
}

#[tokio::test]
async fn a_daemon_killed_on_a_question_still_gets_its_answer_noted() {
    keeps_its_word(Kind::Blocking, &[Point::PostFrames]).await;
}

#[tokio::test]
async fn a_broadcast_right_after_a_start_reaches_every_session_that_was_adopted() {
    let mut world = World::started();
    let names: Vec<String> = (0..8).map(|n| format!("session-{n}")).collect();
    for name in &names {
        world.cli(&["spawn", name, "--harness", "generic", "--", "cat"]).ok();
    }
    world.kill_and_restart();
    let mut alice = world.operator("alice").await;
    let id = alice.send("*", &Message::text("all hands"), SendMeta::default()).await.expect("sent");
    let mut missing = names;
    while !missing.is_empty() {
        let frame = next(&mut alice).await;
        if frame.header.kind == FrameType::Receipt {
            let receipt: Receipt = frame.body.decode().expect("a receipt");
            let is_told = receipt.client_id == id && receipt.state == ReceiptState::Delivered;
            missing.retain(|name| !(is_told && *name == receipt.recipient));
        }
        assert_ne!(frame.header.kind, FrameType::Error, "{frame:?}");
    }
}

#[test]
fn every_fail_point_is_documented() {
    let page = include_str!("../../docs/reliability.md");
    for point in Point::ALL {
        let line = format!("| `{}` |{} |", point.name(), point.words());
        assert!(page.contains(&line), "docs/reliability.md lacks: {line}");
    }
}
