//! Two clients at work, and others who mean no good beside them.

use std::os::unix::net::UnixStream as Blocking;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use std::io::Write as _;

use super::{Contender, Effort, Workload, figure, on_one_thread};
use crate::connection::Connection;
use crate::peer::{Peer, Terms};
use crate::process;
use crate::report::Better::Less;
use crate::report::Goal;
use crate::stats::{micros, percentile};

/// Round trips of the two.
const TRIPS: usize = 20_000;
/// Connections that are opened each second, and left at once.
const HASTE: u32 = 1_000;
/// Connections that say HELLO so slowly that they never end, and that were left open by a peer that is gone.
const SLOW: usize = 500;
/// Bytes of garbage: as much as a frame may hold.
const LARGE: usize = 1 << 20;

/// What the others do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nuisance {
    None,
    Haste,
    Slow,
    Large,
}

pub fn workload(effort: Effort) -> Workload {
    let trips = effort.count(TRIPS);
    let bounds = [None, Some(Goal::Ratio(2.0)), Some(Goal::Ratio(2.0))];
    let contender = |who, nuisance| Contender::new(who, move || measure(trips, nuisance));
    Workload {
        title: "beside hostile peers",
        figures: vec![
            figure("round trip, p50", "µs", Less),
            figure("p99", "µs", Less),
            figure("memory grown", "MiB", Less),
        ],
        contenders: vec![
            contender("in peace", Nuisance::None),
            contender("1,000 connections a second that say nothing", Nuisance::Haste).aiming_at(bounds),
            contender("500 that say HELLO a byte at a time", Nuisance::Slow).aiming_at(bounds),
            contender("garbage, 1 MiB at a time", Nuisance::Large).aiming_at(bounds),
        ],
    }
}

fn measure(trips: usize, nuisance: Nuisance) -> Vec<f64> {
    let peer = Peer::posthouse(Terms::BINCODE);
    let Peer::Posthouse { world, .. } = &peer else { unreachable!("a daemon") };
    let (socket, over) = (world.socket(), Arc::new(AtomicBool::new(false)));
    let before = process::memory(peer.pid());
    let hostile = {
        let over = Arc::clone(&over);
        std::thread::spawn(move || {
            let dial = || Blocking::connect(&socket);
            match nuisance {
                Nuisance::None => {}
                Nuisance::Haste => hurry(dial, &over),
                Nuisance::Slow => dawdle(dial, &over),
                Nuisance::Large => swell(dial, &over),
            }
        })
    };
    let (took, grown) = on_one_thread(async {
        let mut alice = Connection::open(&peer, "alice", 256).await;
        let mut bob = Connection::open(&peer, "bob", 256).await;
        let (mut took, mut most) = (Vec::with_capacity(trips), 0.0f64);
        for trip in 0..trips {
            took.push(alice.there_and_back(&mut bob).await);
            if trip % 1_000 == 0 {
                most = most.max(process::memory(peer.pid()) - before);
            }
        }
        (took, most.max(process::memory(peer.pid()) - before))
    });
    over.store(true, Ordering::Relaxed);
    hostile.join().expect("the hostile thread ends");
    let mut took = micros(took);
    vec![percentile(&mut took, 0.5), percentile(&mut took, 0.99), grown / 1024.0]
}

/// Connects and leaves, at a steady pace.
fn hurry(dial: impl Fn() -> std::io::Result<Blocking>, over: &AtomicBool) {
    let pace = Duration::from_secs(1) / HASTE;
    let mut next = Instant::now();
    while !over.load(Ordering::Relaxed) {
        drop(dial());
        next += pace;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// Keeps many connections that never come to the end of their HELLO; those that are cut off come again.
fn dawdle(dial: impl Fn() -> std::io::Result<Blocking>, over: &AtomicBool) {
    let mut open: Vec<Option<Blocking>> = (0..SLOW).map(|_| dial().ok()).collect();
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
fn swell(dial: impl Fn() -> std::io::Result<Blocking>, over: &AtomicBool) {
    let bytes = vec![0xff; LARGE];
    while !over.load(Ordering::Relaxed) {
        let Ok(mut stream) = dial() else { continue };
        // It is refused before its end; the rest meets a closed door.
        let _ = stream.write_all(&bytes);
    }
}
