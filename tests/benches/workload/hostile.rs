//! Two clients at work, and others who mean no good beside them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::nuisance::Nuisance;
use super::{Contender, Effort, Workload, figure, on_one_thread};
use crate::awake::Awake;
use crate::connection::Connection;
use crate::peer::{Peer, Terms};
use crate::report::Better::Less;
use crate::report::Goal;
use crate::stats::{micros, percentile};
use crate::{placed, process};

/// Round trips of the two.
const TRIPS: usize = 20_000;

pub fn workload(effort: Effort) -> Workload {
    let trips = effort.count(TRIPS);
    let bounds = [None, Some(Goal::Ratio(2.0)), None];
    let contender = |who, nuisance| Contender::new(who, move || measure(trips, nuisance)).aiming_at(bounds);
    Workload {
        title: "beside hostile peers",
        figures: vec![
            figure("round trip, p50", "µs", Less),
            figure("p99", "µs", Less),
            figure("memory grown", "MiB", Less),
        ],
        contenders: vec![
            Contender::new("in peace", move || measure(trips, Nuisance::None)),
            contender("1,000 connections a second that say nothing", Nuisance::Haste),
            contender("500 that say HELLO a byte at a time", Nuisance::Slow),
            contender("garbage, 1 MiB at a time", Nuisance::Garbage),
            contender("20 messages of 1 MB a second", Nuisance::Heavy),
            contender("one name after the other, 1,000 held", Nuisance::Squatters),
            contender("a session with 32 processes that eat 16 MiB each", Nuisance::Glutton),
        ],
    }
}

fn measure(trips: usize, nuisance: Nuisance) -> Vec<f64> {
    let peer = Peer::posthouse(Terms::BINCODE);
    let Peer::Posthouse { world, .. } = &peer else { unreachable!("a daemon") };
    let over = AtomicBool::new(false);
    let _awake = Awake::new();
    let before = process::memory(peer.pid());
    let (took, grown) = std::thread::scope(|scope| {
        let measured = scope.spawn(|| {
            // Also when it could not be measured: the others would go on for ever.
            let _over = Ends(&over);
            placed::together(peer.pid());
            on_one_thread(talk(&peer, trips))
        });
        nuisance.act(world, &over);
        measured.join().expect("the trips")
    });
    let grown = (grown - before) / 1024.0;
    let mut took = micros(took);
    vec![percentile(&mut took, 0.5), percentile(&mut took, 0.99), grown]
}

/// Tells the others that it is over.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How long each trip took, and the most memory that the daemon had meanwhile.
async fn talk(peer: &Peer, trips: usize) -> (Vec<Duration>, f64) {
    let mut alice = Connection::open(peer, "alice", 256).await;
    let mut bob = Connection::open(peer, "bob", 256).await;
    let (mut took, mut most) = (Vec::with_capacity(trips), 0.0f64);
    for trip in 0..trips {
        took.push(alice.there_and_back(&mut bob).await);
        if trip % 1_000 == 0 {
            most = most.max(process::memory(peer.pid()));
        }
    }
    (took, most.max(process::memory(peer.pid())))
}
