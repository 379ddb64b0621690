//! What two builds do together, each scene in a world of its own.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use posthouse_client::Client;
use posthouse_protocol::handshake::{Capabilities, Resume};
use posthouse_protocol::payload::{Ack, Message};
use posthouse_protocol::{Frame, FrameType, Hello, Receipt, ReceiptState, SendMeta};

use super::{Build, PROGRAMS};
use crate::world::{Canary, PATIENCE, World, alive, next};

/// The stand-in's session.
const AGENT: &str = "agent";

/// A client of `from` and a daemon of `to`: every verb that a night needs.
pub async fn clients(from: &Build, to: &Build) {
    let mut world = World::with_standin();
    world.use_client(&from.program("posthouse"));
    world.start_program(&to.program("posthoused"));
    spawn_agent(&world);
    deliver(&world, "the first message");
    let shown = world.session(AGENT);
    assert!(shown["pid"].as_u64().is_some_and(|pid| alive(pid as u32)), "{shown}");
    for verb in [
        ["status", "--json"].as_slice(),
        &["inbox", "--json"],
        &["events", "--json"],
        &["credential", "ls", "--json"],
        &["route", "ls", "--json"],
        &["route", "explain", AGENT, "--json"],
        &["doctor", "--json"],
    ] {
        let ran = world.cli(verb);
        let lines = ran.out.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok());
        let document = serde_json::from_str::<serde_json::Value>(&ran.out).is_ok();
        assert!(!ran.out.is_empty() && (lines || document), "{verb:?}: {ran:?}");
    }
    world.cli(&["restart-daemon"]).ok();
    deliver(&world, "a message after the restart");
    world.cli(&["release", AGENT]).ok();
    world.cli(&["down"]).ok();
    assert!(world.wait_for_end().success(), "the daemon did not end as it was told");
}

/// A daemon of `from` is killed with a session at work and a message on its way; one of `to` takes over.
pub async fn adoption(from: &Build, to: &Build) {
    let mut world = World::with_standin();
    world.use_client(&to.program("posthouse"));
    world.start_program(&from.program("posthoused"));
    spawn_agent(&world);
    let canary = heard(&world).await;
    deliver(&world, "typed before");
    let mut alice = world.operator("alice").await;
    let bob = world.client("bob").await;
    let resume_token = bob.welcome().resume_token.clone();
    drop(bob);
    let sent = alice.send_as("m1", "bob", &Message::text("kept over it"), SendMeta::default()).await;
    sent.expect("it is sent");
    accepted(&mut alice, "m1").await;
    let pids = [world.session(AGENT), world.session("canary")].map(|session| session["pid"].clone());

    world.kill();
    world.start_program(&to.program("posthoused"));

    let now = [world.session(AGENT), world.session("canary")].map(|session| session["pid"].clone());
    assert_eq!(now, pids, "the harnesses go on");
    assert!(canary.sings(&world).await, "the terminal's bytes are all there");
    deliver(&world, "typed after");
    for text in ["typed before", "typed after"] {
        let typed = world.received().iter().filter(|entry| entry.text.contains(text)).count();
        assert_eq!(typed, 1, "{text}: {:?}", world.received());
    }
    // What was accepted is still due, and a repeat under its id is the same message.
    let mut alice = world.operator("alice").await;
    let again = alice.send_as("m1", "bob", &Message::text("kept over it"), SendMeta::default()).await;
    again.expect("it is sent");
    let hello = Hello { session: Some(Resume { resume_token }), ..Hello::new("bob") };
    let mut bob = world.connect(hello).await.expect("the daemon takes its client back");
    assert_eq!(delivered(&mut bob).await, "kept over it");
    ended(&mut alice, "m1", ReceiptState::Delivered).await;

    let watched = pids[0].as_u64().expect("a process") as u32;
    world.cli(&["release", AGENT]).ok();
    assert!(!alive(watched), "a released session's process is gone");
}

