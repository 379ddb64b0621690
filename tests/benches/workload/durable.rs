//! Messages that are on disk before they are accepted, beside bare `fdatasync`.

use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, Instant};

use super::{Contender, Effort, Workload, figure, on_one_thread};
use crate::connection::Connection;
use crate::peer::{Peer, Terms};
use crate::report::Better::{Less, More};
use crate::report::Goal;
use crate::stats::{micros, percentile};

/// Clients, and messages that each has on its way.
const CLIENTS: usize = 16;
const WINDOW: u64 = 16;
/// Bytes of a message with what the journal keeps around it.
const RECORD: usize = 300;

const TERMS: Terms = Terms { receipts: true, acks: false, ..Terms::DURABLE };

pub fn workloads(effort: Effort) -> Vec<Workload> {
    let second = effort.time(Duration::from_secs(1));
    let rounds = effort.count(1_000);
    vec![
        Workload {
            title: "durable, 16 × 16 in flight, 256 B",
            figures: vec![figure("acceptances", "messages/s", More)],
            contenders: vec![
                Contender::new("bare group commit", move || bare_groups(second)),
                Contender::new("posthouse bincode", move || many(&Peer::posthouse(TERMS), second)),
            ],
        },
        Workload {
            title: "durable, one in flight, 256 B",
            figures: vec![figure("send to accepted, p50", "µs", Less), figure("p99", "µs", Less)],
            contenders: vec![
                Contender::new("bare fdatasync", move || bare_one(rounds)),
                Contender::new("posthouse bincode", move || one(&Peer::posthouse(TERMS), rounds))
                    .aiming_at([Some(Goal::Ratio(1.4))]),
            ],
        },
    ]
}

/// A file on the disk that the daemon's journal is on.
fn file() -> (tempfile::TempDir, File) {
    let dir = tempfile::Builder::new().prefix("ph-").tempdir_in("/tmp").expect("a directory");
    let file = File::create(dir.path().join("raw")).expect("a file");
    (dir, file)
}

/// Whatever 16 × 16 clients would have on their way, written and made durable together.
fn bare_groups(time: Duration) -> Vec<f64> {
    let (_dir, mut file) = file();
    let group = vec![0; RECORD * CLIENTS * WINDOW as usize];
    let begun = Instant::now();
    let mut commits = 0;
    while begun.elapsed() < time {
        file.write_all(&group).expect("a write");
        file.sync_data().expect("a sync");
        commits += 1;
    }
    vec![(commits * CLIENTS as u64 * WINDOW) as f64 / begun.elapsed().as_secs_f64()]
}

fn many(peer: &Peer, time: Duration) -> Vec<f64> {
    on_one_thread(async {
        let mut sink = Connection::open(peer, "sink", 1).await;
        let drain = tokio::task::spawn_local(async move {
            loop {
                sink.receive().await;
                sink.flush().await;
            }
        });
        let begun = Instant::now();
        let mut tasks = Vec::new();
        for at in 0..CLIENTS {
            let mut client = Connection::open(peer, &format!("c{at}"), 256).await;
            tasks.push(tokio::task::spawn_local(async move {
                let (mut sent, mut accepted) = (0, 0);
                while begun.elapsed() < time || accepted < sent {
                    while begun.elapsed() < time && sent - accepted < WINDOW {
                        client.send("sink");
                        sent += 1;
                    }
                    client.flush().await;
                    if accepted < sent {
                        accepted += client.receive().await.accepted;
                    }
                }
                accepted
            }));
        }
        let mut accepted = 0;
        for task in tasks {
            accepted += task.await.expect("a client");
        }
        drain.abort();
        vec![accepted as f64 / begun.elapsed().as_secs_f64()]
    })
}

fn bare_one(rounds: usize) -> Vec<f64> {
    let (_dir, mut file) = file();
    let took = (0..rounds).map(|_| {
        let begun = Instant::now();
        file.write_all(&[0; RECORD]).expect("a write");
        file.sync_data().expect("a sync");
        begun.elapsed()
    });
    let mut took = micros(took.collect::<Vec<_>>());
    vec![percentile(&mut took, 0.5), percentile(&mut took, 0.99)]
}

fn one(peer: &Peer, rounds: usize) -> Vec<f64> {
    on_one_thread(async {
        let mut sink = Connection::open(peer, "sink", 1).await;
        let mut client = Connection::open(peer, "client", 256).await;
        let mut took = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            let begun = Instant::now();
            client.send("sink");
            client.flush().await;
            while client.receive().await.accepted == 0 {}
            took.push(begun.elapsed());
            sink.receive().await;
        }
        let mut took = micros(took);
        vec![percentile(&mut took, 0.5), percentile(&mut took, 0.99)]
    })
}
