//! What hostile peers do beside others, until they are told that it is over.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use posthouse_protocol::payload::Message;
use posthouse_protocol::{Hello, SendMeta};
use posthouse_tests::world::World;

use super::on_one_thread;
use crate::program;
use crate::sessions::operator;

/// Connections that are opened each second, and left at once.
const HASTE: u32 = 1_000;
/// Connections that say HELLO so slowly that they never end, and that were left open by a peer that is gone.
const SLOW: usize = 500;
/// Bytes of garbage: as much as a frame may hold.
const LARGE: usize = 1 << 20;
/// Bytes of a message that all but fills a frame in either encoding.
const HEAVY: usize = 1_000_000;
/// Names that are taken, each by a connection that stays.
const SQUATTED: usize = 1_000;
/// Processes that a session has at a time, each soon followed by another, and what each takes, in MiB.
const CHILDREN: usize = 32;
const MIB_EACH: usize = 16;

/// What the others do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nuisance {
    /// Nothing.
    None,
    /// Connect and leave.
    Haste,
    /// Say HELLO a byte at a time.
    Slow,
    /// Send what is no frame.
    Garbage,
    /// Send each other as much as a frame may hold.
    Heavy,
    /// Take one name after the other.
    Squatters,
    /// Run in a session, fork and eat memory.
    Glutton,
}

impl Nuisance {
    /// Does it until it is over.
    pub fn act(self, world: &World, over: &AtomicBool) {
        let dial = || UnixStream::connect(world.socket());
        match self {
            Self::None => {}
            Self::Haste => hurry(dial, over),
            Self::Slow => dawdle(dial, over),
            Self::Garbage => swell(dial, over),
            Self::Heavy => on_one_thread(load(world, over)),
            Self::Squatters => on_one_thread(squat(world, over)),
            Self::Glutton => on_one_thread(gorge(world, over)),
        }
    }
}

/// Connects and leaves, at a steady pace.
fn hurry(dial: impl Fn() -> std::io::Result<UnixStream>, over: &AtomicBool) {
    let pace = Duration::from_secs(1) / HASTE;
    let mut next = Instant::now();
    while !over.load(Ordering::Relaxed) {
        drop(dial());
        next += pace;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// Keeps many connections that never come to the end of their HELLO; those that are cut off come again.
fn dawdle(dial: impl Fn() -> std::io::Result<UnixStream>, over: &AtomicBool) {
    let mut open: Vec<Option<UnixStream>> = (0..SLOW).map(|_| dial().ok()).collect();
    while !over.load(Ordering::Relaxed) {
        for connection in &mut open {
            let said = connection.as_mut().is_some_and(|stream| stream.write_all(b"\x00").is_ok());
            if !said {
                *connection = dial().ok();
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Sends as much as a frame may hold, of which nothing is one, again and again.
fn swell(dial: impl Fn() -> std::io::Result<UnixStream>, over: &AtomicBool) {
    let bytes = vec![0xff; LARGE];
    while !over.load(Ordering::Relaxed) {
        let Ok(mut stream) = dial() else { continue };
        // It is refused before its end; the rest meets a closed door.
        let _ = stream.write_all(&bytes);
    }
}

/// Two clients, of whom one sends the other frames as large as they may be, twenty a second, all of them to be kept.
async fn load(world: &World, over: &AtomicBool) {
    let mut from = world.client("heavy").await;
    let _inbox = world.client("burdened").await;
    let message = Message::text("x".repeat(HEAVY));
    while !over.load(Ordering::Relaxed) {
        from.send("burdened", &message, SendMeta::default()).await.expect("a send");
        // What is answered is of no interest, and read so that the daemon need not keep it.
        let answers = async { while from.next().await.is_ok() {} };
        let _ = tokio::time::timeout(Duration::from_millis(50), answers).await;
    }
}

/// Says HELLO under one name after the other; a thousand of them are kept, the oldest goes for each that comes.
async fn squat(world: &World, over: &AtomicBool) {
    let mut kept = std::collections::VecDeque::new();
    let mut count = 0;
    while !over.load(Ordering::Relaxed) {
        count += 1;
        // Beyond the limit of names it is refused, which is as much work.
        if let Ok(client) = world.connect(Hello::new(format!("squatter-{count}"))).await {
            kept.push_back(client);
        }
        if kept.len() > SQUATTED {
            kept.pop_front();
        }
    }
}

/// A session that forks and eats.
async fn gorge(world: &World, over: &AtomicBool) {
    let mut client = operator(world).await;
    let argv = program::argv(&["gorge", &CHILDREN.to_string(), &MIB_EACH.to_string()]);
    let spawn = serde_json::json!({ "name": "glutton", "harness": "generic", "args": argv, "cwd": "/tmp" });
    let spawn: posthouse_protocol::payload::Spawn = serde_json::from_value(spawn).expect("a spawn");
    assert!(client.call(&spawn).await.expect("an answer").success);
    while !over.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let release =
        posthouse_protocol::payload::Release { name: "glutton".into(), reason: None, grace_ms: Some(0) };
    client.call(&release).await.expect("an answer");
}
