//! Deaths that are not on a message's way: while the journal is made, a run is started, an old one is adopted, a session
//! moves; and the holder's own.

use posthouse_protocol::ReceiptState;
use posthoused::fail_point::Point;
use serde_json::Value;

use super::place::{Place, SOON};
use super::table::Row;
use super::verdict::{Verdict, deliveries, others};
use super::{AGENT, Kind};
use crate::until;
use crate::world::{CANARY, World, program};

/// A scene and what it is called.
pub type Scene = (&'static str, Point);

/// All of them.
pub const ALL: [Scene; 14] = [
    ("make", Point::MigrateBefore),
    ("make", Point::MigrateAfter),
    ("spawn", Point::SpawnBefore),
    ("spawn", Point::SpawnHolder),
    ("spawn", Point::SpawnAfter),
    ("spawn", Point::HolderStarted),
    ("adopt", Point::AdoptBefore),
    ("adopt", Point::AdoptAfter),
    ("move", Point::FailoverEnd),
    ("move", Point::FailoverSwap),
    ("holder", Point::HolderAdopt),
    ("holder", Point::HolderWrite),
    ("holder", Point::HolderBody),
    ("holder", Point::HolderEnter),
];

/// Plays one.
pub async fn play((name, point): Scene) -> Row {
    let mut row = Row::new(point.name(), name);
    let verdict = match (name, point) {
        ("make", _) => make(point).await,
        ("spawn", _) => spawn(point).await,
        ("adopt", _) => adopt(point).await,
        ("move", _) => failover(point).await,
        (_, Point::HolderAdopt) => holder_adopts(point).await,
        _ => holder(point).await,
    };
    row.add(&verdict);
    row
}

/// Waits for something that must come; whether it did.
async fn comes(is: impl FnMut() -> bool) -> bool {
    until::so_within(SOON, is).await
}

async fn dies(world: &mut World) -> bool {
    comes(|| world.ended().is_some()).await
}

/// A journal that is just being made.
async fn make(point: Point) -> Verdict {
    let mut world = World::with_standin();
    let points = world.with_points();
    points.arm(point, "abort", 0);
    world.launch(&program("posthoused"));
    let mut verdict = Verdict { died: dies(&mut world).await, ..Verdict::default() };
    world.start();
    let spawned = world.cli(&["spawn", AGENT, "--harness", "generic", "--", "cat"]);
    let sent = world.cli(&["send", AGENT, "hello", "--wait", "delivered"]);
    if spawned.code != 0 || sent.code != 0 {
        verdict.others.push(format!("the next daemon does not work: {spawned:?} {sent:?}"));
    }
    verdict
}

/// The session as `ls` has it, if it has it.
fn listed(world: &World, name: &str) -> Option<Value> {
    let listed = world.cli(&["ls", "--json"]);
    let listed: Value = serde_json::from_str(&listed.out).ok()?;
    listed["sessions"].as_array()?.iter().find(|session| session["name"] == name).cloned()
}

fn is_settled(session: Option<&Value>) -> bool {
    session.is_none_or(|session| {
        !matches!(session["state"].as_str(), Some("starting" | "restarting" | "ending"))
    })
}

/// A session that is just being started. Whatever becomes of it, nothing is left that nobody knows of.
async fn spawn(point: Point) -> Verdict {
    let mut world = World::with_standin();
    let points = world.with_points();
    world.start();
    points.arm(point, "abort", 0);
    let mut spawning = world.command();
    let spawning = spawning.args(["spawn", AGENT, "--harness", "standin"]);
    let quiet = spawning.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut asked = quiet.spawn().expect("posthouse starts");
    let reached = comes(|| points.is_reached(point)).await;
    let mut verdict = Verdict { died: reached, ..Verdict::default() };
    if point != Point::HolderStarted {
        verdict.died &= dies(&mut world).await;
        world.start();
    }
    let _ = asked.wait();
    let settled = comes(|| is_settled(listed(&world, AGENT).as_ref())).await;
    let session = listed(&world, AGENT);
    let pid = session.as_ref().and_then(|session| session["pid"].as_u64());
    let daemon = world.daemon_pid();
    let expected = if pid.is_some() { 2 } else { 0 };
    let left = || world.processes().into_iter().filter(|pid| *pid != daemon).collect::<Vec<_>>();
    if !settled || !comes(|| left().len() == expected).await {
        verdict.others.push(format!("{:?} are left of {session:?}", left()));
    }
    if point == Point::SpawnAfter && pid.is_none() {
        verdict.others.push(format!("the run was started and is gone: {session:?}"));
    }
    let how = session.as_ref().map(|session| session["restarts"]["last"]["how"].clone());
    if matches!(point, Point::SpawnBefore | Point::SpawnHolder)
        && how.as_ref().is_some_and(|how| *how != "it was being started when the daemon ended")
    {
        verdict.others.push(format!("no holder had begun, and the reason is {how:?}"));
    }
    verdict
}

/// A daemon that dies while it takes over from one that died.
async fn adopt(point: Point) -> Verdict {
    let mut place = Place::new(Kind::Session).await;
    let mut verdict = Verdict::default();
    for after in 0..2 {
        place.world.kill();
        place.points.arm(point, "abort", after);
        place.world.launch(&program("posthoused"));
        verdict.died |= dies(&mut place.world).await;
        let order = place.order(Kind::Session);
        if let Err(error) = place.rise(&order, &super::person::Seen::default()).await {
            verdict.others.push(format!("a client was not taken back: {error}"));
            return verdict;
        }
        if !place.wait_for_end(Kind::Session, &order).await {
            verdict.losses.push(format!("{} has no end", order.id));
        }
        others(&place, &mut verdict).await;
    }
    verdict
}

/// A holder that dies when the next daemon asks for its run: that run ends, and the session goes on by its policy.
async fn holder_adopts(point: Point) -> Verdict {
    let mut place = Place::new(Kind::Session).await;
    place.world.kill();
    place.points.arm(point, "abort", 0);
    place.world.start();
    let mut verdict = Verdict { died: comes(|| place.points.is_reached(point)).await, ..Verdict::default() };
    let ended = |name: &str| {
        let session = listed(&place.world, name);
        let was = place.before.harnesses.iter().find(|(known, _)| known == name).map(|(_, pid)| *pid);
        session.as_ref().and_then(|session| session["pid"].as_u64()) != was
    };
    if !comes(|| ended(AGENT) || ended(CANARY)).await {
        verdict.others.push("no run has ended".to_owned());
    }
    if ended(AGENT) && ended(CANARY) {
        verdict.others.push("both runs have ended".to_owned());
    }
    let agent = || listed(&place.world, AGENT).unwrap_or_default();
    if ended(AGENT) && !comes(|| agent()["state"] == "ready").await {
        verdict.others.push(format!("it was not started again: {}", agent()));
    }
    verdict
}

/// A holder that dies with a message in its hands.
async fn holder(point: Point) -> Verdict {
    let mut place = Place::new(Kind::Session).await;
    let mut verdict = Verdict::default();
    let order = place.order(Kind::Session);
    place.points.arm(point, "abort", 0);
    place.person("alice").send(order.clone());
    verdict.died = comes(|| place.points.is_reached(point)).await;
    let was = place.before.harnesses[0].1;
    let again = |session: &Value| {
        session["pid"].as_u64().is_some_and(|pid| pid != was) && session["state"] == "ready"
    };
    if !comes(|| listed(&place.world, AGENT).as_ref().is_some_and(again)).await {
        verdict.others.push(format!("it was not started again: {:?}", listed(&place.world, AGENT)));
    }
    let session = listed(&place.world, AGENT).unwrap_or_default();
    if session["restarts"]["last"]["how"] != "its holder died, and the run with it" {
        verdict.others.push(format!("the reason is not true: {}", session["restarts"]));
    }
    if listed(&place.world, CANARY).and_then(|canary| canary["pid"].as_u64())
        != Some(place.before.harnesses[1].1)
        || !place.canary_sings().await
    {
        verdict.others.push("another session was hit".to_owned());
    }
    if !place.wait_for_end(Kind::Session, &order).await {
        verdict.losses.push(format!("{} has no end", order.id));
    }
    judge_written(&place, &order.id, &order.text, &mut verdict);
    let next = place.order(Kind::Session);
    place.person("alice").send(next.clone());
    if !place.wait_for_end(Kind::Session, &next).await {
        verdict.losses.push("the next message has no end".to_owned());
    }
    verdict
}

/// At most once per run; an ending that is not known names both possibilities.
fn judge_written(place: &Place, id: &str, text: &str, verdict: &mut Verdict) {
    let mut runs: Vec<u32> = Vec::new();
    for entry in place.received().iter().filter(|entry| entry.text.contains(text)) {
        if runs.contains(&entry.pid) {
            verdict.duplicates.push(format!("{id} was typed twice into one run"));
        }
        runs.push(entry.pid);
    }
    let all = deliveries(place.world.home(), id).unwrap_or_default();
    let [delivered] = all.as_slice() else {
        verdict.receipts.push(format!("{} deliveries of {id}", all.len()));
        return;
    };
    if delivered.endings != 1 {
        verdict.receipts.push(format!("{} endings of {id}", delivered.endings));
    }
    match delivered.state {
        ReceiptState::Delivered if runs.is_empty() => verdict.losses.push(format!("{id} was not typed")),
        ReceiptState::Delivered => {}
        ReceiptState::Uncertain if delivered.reason.contains("may have taken it, or not") => {
            if runs.len() > 1 {
                verdict.duplicates.push(format!("{id} is uncertain and was typed again"));
            }
        }
        other => verdict.receipts.push(format!("{id} ended {other} ({})", delivered.reason)),
    }
}

/// A session that moves to its next credential because a key was revoked.
async fn failover(point: Point) -> Verdict {
    let mut world = World::with_standin();
    let points = world.with_points();
    world.start();
    for alias in ["red", "blue"] {
        let key = format!("key-{alias}");
        world
            .cli_with_input(&["credential", "add", "example", alias, "--api-key-stdin"], key.as_bytes())
            .ok();
    }
    let route = "standin@example/red, standin@example/blue";
    world.cli(&["spawn", AGENT, "--route", route, "--wait-ready", "30s"]).ok();
    std::fs::write(world.home().join("revoked"), "key-red\n").expect("a file");
    points.arm(point, "abort", 0);
    world.cli(&["send", AGENT, "carry on"]).ok();
    let mut verdict = Verdict { died: dies(&mut world).await, ..Verdict::default() };
    world.start();
    let typed = |key: &str| {
        world.received().iter().filter(|entry| entry.key == key && entry.text.contains("carry on")).count()
    };
    if !comes(|| typed("key-blue") > 0).await {
        verdict.losses.push(format!("the next mount did not get it: {:?}", world.received()));
    }
    let ready = comes(|| listed(&world, AGENT).is_some_and(|session| session["state"] == "ready")).await;
    if !ready || typed("key-red") > 1 || typed("key-blue") > 1 {
        verdict.duplicates.push(format!("it was typed too often: {:?}", world.received()));
    }
    let daemon = world.daemon_pid();
    let left = || world.processes().into_iter().filter(|pid| *pid != daemon).count();
    if !comes(|| left() == 2).await {
        verdict.others.push(format!("{} processes are left: {:?}", left(), listed(&world, AGENT)));
    }
    verdict
}
