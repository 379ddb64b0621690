//! The main job as a story: a private daemon, two agents on a stand-in harness, messages both ways, a revoked login,
//! the failover, a killed daemon and the same agents afterwards. Every line told is read back from `ls --json` and
//! `events --json`; if one is not so, the story ends with exit code 1.

mod story;

use std::process::ExitCode;
use std::time::Instant;

use posthouse_tests::world::{World, build_programs, program};
use serde_json::Value;
use story::{Story, Wrong};

const DEFINITION: &str = include_str!("../../../data/harnesses/standin.toml");

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let begun = Instant::now();
    if let Err(why) = build_programs() {
        eprintln!("failed to build the programs: {why}");
        return ExitCode::FAILURE;
    }
    match tell().await {
        Ok(()) => {
            println!("\nAll of it was read back and is so ({:.1} s).", begun.elapsed().as_secs_f32());
            ExitCode::SUCCESS
        }
        Err(Wrong(why)) => {
            eprintln!("\nThe story is not true: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn tell() -> Result<(), Wrong> {
    let mut world = World::new();
    let here = program("posthouse").parent().map(std::path::Path::to_path_buf).unwrap_or_default();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(here).chain(std::env::split_paths(&path)));
    world.set("PATH", path.map_err(|e| Wrong(e.to_string()))?);
    let revoked = world.home().join("revoked");
    std::fs::write(&revoked, "")?;
    world.set("STANDIN_REVOKED", revoked.as_os_str());
    world.define_harness("standin", DEFINITION);
    world.start();
    let mut story = Story::new(world);

    story.chapter("A private daemon");
    let status = story.json(&["status"])?;
    story.tell(format!("posthoused {} runs as process {}.", text(&status["version"]), status["pid"]));
    for (alias, key) in [("red", "key-red"), ("blue", "key-blue")] {
        story.input(&["credential", "add", "example", alias, "--api-key-stdin"], key)?;
    }
    let listed = story.json(&["credential", "ls"])?;
    let names =
        array(&listed["credentials"]).map(|c| format!("{}/{}", text(&c["provider"]), text(&c["alias"])));
    story.tell(format!("It knows two keys: {}.", names.collect::<Vec<_>>().join(" and ")));

    story.chapter("Two agents");
    let route = "standin@example/red, standin@example/blue";
    for name in ["alice", "bob"] {
        story.run(&["spawn", name, "--route", route, "--wait-ready", "20s"])?;
        let session = story.session(name)?;
        story.check(session["mount"] == "standin@example/red", || {
            format!("{name} runs on {}", session["mount"])
        })?;
        story.tell(format!(
            "{name} is {} on {}, process {}.",
            text(&session["state"]),
            text(&session["mount"]),
            session["pid"]
        ));
    }

    story.chapter("Messages, with receipts");
    story.send("alice", "Say hello to Bob, please.\nDO reply bob Hello Bob, Alice here.").await?;
    story.received("bob", "alice").await?;
    story.send("bob", "Answer her.\nDO reply alice Hello Alice, Bob is fine.").await?;
    story.received("alice", "bob").await?;

    story.chapter("A login is revoked");
    std::fs::write(&revoked, "key-red\n")?;
    story.tell("The provider revokes the red key. Nobody is told.".to_owned());
    story.send("alice", "Is anyone there? This is the message that must not get lost.").await?;
    let decision = story.decision("alice", &["standin@example/blue"]).await?;
    story.tell(format!("Alice's harness failed: {}", text(&decision["message"])));
    let session = story.on_mount("alice", "standin@example/blue").await?;
    story.tell(format!(
        "alice runs on {} now, process {}; the message went with her.",
        text(&session["mount"]),
        session["pid"]
    ));
    let red = story.json(&["credential", "show", "example/red"])?;
    let red = array(&red["credentials"]).next().cloned().unwrap_or_default();
    story.check(red["state"] != "valid" && red["repair"].is_string(), || format!("example/red is {red}"))?;
    story.tell(format!("example/red is {}. To repair it: {}", text(&red["state"]), text(&red["repair"])));

    story.chapter("The daemon is killed");
    let before = story.pids(&["alice", "bob"])?;
    let (old, new) = story.kill_the_daemon();
    story.tell(format!("kill -9 {old}. A new daemon, process {new}, takes over."));
    let after = story.pids(&["alice", "bob"])?;
    story.check(before == after, || format!("processes were {before:?} and are {after:?}"))?;
    story.tell(format!("alice and bob are still processes {} and {}.", after[0], after[1]));
    story.send("alice", "Still with us?").await?;
    story.send("bob", "And you?").await?;
    story.every_receipt_ended_once()?;

    story.chapter("The end");
    story.run(&["release", "alice"])?;
    story.run(&["release", "bob"])?;
    for pid in after {
        story.check(!posthouse_tests::world::alive(pid), || format!("process {pid} is still there"))?;
    }
    story.tell("Both are released, and nothing of them is left.".to_owned());
    Ok(())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
