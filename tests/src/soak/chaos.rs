//! The hand that breaks things: it kills the daemon and holders, revokes keys and gives new ones, as the dice say.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::dice::Dice;
use super::gauge::{self, Sample};
use crate::world::{World, parent, signal};

/// Times between two deeds of a kind.
const DAEMON: [Duration; 2] = [Duration::from_secs(180), Duration::from_secs(300)];
const HOLDER: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(30)];
const KEY: [Duration; 2] = [Duration::from_secs(25), Duration::from_secs(60)];
/// Time between two looks at the daemon.
const LOOKS: Duration = Duration::from_secs(2);

/// What was done, and how the daemon looked meanwhile.
#[derive(Debug, Default)]
pub struct Deeds {
    /// Deaths of the daemon.
    pub daemons: usize,
    /// Deaths of holders.
    pub holders: usize,
    /// Keys revoked.
    pub keys: usize,
    /// Looks at the daemon.
    pub samples: Vec<Sample>,
}

/// The hand.
#[derive(Debug)]
pub struct Chaos {
    world: World,
    sessions: Vec<String>,
    dice: Dice,
    deeds: Deeds,
    born: Instant,
    /// How many keys the first credential has had.
    generation: usize,
    revoked: bool,
}

impl Chaos {
    /// A hand over a world with sessions of these names.
    pub fn new(world: World, sessions: Vec<String>, dice: Dice) -> Self {
        let (deeds, born) = (Deeds::default(), Instant::now());
        Self { world, sessions, dice, deeds, born, generation: 0, revoked: false }
    }

    /// Breaks things until then. The daemon runs at the end.
    pub fn run(mut self, until: Instant) -> (Self, Deeds) {
        let due = |from: [Duration; 2], dice: &mut Dice| Instant::now() + dice.between(from[0], from[1]);
        let mut daemon = due(DAEMON, &mut self.dice);
        let mut holder = due(HOLDER, &mut self.dice);
        let mut key = due(KEY, &mut self.dice);
        let mut look = Instant::now();
        loop {
            let next = daemon.min(holder).min(key).min(look).min(until);
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            let now = Instant::now();
            if now >= until {
                break;
            }
            if now >= daemon {
                self.world.kill_and_restart();
                self.deeds.daemons += 1;
                self.born = Instant::now();
                daemon = due(DAEMON, &mut self.dice);
            }
            if now >= holder {
                self.kill_a_holder();
                holder = due(HOLDER, &mut self.dice);
            }
            if now >= key {
                self.turn_a_key();
                key = due(KEY, &mut self.dice);
            }
            if now >= look {
                let (pid, life) = (self.world.daemon_pid(), self.deeds.daemons);
                self.deeds.samples.extend(gauge::look(pid, life, self.born.elapsed()));
                look = now + LOOKS;
            }
        }
        let deeds = std::mem::take(&mut self.deeds);
        (self, deeds)
    }

    fn kill_a_holder(&mut self) {
        let name = self.dice.one_of(&self.sessions).clone();
        let Some(pid) = self.world.session(&name)["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok())
        else {
            return;
        };
        // It may have ended since.
        if crate::world::alive(pid) {
            signal(parent(pid), Signal::SIGKILL);
            self.deeds.holders += 1;
        }
    }

    /// The first credential's key is revoked, or made anew.
    fn turn_a_key(&mut self) {
        if self.revoked {
            self.generation += 1;
            let key = format!("key-a-{}", self.generation);
            let _ = self.world.cli_with_input(&["login", "acme/a", "--from-stdin"], key.as_bytes());
        } else {
            let line = format!("key-a-{}\n", self.generation);
            std::fs::write(self.world.home().join("revoked"), line).expect("a list of revoked keys");
            self.deeds.keys += 1;
        }
        self.revoked = !self.revoked;
    }

    /// The world it played in.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Sessions that are not there any more, or failed.
    pub fn sessions_left(&self) -> usize {
        let listed = self.world.cli(&["ls", "--json"]).ok().json();
        let listed = listed["sessions"].as_array().cloned().unwrap_or_default();
        listed.iter().filter(|session| session["state"] != "failed" && session["state"] != "exited").count()
    }
}
