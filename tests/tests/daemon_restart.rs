//! A daemon that runs its program anew: traffic goes through, sessions and the process stay.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use nix::sys::signal::Signal;
use posthouse_client::{Client, ClientError};
use posthouse_protocol::handshake::{Capabilities, Resume};
use posthouse_protocol::payload::{Ack, Message};
use posthouse_protocol::{FrameType, Hello, Receipt, SendMeta};
use posthouse_tests::world::{World, signal};

const MESSAGES: usize = 400;

/// A client that comes back with its resume token whenever the daemon sends it away.
struct Loyal {
    hello: Hello,
    client: Client,
}

impl Loyal {
    async fn new(world: &World, name: &str) -> Self {
        let mut hello = Hello::new(name);
        hello.capabilities =
            Capabilities { receipts: Some(true), resume: Some(true), ..Capabilities::default() };
        let client = world.connect(hello.clone()).await.expect("a welcome");
        Self { hello, client }
    }

    /// The next frame of a kind; `None` after the daemon was changed for another.
    async fn next(&mut self, world: &World, kind: FrameType) -> Option<posthouse_protocol::Frame> {
        loop {
            match self.client.next().await {
                Ok(frame) if frame.header.kind == kind => return Some(frame),
                Ok(_) => {}
                Err(ClientError::Closed { .. } | ClientError::Io(_) | ClientError::Framing(_)) => {
                    let resume_token = self.client.welcome().resume_token.clone();
                    let hello = Hello { session: Some(Resume { resume_token }), ..self.hello.clone() };
                    self.client = world.connect(hello).await.expect("the daemon takes its clients back");
                    return None;
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}

/// Takes messages until all are there; how often each was handed over, in their order.
async fn take(world: &World, mut bob: Loyal, seen: &AtomicU32) -> Vec<(String, u32)> {
    let mut order: Vec<String> = Vec::new();
    let mut count: HashMap<String, u32> = HashMap::new();
    while order.len() < MESSAGES {
        let Some(frame) = bob.next(world, FrameType::Deliver).await else { continue };
        let body = frame.body.decode::<Message>().unwrap().body;
        let times = count.entry(body.clone()).or_default();
        // A delivery whose ACK was lost comes again under the same id, and says so.
        assert!(
            *times == 0 || frame.header.meta.as_ref().is_some_and(|meta| meta.attempt.is_some()),
            "{frame:?}"
        );
        *times += 1;
        if *times == 1 {
            order.push(body);
            seen.fetch_add(1, Ordering::Relaxed);
        }
        let ack = Ack {
            ack_id: frame.header.id,
            seq: 0,
            correlation_id: None,
            response: None,
            response_data: None,
        };
        let _ = bob.client.post(&ack).await;
    }
    order.into_iter().map(|body| (body.clone(), count[&body])).collect()
}

/// Sends messages one by one, each until it is accepted. Whoever does not know whether it was sends it again under its id.
async fn send(world: &World, mut alice: Loyal) {
    for n in 0..MESSAGES {
        let (id, message) = (format!("message-{n}"), Message::text(n.to_string()));
        loop {
            let sent = alice.client.send_as(&id, "bob", &message, SendMeta::default()).await;
            if accepted(world, &mut alice, &id).await && sent.is_ok() {
                break;
            }
        }
    }
}

/// Whether a message was accepted, as far as this connection tells. Of one that was sent before, the receipt says how far
/// it is by now.
async fn accepted(world: &World, alice: &mut Loyal, id: &str) -> bool {
    while let Some(frame) = alice.next(world, FrameType::Receipt).await {
        let receipt: Receipt = frame.body.decode().unwrap();
        if receipt.client_id == id {
            return true;
        }
    }
    false
}

/// Connects all the time, one connection after the other; how often, and how often nobody listened.
async fn knock(world: &World, over: &AtomicBool) -> (u32, u32) {
    let (mut knocks, mut refused) = (0, 0);
    while !over.load(Ordering::Relaxed) {
        knocks += 1;
        let outcome = world.connect(Hello::new(format!("knocker-{knocks}"))).await;
        refused += u32::from(matches!(outcome, Err(ClientError::NotRunning { .. })));
    }
    (knocks, refused)
}

#[tokio::test]
async fn nothing_is_lost_and_nobody_is_turned_away_while_the_daemon_takes_its_own_place() {
    let world = World::started();
    world.cli(&["spawn", "agent", "--harness", "generic", "--", "cat"]).ok();
    let (pid, session) = (world.daemon_pid(), world.session("agent"));
    let (alice, bob) = (Loyal::new(&world, "alice").await, Loyal::new(&world, "bob").await);
    let generation = alice.client.welcome().daemon.generation;
    let (over, seen) = (AtomicBool::new(false), AtomicU32::new(0));
    let restarts = async {
        for (at, by_signal) in [(50, false), (200, true)] {
            while seen.load(Ordering::Relaxed) < at {
                tokio::task::yield_now().await;
            }
            if by_signal {
                signal(pid, Signal::SIGUSR2);
            } else {
                let mut command = world.command();
                let restart = tokio::task::spawn_blocking(move || command.arg("restart-daemon").output());
                let output = restart.await.unwrap().expect("posthouse runs");
                assert!(output.status.success(), "{output:?}");
            }
        }
    };
    let traffic = async {
        let (taken, (), ()) = tokio::join!(take(&world, bob, &seen), send(&world, alice), restarts);
        over.store(true, Ordering::Relaxed);
        taken
    };
    let (taken, (knocks, refused)) = tokio::join!(traffic, knock(&world, &over));

    let expected: Vec<String> = (0..MESSAGES).map(|n| n.to_string()).collect();
    let order: Vec<&String> = taken.iter().map(|(body, _)| body).collect();
    assert!(order.iter().copied().eq(expected.iter()), "{order:?}");
    assert_eq!(refused, 0, "of {knocks} connections");
    let client = Loyal::new(&world, "carol").await.client;
    assert_eq!((client.welcome().daemon.pid, client.welcome().daemon.generation), (pid, generation + 2));
    assert_eq!(world.session("agent")["pid"], session["pid"]);
}

#[tokio::test]
async fn a_program_that_does_not_start_is_not_exchanged_for_one_that_runs() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new();
    let program = dir.path().join("posthoused");
    std::fs::copy(posthouse_tests::world::program("posthoused"), &program).unwrap();
    std::fs::copy(posthouse_tests::world::program("posthouse-holder"), dir.path().join("posthouse-holder"))
        .unwrap();
    world.start_program(&program);
    std::fs::remove_file(&program).unwrap();
    std::fs::write(&program, "no program").unwrap();
    let refused = world.cli(&["restart-daemon"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("does not start"), "{refused:?}");
    world.cli(&["ls"]).ok();
}
