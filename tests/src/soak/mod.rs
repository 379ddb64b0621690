//! A long run of everything at once: stand-in sessions, clients that talk to them and to each other, and a hand that kills
//! the daemon and holders and revokes keys meanwhile. What was promised is then reckoned up against what arrived.
//!
//! [`member`] are the clients, [`chaos`] is the hand, [`gauge`] watches the daemon's memory and descriptors, and [`reckoning`]
//! compares receipts with what the stand-ins and clients have. Everything is chosen by [`dice`] from one seed.

pub mod chaos;
pub mod dice;
pub mod gauge;
pub mod member;
pub mod reckoning;

use std::time::{Duration, Instant};

use tokio::sync::watch;

use self::chaos::Chaos;
use self::dice::Dice;
use self::member::Member;
use self::reckoning::Reckoning;
use crate::standin::definition_for;
use crate::standin::record::entries;
use crate::world::World;

/// Clients that send and receive.
const MEMBERS: usize = 8;

/// How to run it.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long there is traffic.
    pub time: Duration,
    /// How many sessions.
    pub sessions: usize,
    /// What everything is chosen by.
    pub seed: u64,
}

/// Runs it.
///
/// # Panics
/// When the daemon does not start, or a command fails that must not.
pub async fn run(options: Options) -> Reckoning {
    let mut world = World::new();
    world.set("STANDIN_LOG", world.home().join("log"));
    world.set("STANDIN_REVOKED", world.home().join("revoked"));
    world.define_harness("standin", &definition_for("acme"));
    world.start();
    for alias in ["a", "b"] {
        let key = format!("key-{alias}-0");
        world.cli_with_input(&["credential", "add", "acme", alias, "--api-key-stdin"], key.as_bytes()).ok();
    }
    let sessions: Vec<String> = (0..options.sessions).map(|n| format!("s{n:03}")).collect();
    for name in &sessions {
        let route = "standin@acme/a, standin@acme/b";
        world.cli(&["spawn", name, "--route", route, "--restart", "on-failure"]).ok();
    }
    let (stop, stopped) = watch::channel(false);
    let members: Vec<_> = (0..MEMBERS)
        .map(|n| {
            let dice = Dice::new(options.seed.wrapping_add(1 + n as u64));
            let member = Member::new(n, MEMBERS, world.socket(), sessions.clone(), dice);
            tokio::spawn(member.run(stopped.clone()))
        })
        .collect();
    let until = Instant::now() + options.time;
    let chaos = Chaos::new(world, sessions, Dice::new(options.seed));
    let (chaos, deeds) = tokio::task::spawn_blocking(move || chaos.run(until)).await.expect("chaos ends");
    stop.send_replace(true);
    let mut ledgers = Vec::new();
    for member in members {
        ledgers.push(member.await.expect("a member ends"));
    }
    let received = entries(&chaos.world().home().join("log"));
    Reckoning::of(&ledgers, &received, deeds, chaos.sessions_left())
}
