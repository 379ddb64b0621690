//! Messages between clients: one to one, back and forth, all to all, one to everyone.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::{Contender, Effort, Workload, figure, on_one_thread};
use crate::connection::Connection;
use crate::peer::{Peer, Terms};
use crate::process;
use crate::report::Better::{Less, More};
use crate::report::Goal;
use crate::stats::{micros, percentile};

/// Messages on their way at one time.
const WINDOW: u64 = 256;
/// Clients that all talk to each other.
const CROWD: usize = 32;
/// Clients that hear a broadcast.
const AUDIENCE: usize = 100;
/// Broadcasts on their way at one time.
const BROADCASTS: u64 = 4;

pub fn workloads(effort: Effort) -> Vec<Workload> {
    let second = effort.time(Duration::from_secs(1));
    let one_to_one = |title, body: usize, cpu: Option<f64>, json: Option<f64>| {
        let measure = move |peer: fn() -> Peer| move || one_way(&peer(), body, second);
        let mut contenders = vec![
            Contender::new("raw tokio router", measure(Peer::router)),
            Contender::new("posthouse bincode", measure(|| Peer::posthouse(Terms::BINCODE)))
                .aiming_at([Some(Goal::Ratio(0.6)), cpu.map(Goal::Value)]),
            Contender::new("posthouse bincode, no acks", measure(|| Peer::posthouse(Terms::UNACKED))),
            Contender::new("posthouse bincode, durable", measure(|| Peer::posthouse(Terms::DURABLE))),
            Contender::new("posthouse json", measure(|| Peer::posthouse(Terms::JSON)))
                .aiming_at([json.map(Goal::Ratio)]),
        ];
        contenders.extend(others(move |peer| one_way(peer, body, second)));
        let figures = vec![
            figure("throughput", "messages/s", More),
            figure("CPU of the carrier", "µs per message", Less),
        ];
        Workload { title, figures, contenders }
    };
    let trips = effort.count(4_000);
    let mut ping_pong = vec![
        Contender::new("raw tokio router", move || back_and_forth(&Peer::router(), trips)),
        Contender::new("posthouse bincode", move || back_and_forth(&Peer::posthouse(Terms::BINCODE), trips))
            .aiming_at([Some(Goal::Ratio(1.3)), Some(Goal::Ratio(1.4))]),
        Contender::new("posthouse json", move || back_and_forth(&Peer::posthouse(Terms::JSON), trips)),
    ];
    ping_pong.extend(others(move |peer| back_and_forth(peer, trips)));
    vec![
        one_to_one("1→1, 256 B, 256 in flight", 256, Some(0.8), Some(0.25)),
        one_to_one("1→1, 4 KiB, 256 in flight", 4096, None, None),
        Workload {
            title: "there and back, 256 B",
            figures: vec![figure("p50", "µs", Less), figure("p99", "µs", Less)],
            contenders: ping_pong,
        },
        Workload {
            title: "32 clients, all to all, 256 B",
            figures: vec![figure("throughput", "messages/s", More)],
            contenders: vec![
                Contender::new("raw tokio router", move || crowd(&Peer::router(), second)),
                Contender::new("posthouse bincode", move || crowd(&Peer::posthouse(Terms::BINCODE), second))
                    .aiming_at([Some(Goal::Ratio(0.65))]),
            ],
        },
        Workload {
            title: "broadcast to 100, 256 B",
            figures: vec![figure("throughput", "deliveries/s", More)],
            contenders: vec![
                Contender::new("raw tokio router", move || broadcast(&Peer::router(), second)),
                Contender::new("posthouse bincode", move || {
                    broadcast(&Peer::posthouse(Terms::BINCODE), second)
                })
                .aiming_at([Some(Goal::Ratio(1.0))]),
            ],
        },
    ]
}

/// NATS and Redis, where they are installed.
fn others(measure: impl Fn(&Peer) -> Vec<f64> + Copy + 'static) -> Vec<Contender> {
    let mut found = Vec::new();
    if Peer::nats().is_some() {
        found.push(Contender::new("nats", move || {
            Peer::nats().map(|peer| measure(&peer)).unwrap_or_default()
        }));
    }
    if Peer::redis().is_some() {
        found.push(Contender::new("redis", move || {
            Peer::redis().map(|peer| measure(&peer)).unwrap_or_default()
        }));
    }
    found
}

