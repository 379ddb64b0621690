//! Keys of the real codex and claude: they ask for them, so that a dead one is replaced in the same run.

use std::path::Path;

use posthouse_tests::mock::{Refusal, Scenario};
use posthouse_tests::real::{Harness, Host};
use posthouse_tests::require_cli;

fn add_key(host: &Host, harness: Harness, alias: &str) -> String {
    let secret = match harness {
        Harness::Codex => format!("sk-canary-{alias}"),
        Harness::Claude => format!("sk-ant-api03-canary-{alias}"),
    };
    let base = host.mock.http();
    let base = if harness == Harness::Codex { format!("{base}/v1") } else { base };
    let add = ["credential", "add", harness.provider(), alias, "--api-key-stdin", "--base-url", &base];
    host.world.cli_with_input(&add, secret.as_bytes()).ok();
    secret
}

async fn spawn_on(host: &Host, route: &str) {
    let cwd = host.lab.cwd();
    let cwd = cwd.to_str().unwrap();
    host.world
        .cli(&["spawn", "agent", "--route", route, "--cwd", cwd, "--trust", "--wait-ready", "60s"])
        .ok();
}

async fn a_dead_key_is_replaced_in_the_same_run(harness: Harness, cli: &Path) {
    let host = Host::new(&[cli]).await;
    let (first, second) = (add_key(&host, harness, "first"), add_key(&host, harness, "second"));
    spawn_on(&host, &format!("{}, {}", harness.mount("first"), harness.mount("second"))).await;
    host.send("agent", "one-k1 works", &["--wait", "delivered"]).ok();
    assert_eq!(host.turn_with("one-k1 works").await.credential, first);
    let before = host.world.session("agent");
    let environment = std::fs::read(format!("/proc/{}/environ", before["pid"])).unwrap();
    assert!(
        !String::from_utf8_lossy(&environment).contains("canary"),
        "no tool of the agent's can read the key"
    );
    let mut watch = host.watch().await;
    watch.event("session.turn_ended", "agent", &[]).await;

    host.mock.set(&first, Scenario::Refuse(Refusal::BadKey));
    host.send("agent", "two-k1 must not get lost", &["--wait", "delivered"]).ok();
    let turn = host.turn_with("two-k1 must not get lost").await;
    assert_eq!(turn.credential, second);
    assert_eq!(turn.times_said("two-k1 must not get lost"), 1, "{turn:#?}");
    watch.event("decision", "agent", &["second", "\"rotate\""]).await;
    watch.event("session.moved", "agent", &["\"in_place\":true"]).await;
    let after = host.world.session("agent");
    assert_eq!((&after["pid"], &after["run"]), (&before["pid"], &before["run"]), "the same process went on");
    assert_eq!(after["mount"], harness.mount("second"));
    let first_name = format!("{}/first", harness.provider());
    let dead = host.world.cli(&["credential", "show", &first_name, "--json"]).ok().json();
    assert_ne!(dead["credentials"][0]["state"], "valid", "{dead}");
    let explained = host.world.cli(&["route", "explain", "agent"]).ok().out;
    assert!(explained.contains("first") && explained.contains("second"), "{explained}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codex_goes_on_with_the_next_key_in_the_same_run() {
    let cli = require_cli!("codex");
    a_dead_key_is_replaced_in_the_same_run(Harness::Codex, &cli).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claude_goes_on_with_the_next_key_in_the_same_run() {
    let cli = require_cli!("claude");
    a_dead_key_is_replaced_in_the_same_run(Harness::Claude, &cli).await;
}

async fn the_last_key_dies_and_the_failure_is_told(harness: Harness, cli: &Path) {
    let host = Host::new(&[cli]).await;
    let key = add_key(&host, harness, "only");
    spawn_on(&host, &harness.mount("only")).await;
    host.send("agent", "one-k2 works", &["--wait", "delivered"]).ok();
    host.turn_with("one-k2 works").await;
    host.mock.set(&key, Scenario::Refuse(Refusal::BadKey));
    // What nobody handed out is refused as well.
    host.mock.set("posthouse-has-no-key", Scenario::Refuse(Refusal::BadKey));
    host.send("agent", "two-k2 fails", &[]).ok();
    let mut watch = host.watch().await;
    watch.event("decision", "agent", &["\"surface\"", "invalid_key"]).await;
    watch.event("session.trouble", "agent", &["\"repair\""]).await;
    let session = host.world.session("agent");
    let name = format!("{}/only", harness.provider());
    assert_eq!(session["trouble"]["repair"], format!("posthouse login {name} --from-stdin"), "{session}");
    let without = host.mock.turns().into_iter().filter(|turn| turn.credential.is_empty()).count();
    assert_eq!(without, 0, "no request goes out without a key");

    // A repaired key reaches the run that lives.
    let repaired = format!("{key}-2");
    host.world.cli_with_input(&["login", &name, "--from-stdin"], repaired.as_bytes()).ok();
    host.send("agent", "three-k2 works again", &["--wait", "delivered"]).ok();
    assert_eq!(host.turn_with("three-k2 works again").await.credential, repaired);
    assert_eq!(host.world.session("agent")["pid"], session["pid"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codex_without_a_key_left_fails_in_a_way_that_is_understood() {
    let cli = require_cli!("codex");
    the_last_key_dies_and_the_failure_is_told(Harness::Codex, &cli).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claude_without_a_key_left_fails_in_a_way_that_is_understood() {
    let cli = require_cli!("claude");
    the_last_key_dies_and_the_failure_is_told(Harness::Claude, &cli).await;
}
