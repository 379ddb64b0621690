//! Sessions: how fast they start, how fast words reach them, what they cost, how fast they are taken back.

use std::io::Write as _;
use std::time::{Duration, Instant};

use posthouse_client::Client;
use posthouse_protocol::payload::{Attach, Message, SendInput};
use posthouse_protocol::{FrameType, Receipt, ReceiptState, SendMeta};
use posthouse_tests::world::{PATIENCE, World, parent};

use super::{Contender, Effort, Workload, figure, on_one_thread};
use crate::bare::Bare;
use crate::process;
use crate::program::{Desk, argv, clock, told};
use crate::report::Better::Less;
use crate::report::Goal;
use crate::sessions::{Sessions, operator};
use crate::stats::{micros, percentile};

/// Sessions that wait to be taken back.
const SESSIONS: usize = 100;

pub fn workloads(effort: Effort) -> Vec<Workload> {
    let (spawns, words, sessions) = (effort.count(40), effort.count(300), effort.count(SESSIONS));
    let percentiles = || vec![figure("p50", "µs", Less), figure("p99", "µs", Less)];
    vec![
        Workload {
            title: "start a session, until its program runs",
            figures: percentiles(),
            contenders: vec![
                Contender::new("bare PTY", move || bare_start(spawns)),
                Contender::new("posthouse", move || start(spawns)).aiming_at([Some(Goal::Value(4_000.0))]),
            ],
        },
        Workload {
            title: "keys to a program's stdin",
            figures: percentiles(),
            contenders: vec![
                Contender::new("bare PTY", move || bare_keys(words, false)),
                Contender::new("posthouse SEND_INPUT", move || keys(words))
                    .aiming_at([Some(Goal::Value(60.0))]),
            ],
        },
        Workload {
            title: "durable SEND to a program's stdin",
            figures: percentiles(),
            contenders: vec![
                Contender::new("bare PTY after fdatasync", move || bare_keys(words, true)),
                Contender::new("posthouse SEND", move || send(words)).aiming_at([Some(Goal::Ratio(2.0))]),
            ],
        },
        Workload {
            title: "idle sessions, and a killed daemon",
            figures: vec![
                figure("memory of the daemon", "KiB each", Less),
                figure("memory of a holder", "KiB", Less),
                figure("attach to first paint", "ms", Less),
                figure("100 taken back", "ms", Less),
            ],
            contenders: vec![Contender::new("posthouse", move || idle_and_killed(sessions)).aiming_at([
                Some(Goal::Value(300.0)),
                Some(Goal::Value(400.0)),
                None,
                Some(Goal::Value(300.0)),
            ])],
        },
    ]
}

fn both(took: Vec<Duration>) -> Vec<f64> {
    let mut took = micros(took);
    vec![percentile(&mut took, 0.5), percentile(&mut took, 0.99)]
}

fn bare_start(times: usize) -> Vec<f64> {
    let cat = ["/bin/cat".to_owned()];
    let started = (0..times).map(|_| {
        let begun = Instant::now();
        let bare = Bare::start(&cat);
        let took = begun.elapsed();
        drop(bare);
        took
    });
    both(started.collect())
}

fn start(times: usize) -> Vec<f64> {
    on_one_thread(async {
        let mut sessions = Sessions::new(World::started()).await;
        let mut took = Vec::new();
        for at in 0..times {
            let (name, args) = (format!("s{at}"), vec!["/bin/cat".to_owned()]);
            let begun = Instant::now();
            sessions.spawn(&name, "generic", args).await;
            took.push(begun.elapsed());
            sessions.release(&name).await;
        }
        both(took)
    })
}

/// Nanoseconds of the shared clock as a duration since then.
fn since(sent: u64, arrived: u64) -> Duration {
    Duration::from_nanos(arrived.saturating_sub(sent))
}