fn one_way(peer: &Peer, body: usize, time: Duration) -> Vec<f64> {
    on_one_thread(async {
        let mut alice = Connection::open(peer, "alice", body).await;
        let mut bob = Connection::open(peer, "bob", body).await;
        let (mut sent, mut received) = (0, 0);
        let spent = process::cpu(peer.pid());
        let begun = Instant::now();
        while begun.elapsed() < time || received < sent {
            while begun.elapsed() < time && sent - received < WINDOW {
                for _ in 0..WINDOW - (sent - received) {
                    alice.send("bob");
                    sent += 1;
                }
            }
            alice.flush().await;
            if received < sent {
                received += bob.receive().await.deliveries;
                bob.flush().await;
            }
        }
        let took = begun.elapsed();
        let spent = process::cpu(peer.pid()).saturating_sub(spent);
        vec![received as f64 / took.as_secs_f64(), spent.as_secs_f64() * 1e6 / received as f64]
    })
}

fn back_and_forth(peer: &Peer, trips: usize) -> Vec<f64> {
    on_one_thread(async {
        let mut alice = Connection::open(peer, "alice", 256).await;
        let mut bob = Connection::open(peer, "bob", 256).await;
        let mut took = Vec::with_capacity(trips);
        for _ in 0..trips {
            took.push(alice.there_and_back(&mut bob).await);
        }
        let mut took = micros(took);
        vec![percentile(&mut took, 0.5), percentile(&mut took, 0.99)]
    })
}

/// What the clients of a crowd share.
#[derive(Default)]
struct Count {
    sent: Cell<u64>,
    received: Cell<u64>,
    over: Cell<bool>,
    moved: Notify,
}

fn crowd(peer: &Peer, time: Duration) -> Vec<f64> {
    on_one_thread(async {
        let count = Rc::new(Count::default());
        let mut clients = Vec::new();
        for at in 0..CROWD {
            clients.push((at, Connection::open(peer, &format!("c{at}"), 256).await));
        }
        let begun = Instant::now();
        let tasks: Vec<_> = clients
            .into_iter()
            .map(|(at, connection)| tokio::task::spawn_local(member(at, connection, count.clone())))
            .collect();
        tokio::time::sleep(time).await;
        count.over.set(true);
        count.moved.notify_waiters();
        for task in tasks {
            task.await.expect("a client");
        }
        vec![count.received.get() as f64 / begun.elapsed().as_secs_f64()]
    })
}

async fn member(at: usize, mut connection: Connection, count: Rc<Count>) {
    let mut next = at;
    loop {
        let moved = count.moved.notified();
        // A few at a time, so that every client has its turn.
        for _ in 0..8 {
            if count.over.get() || count.sent.get() - count.received.get() >= WINDOW {
                break;
            }
            next = (next + 1) % CROWD;
            if next == at {
                next = (next + 1) % CROWD;
            }
            connection.send(&format!("c{next}"));
            count.sent.set(count.sent.get() + 1);
        }
        connection.flush().await;
        if count.over.get() && count.received.get() == count.sent.get() {
            count.moved.notify_waiters();
            return;
        }
        tokio::select! {
            taken = connection.receive() => {
                count.received.set(count.received.get() + taken.deliveries);
                count.moved.notify_waiters();
                connection.flush().await;
            }
            () = moved => {}
        }
    }
}

fn broadcast(peer: &Peer, time: Duration) -> Vec<f64> {
    on_one_thread(async {
        let mut caller = Connection::open(peer, "caller", 256).await;
        let count = Rc::new(Count::default());
        let mut tasks = Vec::new();
        for at in 0..AUDIENCE {
            let mut listener = Connection::open(peer, &format!("l{at}"), 256).await;
            let count = count.clone();
            tasks.push(tokio::task::spawn_local(async move {
                loop {
                    let taken = listener.receive().await;
                    count.received.set(count.received.get() + taken.deliveries);
                    count.moved.notify_waiters();
                    listener.flush().await;
                }
            }));
        }
        let begun = Instant::now();
        while begun.elapsed() < time || count.received.get() < count.sent.get() {
            let moved = count.moved.notified();
            while begun.elapsed() < time
                && count.sent.get() - count.received.get() < BROADCASTS * AUDIENCE as u64
            {
                caller.send("*");
                count.sent.set(count.sent.get() + AUDIENCE as u64);
            }
            caller.flush().await;
            if count.received.get() < count.sent.get() {
                moved.await;
            }
        }
        let took = begun.elapsed();
        for task in tasks {
            task.abort();
        }
        vec![count.received.get() as f64 / took.as_secs_f64()]
    })
}
