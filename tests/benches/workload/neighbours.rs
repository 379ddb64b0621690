//! Ninety-nine sessions at work, and one wedged harness and a client that floods beside them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use posthouse_protocol::SendMeta;
use posthouse_protocol::payload::Message;
use posthouse_tests::world::World;

use super::session::delivered;
use super::{Contender, Effort, Workload, figure, on_one_thread};
use crate::connection::Connection;
use crate::peer::{Peer, Terms};
use crate::report::Better::Less;
use crate::report::Goal;
use crate::sessions::operator;
use crate::stats::{micros, percentile};

/// Healthy sessions.
const HEALTHY: usize = 99;
/// Time between two messages to them.
const PACE: Duration = Duration::from_millis(5);
/// Messages that the flooding client has on its way.
const FLOOD: u64 = 64;

pub fn workload(effort: Effort) -> Workload {
    let (healthy, messages) = (effort.count(HEALTHY), effort.count(250));
    Workload {
        title: "ninety-nine healthy sessions",
        figures: vec![figure("send to delivered, p50", "ms", Less), figure("p99", "ms", Less)],
        contenders: vec![
            Contender::new("among themselves", move || measure(healthy, messages, false)),
            Contender::new("beside a wedged one and a flood", move || measure(healthy, messages, true))
                .aiming_at([None, Some(Goal::Ratio(1.2))]),
        ],
    }
}

fn measure(healthy: usize, messages: usize, disturbed: bool) -> Vec<f64> {
    let peer = Peer::posthouse(Terms::BINCODE);
    let Peer::Posthouse { world, .. } = &peer else { unreachable!("a daemon") };
    let over = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        let took = on_one_thread(async {
            let mut client = ready(world, healthy).await;
            if disturbed {
                wedge(&mut client).await;
                scope.spawn(|| flood(&peer, &over));
            }
            let took = talk(&mut client, healthy, messages).await;
            over.store(true, Ordering::Relaxed);
            took
        });
        let mut took: Vec<f64> = micros(took).into_iter().map(|micros| micros / 1e3).collect();
        vec![percentile(&mut took, 0.5), percentile(&mut took, 0.99)]
    })
}

/// An operator among so many sessions.
async fn ready(world: &World, healthy: usize) -> posthouse_client::Client {
    let mut client = operator(world).await;
    for at in 0..healthy {
        spawn(&mut client, &format!("s{at}"), &["/bin/cat"]).await;
    }
    client
}

async fn spawn(client: &mut posthouse_client::Client, name: &str, argv: &[&str]) {
    let spawn = serde_json::json!({ "name": name, "harness": "generic", "args": argv, "cwd": "/tmp" });
    let spawn: posthouse_protocol::payload::Spawn = serde_json::from_value(spawn).expect("a spawn");
    assert!(client.call(&spawn).await.expect("an answer").success);
}

/// A program that never reads, with more to read than its terminal takes.
async fn wedge(client: &mut posthouse_client::Client) {
    spawn(client, "wedged", &["/bin/sh", "-c", "stty -icanon -echo; exec sleep 600"]).await;
    for _ in 0..8 {
        let message = Message::text("much to read ".repeat(1_000));
        client.send("wedged", &message, SendMeta::default()).await.expect("a send");
    }
}

/// Each message to the next session, at a steady pace.
async fn talk(client: &mut posthouse_client::Client, healthy: usize, messages: usize) -> Vec<Duration> {
    let mut took = Vec::with_capacity(messages);
    for at in 0..messages {
        let next = Instant::now() + PACE;
        let begun = Instant::now();
        let to = format!("s{}", at % healthy);
        client.send(&to, &Message::text("how are you?"), SendMeta::default()).await.expect("a send");
        delivered(client).await;
        took.push(begun.elapsed());
        tokio::time::sleep_until(next.into()).await;
    }
    took
}

/// As many messages as the daemon takes, one client to another.
fn flood(peer: &Peer, over: &AtomicBool) {
    on_one_thread(async {
        let mut flooder = Connection::open(peer, "flooder", 256).await;
        let mut sink = Connection::open(peer, "sink", 256).await;
        let (mut sent, mut received) = (0, 0);
        while !over.load(Ordering::Relaxed) {
            while sent - received < FLOOD {
                flooder.send("sink");
                sent += 1;
            }
            flooder.flush().await;
            received += sink.receive().await.deliveries;
            sink.flush().await;
        }
    });
}
