//! A full disk under a daemon that runs, played by the limit of file sizes: what is sent is refused by name, sessions go
//! on, and all is well again by itself once there is room.

use std::process::Command;

use posthouse_protocol::payload::Message;
use posthouse_protocol::{ErrorCode, ReceiptState, SendMeta, When};
use posthouse_tests::standin::DEFINITION;
use posthouse_tests::standin::record::entries;
use posthouse_tests::world::{World, alive, program, until_refused, until_state};

/// No file may be written beyond so many bytes: less than the journal's log has.
const FULL: &str = "--fsize=4096:unlimited";
const ROOM: &str = "--fsize=unlimited:unlimited";

fn limit(world: &World, limit: &str) {
    let pid = world.daemon_pid().to_string();
    let status = Command::new("prlimit").args(["--pid", &pid, limit]).status().expect("prlimit runs");
    assert!(status.success());
}

fn with_agent() -> World {
    let mut world = World::new();
    let beside = program("standin").parent().expect("a directory").to_path_buf();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(beside).chain(std::env::split_paths(&path)));
    world.set("PATH", path.expect("a path"));
    world.set("STANDIN_LOG", world.home().join("log").as_os_str());
    world.define_harness("standin", DEFINITION);
    world.start();
    world.cli(&["spawn", "agent", "--harness", "standin", "--wait-ready", "30s"]).ok();
    world
}

fn typed(world: &World, text: &str) -> usize {
    let log = entries(&world.home().join("log"));
    log.iter().filter(|entry| entry.event == "received" && entry.text.contains(text)).count()
}

#[tokio::test]
async fn a_full_disk_refuses_what_is_sent_by_name_and_nothing_else_until_there_is_room() {
    let mut world = with_agent();
    let before = world.session("agent");
    let mut alice = world.operator("alice").await;
    // It is accepted, and its turn comes when there is no room to note that it is about to be typed.
    let slow = alice.send("agent", &Message::text("DO slow 400"), SendMeta::default()).await.expect("sent");
    until_state(&mut alice, &slow, ReceiptState::Delivered).await;
    let idle = SendMeta { when: Some(When::Idle), ..SendMeta::default() };
    let waits = alice.send("agent", &Message::text("it can wait"), idle).await.expect("sent");
    until_state(&mut alice, &waits, ReceiptState::Accepted).await;
    limit(&world, FULL);
    alice.send_as("m1", "agent", &Message::text("no room"), SendMeta::default()).await.expect("sent");
    let error = until_refused(&mut alice, "m1").await;
    assert_eq!((error.code, error.fatal), (ErrorCode::JournalUnavailable, false), "{error:?}");
    assert!(error.message.starts_with("nothing was accepted"), "{error:?}");

    // The session goes on, and so does everything that needs no disk.
    let screen = world.cli(&["screen", "agent"]).ok();
    assert!(screen.out.contains("slow 400"), "{screen:?}");
    assert_eq!(world.session("agent")["pid"], before["pid"]);

    limit(&world, ROOM);
    until_state(&mut alice, &waits, ReceiptState::Delivered).await;
    alice.send_as("m1", "agent", &Message::text("no room"), SendMeta::default()).await.expect("sent");
    until_state(&mut alice, "m1", ReceiptState::Delivered).await;
    assert_eq!((typed(&world, "it can wait"), typed(&world, "no room")), (1, 1));
    drop(alice);

    world.kill_and_restart();
    assert_eq!(world.session("agent")["pid"], before["pid"]);
    world.cli(&["send", "agent", "and on", "--wait", "delivered"]).ok();
}

#[tokio::test]
async fn a_daemon_that_finds_no_room_at_its_start_says_so_and_leaves_everything_as_it_was() {
    use std::os::unix::fs::PermissionsExt;
    let mut world = with_agent();
    let pid = world.session("agent")["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).expect("a pid");
    world.cli(&["send", "agent", "before", "--wait", "delivered"]).ok();
    world.kill();
    let limited = world.home().join("limited");
    let script = format!("#!/bin/sh\nexec prlimit {FULL} {}\n", program("posthoused").display());
    std::fs::write(&limited, script).expect("a script");
    std::fs::set_permissions(&limited, PermissionsExt::from_mode(0o700)).expect("permissions");
    world.launch(&limited);
    let status = world.wait_for_end();
    assert_eq!(status.code(), Some(1), "{status:?}\n{}", world.words());
    let words = world.words();
    assert!(words.contains("failed to") && !words.contains("damaged"), "{words}");
    assert!(alive(pid), "its session goes on");
    world.start();
    assert_eq!(world.session("agent")["pid"].as_u64(), Some(u64::from(pid)));
    world.cli(&["send", "agent", "after", "--wait", "delivered"]).ok();
    assert_eq!((typed(&world, "before"), typed(&world, "after")), (1, 1));
}