/// A daemon of `from`, whose programs are replaced by those of `to`, is told to restart.
pub async fn in_place(from: &Build, to: &Build) {
    let mut world = World::with_standin();
    let dir = world.home().join("programs");
    fs::create_dir(&dir).expect("a directory");
    install(from, &dir);
    world.use_client(&dir.join("posthouse"));
    world.start_program(&dir.join("posthoused"));
    spawn_agent(&world);
    let canary = heard(&world).await;
    deliver(&world, "typed before");
    let mut hello = Hello::new("bob");
    hello.capabilities = Capabilities { receipts: Some(true), resume: Some(true), ..Capabilities::default() };
    let mut bob = world.connect(hello.clone()).await.expect("a welcome");
    let token = bob.welcome().resume_token.clone();
    let pid = world.session(AGENT)["pid"].clone();

    install(to, &dir);
    world.cli(&["restart-daemon"]).ok();

    while tokio::time::timeout(PATIENCE, bob.next()).await.expect("it is sent away in time").is_ok() {}
    hello.session = Some(Resume { resume_token: token });
    let mut bob = world.connect(hello).await.expect("the daemon takes its client back");
    let runs = |pid: u32| fs::metadata(format!("/proc/{pid}/exe")).map(|file| file.ino()).ok();
    let installed = fs::metadata(dir.join("posthoused")).expect("a program").ino();
    assert_eq!(runs(world.daemon_pid()), Some(installed), "the same process runs the other program");
    assert_eq!(world.session(AGENT)["pid"], pid, "the harness goes on");
    assert!(canary.sings(&world).await, "the terminal's bytes are all there");
    deliver(&world, "typed after");
    let mut alice = world.operator("alice").await;
    alice
        .send_as("m1", "bob", &Message::text("to one who came back"), SendMeta::default())
        .await
        .expect("sent");
    assert_eq!(delivered(&mut bob).await, "to one who came back");
    ended(&mut alice, "m1", ReceiptState::Delivered).await;
}

fn spawn_agent(world: &World) {
    world.cli(&["spawn", AGENT, "--harness", "standin", "--wait-ready", "30s"]).ok();
}

fn deliver(world: &World, text: &str) {
    world.cli(&["send", AGENT, text, "--wait", "delivered", "--timeout", "30s"]).ok();
}

/// A canary that has said everything.
async fn heard(world: &World) -> Canary {
    let canary = Canary::spawn(world);
    let begun = std::time::Instant::now();
    while !canary.is_heard(world).await {
        assert!(begun.elapsed() < PATIENCE, "the canary was not heard");
        tokio::task::yield_now().await;
    }
    canary
}

/// Puts a build's programs into a directory, over what is there, as an installer does: the running ones keep their files.
fn install(build: &Build, dir: &Path) {
    for name in PROGRAMS {
        let draft: PathBuf = dir.join(format!(".{name}"));
        fs::copy(build.program(name), &draft).expect("a copy");
        fs::rename(draft, dir.join(name)).expect("a program");
    }
}

async fn accepted(client: &mut Client, id: &str) {
    receipt(client, |receipt| receipt.client_id == id).await;
}

async fn ended(client: &mut Client, id: &str, state: ReceiptState) {
    let receipt = receipt(client, |receipt| receipt.client_id == id && receipt.terminal).await;
    assert_eq!(receipt.state, state, "{receipt:?}");
}

async fn receipt(client: &mut Client, wanted: impl Fn(&Receipt) -> bool) -> Receipt {
    loop {
        let frame = next(client).await;
        assert_ne!(frame.header.kind, FrameType::Error, "{frame:?}");
        if frame.header.kind == FrameType::Receipt {
            let receipt: Receipt = frame.body.decode().expect("a receipt");
            if wanted(&receipt) {
                return receipt;
            }
        }
    }
}

/// The text of the next delivery, which is acknowledged.
async fn delivered(client: &mut Client) -> String {
    loop {
        let frame: Frame = next(client).await;
        if frame.header.kind == FrameType::Deliver {
            let body = frame.body.decode::<Message>().expect("a message").body;
            let ack = Ack {
                ack_id: frame.header.id,
                seq: 0,
                correlation_id: None,
                response: None,
                response_data: None,
            };
            client.post(&ack).await.expect("it goes out");
            return body;
        }
    }
}