fn bare_keys(times: usize, durable: bool) -> Vec<f64> {
    let desk = Desk::new();
    let mut bare = Bare::start(&argv(&["sink", &desk.socket.to_string_lossy()]));
    let mut sink = desk.accept();
    told(&mut sink);
    let mut file = tempfile::tempfile_in("/tmp").expect("a file");
    let took = (0..times).map(|_| {
        let sent = clock();
        if durable {
            file.write_all(&[0; 300]).and_then(|()| file.sync_data()).expect("a sync");
        }
        bare.terminal.write_all(b"a few words for the program").expect("keys");
        since(sent, told(&mut sink))
    });
    both(took.collect())
}

fn keys(times: usize) -> Vec<f64> {
    on_one_thread(async {
        let (mut sessions, mut sink) = with_sink().await;
        let keys = SendInput { name: "sink".to_owned(), data: "a few words for the program".to_owned() };
        let mut took = Vec::new();
        for _ in 0..times {
            let sent = clock();
            let answer = sessions.client.call(&keys).await.expect("an answer");
            assert!(answer.success, "{answer:?}");
            took.push(since(sent, told(&mut sink)));
        }
        both(took)
    })
}

fn send(times: usize) -> Vec<f64> {
    on_one_thread(async {
        let (mut sessions, mut sink) = with_sink().await;
        let mut took = Vec::new();
        for _ in 0..times {
            let message = Message::text("a few words for the program");
            let sent = clock();
            sessions.client.send("sink", &message, SendMeta::default()).await.expect("a send");
            // The text; Enter follows after the definition's gap.
            took.push(since(sent, told(&mut sink)));
            delivered(&mut sessions.client).await;
            while sink.set_nonblocking(true).is_ok() && std::io::Read::read(&mut sink, &mut [0; 8]).is_ok() {}
            sink.set_nonblocking(false).expect("a socket");
        }
        both(took)
    })
}

/// Until the message that was sent last has ended well.
pub async fn delivered(client: &mut Client) {
    loop {
        let frame = tokio::time::timeout(PATIENCE, client.next()).await.expect("in time").expect("a frame");
        if frame.header.kind == FrameType::Receipt
            && frame.body.decode::<Receipt>().is_ok_and(|receipt| receipt.state == ReceiptState::Delivered)
        {
            return;
        }
    }
}

async fn with_sink() -> (Sessions, std::os::unix::net::UnixStream) {
    let mut sessions = Sessions::new(World::started()).await;
    let desk = Desk::new();
    sessions.spawn("sink", "generic", argv(&["sink", &desk.socket.to_string_lossy()])).await;
    let mut sink = desk.accept();
    told(&mut sink);
    (sessions, sink)
}

fn idle_and_killed(count: usize) -> Vec<f64> {
    on_one_thread(async {
        let mut sessions = Sessions::new(World::started()).await;
        sessions.spawn("first", "generic", vec!["/bin/cat".to_owned()]).await;
        let before = process::memory(sessions.world.daemon_pid());
        for at in 0..count {
            sessions.spawn(&format!("s{at}"), "generic", vec!["/bin/cat".to_owned()]).await;
        }
        let daemon = (process::memory(sessions.world.daemon_pid()) - before) / count as f64;
        let pids: Vec<u32> = sessions.list().await.iter().filter_map(|info| info.pid).collect();
        let holders: f64 = pids.iter().map(|&pid| process::memory(parent(pid))).sum();
        let paint = first_paint(&mut sessions).await;

        let Sessions { mut world, .. } = sessions;
        world.kill();
        let begun = Instant::now();
        world.start();
        let mut sessions = Sessions { client: operator(&world).await, world };
        while sessions.list().await.iter().filter(|info| info.pid.is_some()).count() <= count {
            assert!(begun.elapsed() < PATIENCE, "not all were taken back");
        }
        vec![daemon, holders / pids.len() as f64, paint, begun.elapsed().as_secs_f64() * 1e3]
    })
}

async fn first_paint(sessions: &mut Sessions) -> f64 {
    let attach: Attach =
        serde_json::from_value(serde_json::json!({ "name": "first", "size": { "cols": 100, "rows": 30 } }))
            .expect("an attach");
    let mut viewer = operator(&sessions.world).await;
    let begun = Instant::now();
    viewer.call(&attach).await.expect("a view");
    while viewer.next().await.expect("a frame").header.kind != FrameType::Output {}
    begun.elapsed().as_secs_f64() * 1e3
}
