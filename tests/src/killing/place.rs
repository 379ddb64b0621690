//! One daemon's world: what is in it, dying in it, and coming back.

use std::time::Duration;

use posthouse_client::ClientError;
use posthoused::fail_point::Point;
use posthoused::journal::JOURNAL_FILE;

use super::person::{Order, Person, Seen};
use super::verdict::{self, Verdict};
use super::{AGENT, Case, Kind};
use crate::standin::record::Entry;
use crate::until;
use crate::world::{CANARY, Canary, Points, World};

/// How long a message may take to its end, and descriptors to be as many as before.
pub(super) const SOON: Duration = Duration::from_secs(20);

/// What must be as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inventory {
    /// Harness processes by session.
    pub harnesses: Vec<(String, u64)>,
    /// Processes of this world without its daemon, holders included.
    pub processes: Vec<u32>,
    /// Open descriptors of the daemon, by what they are.
    pub descriptors: Vec<String>,
}

/// A world to die in.
pub struct Place {
    pub(super) world: World,
    pub(super) points: Points,
    people: Vec<(&'static str, Person)>,
    canary: Canary,
    pub(super) before: Inventory,
    sent: u32,
}

impl Place {
    /// A daemon with its sessions and clients, and two messages of the kind behind them.
    ///
    /// # Panics
    /// When there is none, or its programs have no fail points.
    pub async fn new(kind: Kind) -> Self {
        let mut world = World::with_standin();
        let points = world.with_points();
        points.arm(Point::MigrateAfter, "delay 0", 0);
        world.start();
        assert!(points.is_reached(Point::MigrateAfter), "{}", NO_POINTS);
        let harness = ["--harness", "standin", "--restart", "on-failure", "--wait-ready", "30s"];
        world.cli(&[&["spawn", AGENT], harness.as_slice()].concat()).ok();
        let canary = Canary::spawn(&world);
        let mut people = Vec::new();
        for name in ["bob", "carol", "alice"] {
            people.push((name, Person::arrive(&world, name).await.expect("a welcome")));
        }
        let before = Inventory { harnesses: Vec::new(), processes: Vec::new(), descriptors: Vec::new() };
        let mut place = Self { world, points, people, canary, before, sent: 0 };
        place.settle().await;
        place.send_in_peace(kind).await;
        // What is compared with is a daemon that took its sessions over from one that ended in order: the one that
        // started them also has the descriptors of its children.
        place.world.cli(&["down"]).ok();
        place.world.wait_for_end();
        let order = place.order(kind);
        place.rise(&order, &Seen::default()).await.expect("clients are taken back");
        assert!(place.wait_for_end(kind, &order).await, "a message without a death did not end");
        place.before = place.settled_inventory().await;
        place
    }

    /// What there is once connections that have just ended are closed on the daemon's side as well.
    async fn settled_inventory(&self) -> Inventory {
        let (mut last, mut same) = (self.inventory(), 0);
        while same < 5 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let now = self.inventory();
            same = if now == last { same + 1 } else { 0 };
            last = now;
        }
        last
    }

    async fn send_in_peace(&mut self, kind: Kind) {
        let order = self.order(kind);
        self.person("alice").send(order.clone());
        let ended = self.wait_for_end(kind, &order).await;
        assert!(ended, "a message without a death did not end: {:?}", self.person("alice").seen());
    }

