//! One client that does not read, and one that is sent more at once than it may leave unacknowledged.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use posthouse_client::Client;
use posthouse_protocol::payload::{Ack, Message};
use posthouse_protocol::{FrameType, Hello, SendMeta};
use posthouse_tests::world::{PATIENCE, World};

use super::{Contender, Effort, Workload, figure, on_one_thread};
use crate::connection::Connection;
use crate::peer::{Peer, Terms};
use crate::process;
use crate::report::Better::{Less, More};
use crate::report::Goal;
use crate::stats::{micros, percentile};

/// Messages for the client that does not read.
const UNREAD: usize = 20_000;
/// Messages of the burst.
const BURST: usize = 5_000;

pub fn workloads(effort: Effort) -> Vec<Workload> {
    let unread = effort.count(UNREAD);
    vec![
        Workload {
            title: "one client does not read",
            figures: vec![
                figure("others' round trip, p50", "µs", Less),
                figure("memory grown", "MiB", Less),
                figure("lost", "messages", Less),
                figure("doubled", "messages", Less),
            ],
            contenders: vec![
                Contender::new("everyone reads", move || vec![others(&Peer::posthouse(Terms::BINCODE), 0).0]),
                Contender::new("one does not", move || stalled(unread)).aiming_at([
                    Some(Goal::Ratio(1.1)),
                    Some(Goal::Value(16.0)),
                    Some(Goal::Value(0.0)),
                    Some(Goal::Value(0.0)),
                ]),
            ],
        },
        Workload {
            title: "burst of 5,000 to one agent",
            figures: vec![
                figure("arrived in order", "messages", More),
                figure("first after", "ms", Less),
                figure("last after", "ms", Less),
            ],
            contenders: vec![
                Contender::new("posthouse bincode", burst)
                    .aiming_at([Some(Goal::Value(BURST as f64)), Some(Goal::Value(10.0))]),
            ],
        },
    ]
}

/// Round trips of two clients while messages pile up for a third; their median, and how the daemon's memory grew, in MiB.
fn others(peer: &Peer, unread: usize) -> (f64, f64) {
    on_one_thread(async {
        let mut alice = Connection::open(peer, "alice", 256).await;
        let mut bob = Connection::open(peer, "bob", 256).await;
        let mut sender = flooder(peer).await;
        let before = process::memory(peer.pid());
        let (mut took, mut sent, mut most) = (Vec::new(), 0, 0.0f64);
        while took.len() < 3_000 || sent < unread {
            for _ in 0..8.min(unread - sent) {
                let text = format!("{sent:>1000}");
                sender.send("sleeper", &Message::text(text), SendMeta::default()).await.expect("a send");
                sent += 1;
            }
            took.push(alice.there_and_back(&mut bob).await);
            if took.len() % 500 == 0 {
                most = most.max(process::memory(peer.pid()) - before);
            }
        }
        (percentile(&mut micros(took), 0.5), most.max(process::memory(peer.pid()) - before) / 1024.0)
    })
}

async fn flooder(peer: &Peer) -> Client {
    let Peer::Posthouse { world, .. } = peer else { unreachable!("only a daemon has names that sleep") };
    // It asks for no receipts, because it does not read them either.
    world.connect(Hello::new("flooder")).await.expect("a welcome")
}

fn stalled(unread: usize) -> Vec<f64> {
    let peer = Peer::posthouse(Terms::BINCODE);
    let Peer::Posthouse { world, .. } = &peer else { unreachable!("a daemon") };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut sleeper = runtime.block_on(world.client("sleeper"));
    let (p50, grown) = others(&peer, unread);
    // It wakes up, or comes again if it was cut off meanwhile.
    let mut seen = HashSet::new();
    let (mut doubled, begun) = (0, Instant::now());
    runtime.block_on(async {
        while seen.len() < unread && begun.elapsed() < PATIENCE {
            match tokio::time::timeout(Duration::from_secs(5), sleeper.next()).await {
                Ok(Ok(frame)) if frame.header.kind == FrameType::Deliver => {
                    doubled += usize::from(!seen.insert(frame.header.id.clone()));
                    acknowledge(&mut sleeper, frame.header.id).await;
                }
                Ok(Ok(_)) => {}
                Ok(Err(_)) => sleeper = world.client("sleeper").await,
                Err(_) => break,
            }
        }
    });
    vec![p50, grown, (unread - seen.len()) as f64, doubled as f64]
}

async fn acknowledge(client: &mut Client, ack_id: String) {
    let ack = Ack { ack_id, seq: 0, correlation_id: None, response: None, response_data: None };
    // A connection that is over takes no more; what it did not acknowledge comes again.
    let _ = client.post(&ack).await;
}

fn burst() -> Vec<f64> {
    let world = World::started();
    on_one_thread(async {
        let mut agent = world.client("agent").await;
        let mut sender = world.connect(Hello::new("sender")).await.expect("a welcome");
        let begun = Instant::now();
        let sending = tokio::task::spawn_local(async move {
            for n in 0..BURST {
                sender
                    .send("agent", &Message::text(n.to_string()), SendMeta::default())
                    .await
                    .expect("a send");
            }
            sender
        });
        let (mut arrived, mut first) = (0, Duration::ZERO);
        while arrived < BURST {
            let next = tokio::time::timeout(PATIENCE, agent.next()).await;
            let Ok(Ok(frame)) = next else { break };
            if frame.header.kind != FrameType::Deliver {
                continue;
            }
            if arrived == 0 {
                first = begun.elapsed();
            }
            let text = frame.body.decode::<Message>().expect("a message").body;
            if text != arrived.to_string() {
                break;
            }
            arrived += 1;
            acknowledge(&mut agent, frame.header.id).await;
        }
        let last = begun.elapsed();
        sending.await.expect("the sender");
        vec![arrived as f64, first.as_secs_f64() * 1e3, last.as_secs_f64() * 1e3]
    })
}