    /// Dies as the case says and judges what came of it.
    ///
    /// # Errors
    /// When the next daemon does not take a client back.
    pub async fn die(&mut self, case: Case) -> Result<Verdict, ClientError> {
        let order = self.order(case.kind);
        self.points.arm(case.point, "abort", case.after);
        self.person("alice").send(order.clone());
        let died = loop {
            if self.world.ended().is_some() {
                break true;
            }
            if self.has_ended(case.kind, &order) {
                self.points.disarm(case.point);
                // It may have come by in this moment.
                if !self.points.is_reached(case.point) {
                    break false;
                }
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        let knew = self.seen("alice");
        if died {
            self.rise(&order, &knew).await?;
        }
        let ended = self.wait_for_end(case.kind, &order).await;
        Ok(verdict::judge(self, case, &order, died, ended, &knew).await)
    }

    /// The next daemon, and everybody back. Whoever does not know that its message was accepted sends it again.
    pub(super) async fn rise(&mut self, order: &Order, knew: &Seen) -> Result<(), ClientError> {
        self.world.start();
        for (name, person) in std::mem::take(&mut self.people) {
            self.people.push((name, person.come_back(&self.world).await?));
        }
        if knew.receipts_of(&order.id).next().is_none() {
            self.person("alice").send(order.clone());
        }
        Ok(())
    }

    pub(super) fn order(&mut self, kind: Kind) -> Order {
        self.sent += 1;
        Order { id: format!("m{}", self.sent), kind, text: format!("message number {}.", self.sent) }
    }

    pub(super) fn person(&self, name: &str) -> &Person {
        let found = self.people.iter().find(|(known, _)| *known == name);
        found.map(|(_, person)| person).expect("a person")
    }

    pub(super) fn seen(&self, name: &str) -> Seen {
        self.person(name).seen()
    }

    /// What the stand-in received.
    pub(super) fn received(&self) -> Vec<Entry> {
        self.world.received()
    }

    fn has_ended(&self, kind: Kind, order: &Order) -> bool {
        let recipients = kind.clients().iter().chain(kind.sessions());
        let seen = self.seen("alice");
        let over = |name: &&&str| seen.receipts_of(&order.id).any(|r| r.terminal && r.recipient == ***name);
        recipients.clone().filter(over).count() == recipients.count()
    }

    /// Waits until the journal says that the message has ended for everybody.
    pub(super) async fn wait_for_end(&self, kind: Kind, order: &Order) -> bool {
        let expected = kind.clients().len() + kind.sessions().len();
        let have_ended = || {
            verdict::deliveries(self.world.home(), &order.id).is_ok_and(|all| {
                all.iter().filter(|d| d.ended).count() >= expected && all.iter().all(|d| d.ended)
            })
        };
        until::so_within(SOON, have_ended).await
    }

    /// Waits until the canary has said everything.
    async fn settle(&self) {
        let heard = async || self.canary.is_heard(&self.world).await.then_some(());
        until::found_within(SOON, heard).await;
        assert!(self.canary_sings().await, "the canary was not heard");
    }

    /// Whether the canary's terminal says what it said, byte for byte.
    pub(super) async fn canary_sings(&self) -> bool {
        self.canary.sings(&self.world).await
    }

    /// What there is now.
    pub(super) fn inventory(&self) -> Inventory {
        let daemon = self.world.daemon_pid();
        let pid =
            |name: &str| (name.to_owned(), self.world.session(name)["pid"].as_u64().unwrap_or_default());
        let mut processes = self.world.processes();
        processes.retain(|pid| *pid != daemon);
        processes.sort_unstable();
        Inventory { harnesses: vec![pid(AGENT), pid(CANARY)], processes, descriptors: descriptors(daemon) }
    }
}

/// What to do about programs without points.
pub(super) const NO_POINTS: &str =
    "the daemon has no fail points: build it with the workspace, cargo build --workspace --bins";

/// What a process has open. Numbers that differ with every start are left out, and so is the database: SQLite opens its
/// log for each connection when it first needs it.
fn descriptors(pid: u32) -> Vec<String> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let targets = entries.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    let named = targets.map(|target| {
        let text = target.to_string_lossy().into_owned();
        text.split_once(":[").map_or(text.clone(), |(kind, _)| kind.to_owned())
    });
    let mut named: Vec<String> = named.filter(|name| !name.contains(JOURNAL_FILE)).collect();
    named.sort_unstable();
    named
}
