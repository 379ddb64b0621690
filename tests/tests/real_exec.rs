//! One-shot tasks of the real codex and claude: an answer on standard output, whichever login can give it.

use std::path::Path;
use std::time::Duration;

use posthouse_tests::mock::{Refusal, Scenario};
use posthouse_tests::real::{Harness, Host};
use posthouse_tests::require_cli;
use posthouse_tests::world::Ran;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;

async fn exec(host: &Host, route: &str, prompt: &str, more: &[&str]) -> Ran {
    let cwd = host.lab.cwd();
    let cwd = cwd.to_str().unwrap();
    let args = [&["exec", "--name", "task", "--route", route, "--cwd", cwd, "--trust"], more, &[prompt]];
    host.world.cli_in_background(&args.concat()).ended().await
}

fn sessions(host: &Host) -> usize {
    host.world.cli(&["ls", "--json"]).ok().json()["sessions"].as_array().unwrap().len()
}

async fn a_task_is_answered_by_the_login_that_can(harness: Harness, host: Host) {
    host.login(harness, "acct-A");
    host.login(harness, "acct-B");
    let route = format!("{}, {}", harness.mount("acct-A"), harness.mount("acct-B"));
    let answered = exec(&host, &route, "say-e1 hello", &[]).await.ok();
    assert!(answered.out.contains("say-e1 hello"), "{answered:?}");
    assert_eq!(answered.out.lines().count(), 1, "nothing but the answer: {answered:?}");
    assert_eq!(host.turn_with("say-e1 hello").await.credential, "acct-A");
    assert_eq!(sessions(&host), 0, "its session is gone");

    let mut watch = host.watch().await;
    host.mock.set("acct-A", Scenario::usage_limit(Duration::from_secs(5400)));
    let moved = exec(&host, &route, "say-e2 still here", &[]).await.ok();
    assert!(moved.out.contains("say-e2 still here"), "{moved:?}");
    assert!(moved.err.contains("acct-A"), "what happened meanwhile is told: {moved:?}");
    assert_eq!(host.turn_with("say-e2 still here").await.credential, "acct-B");
    watch.event("decision", "task", &["quota_reset", "\"rotate\"", "acct-B"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codex_answers_a_task_with_the_login_that_can() {
    let cli = require_cli!("codex");
    a_task_is_answered_by_the_login_that_can(Harness::Codex, Host::new(&[&cli]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claude_answers_a_task_with_the_login_that_can() {
    let cli = require_cli!("claude");
    a_task_is_answered_by_the_login_that_can(Harness::Claude, Host::new(&[&cli]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_goes_on_with_another_provider() {
    let (codex, claude) = (require_cli!("codex"), require_cli!("claude"));
    let host = Host::new(&[&codex, &claude]).await;
    host.login(Harness::Codex, "acct-A");
    host.login(Harness::Claude, "acct-C");
    host.mock.set("acct-A", Scenario::usage_limit(Duration::from_secs(5400)));
    let route = format!("{}, {}", Harness::Codex.mount("acct-A"), Harness::Claude.mount("acct-C"));
    let moved = exec(&host, &route, "say-e3 over there", &["--json"]).await.ok().json();
    assert!(moved["answer"].as_str().unwrap().contains("say-e3 over there"), "{moved}");
    assert_eq!((&moved["done"], &moved["mount"]), (&true.into(), &"claude@anthropic/acct-C".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_only_a_login_can_help_says_so() {
    let cli = require_cli!("claude");
    let host = Host::new(&[&cli]).await;
    host.login(Harness::Claude, "acct-A");
    host.mock.set("acct-A", Scenario::Refuse(Refusal::Revoked));
    let failed = exec(&host, &Harness::Claude.mount("acct-A"), "say-e4 in vain", &[]).await;
    assert_eq!(failed.code, 3, "{failed:?}");
    assert!(failed.err.contains("posthouse login anthropic/acct-A"), "{failed:?}");
    assert_eq!(sessions(&host), 0);
}

/// A named pipe that both ends of can be opened at once.
fn pipe(path: &Path) -> pipe::OpenOptions {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut options = pipe::OpenOptions::new();
    options.read_write(true);
    options
}

/// The lab is a sandbox of its own.
const NO_SANDBOX: &str = "--dangerously-bypass-approvals-and-sandbox";

/// The work that was begun is not done again: the conversation goes on where it stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_had_begun_goes_on_in_its_conversation() {
    let cli = require_cli!("codex");
    let host = Host::new(&[&cli]).await;
    host.login(Harness::Codex, "acct-A");
    host.login(Harness::Codex, "acct-B");
    let cwd = host.lab.cwd();
    let done = cwd.join("done-e5");
    let mut up = pipe(&cwd.join("up-e5")).open_receiver(cwd.join("up-e5")).unwrap();
    let mut gate = pipe(&cwd.join("gate-e5")).open_sender(cwd.join("gate-e5")).unwrap();
    let prompt = "do-e5 it\nMOCK:tool=echo once >> done-e5; echo up > up-e5; read go < gate-e5";
    let route = format!("{}, {}", Harness::Codex.mount("acct-A"), Harness::Codex.mount("acct-B"));
    let args =
        ["exec", "--name", "task", "--route", &route, "--cwd", cwd.to_str().unwrap(), "--trust", prompt];
    let task = host.world.cli_in_background(&[&args[..], &["--", NO_SANDBOX]].concat());
    // The tool runs; what is told of its end meets the limit.
    let told = tokio::time::timeout(Duration::from_secs(60), up.read_u8()).await;
    told.expect("the tool runs").unwrap();
    host.mock.set("acct-A", Scenario::usage_limit(Duration::from_secs(5400)));
    gate.write_all(b"go\n").await.unwrap();
    let ended = task.ended().await.ok();
    assert!(!ended.out.is_empty(), "{ended:?}");
    let turns = host.mock.turns();
    let last = turns.last().unwrap();
    assert_eq!((last.credential.as_str(), last.times_said("do-e5 it")), ("acct-B", 1), "{last:#?}");
    assert_eq!(std::fs::read_to_string(done).unwrap(), "once\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_outlives_the_daemon() {
    let cli = require_cli!("codex");
    let mut host = Host::new(&[&cli]).await;
    host.login(Harness::Codex, "acct-A");
    host.mock.set("acct-A", Scenario::Slow(Duration::from_secs(4)));
    let route = Harness::Codex.mount("acct-A");
    let cwd = host.lab.cwd();
    let args =
        ["exec", "--name", "task", "--route", &route, "--cwd", cwd.to_str().unwrap(), "--trust", "say-e6 on"];
    let task = host.world.cli_in_background(&args);
    host.mock.wait_for(Duration::from_secs(60), |e| e.is_turn() && e.newly_says("say-e6 on")).await.unwrap();
    host.world.kill_and_restart();
    let ended = task.ended().await.ok();
    assert!(ended.out.contains("say-e6 on"), "{ended:?}");
    assert_eq!(host.times_said("say-e6 on"), 1, "the same run answered");
}

/// Nothing is usable for a while: the task waits, and so does one that begins meanwhile, until something is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_waits_until_something_is_usable() {
    let cli = require_cli!("claude");
    let host = Host::new(&[&cli]).await;
    host.login(Harness::Claude, "acct-A");
    host.mock.set("acct-A", Scenario::usage_limit(Duration::from_secs(5400)));
    host.world.cli(&["route", "set", "night", &Harness::Claude.mount("acct-A")]).ok();
    let cwd = host.lab.cwd();
    let task = |name, prompt| {
        let cwd = cwd.to_str().unwrap();
        host.world.cli_in_background(&["exec", "--name", name, "--route", "night", "--cwd", cwd, prompt])
    };
    let mut watch = host.watch().await;
    let first = task("first", "say-e7 waited");
    watch.event("session.state", "first", &["\"parked\""]).await;
    let second = task("second", "say-e8 waited as well");
    watch.event("session.state", "second", &["\"parked\""]).await;
    host.login(Harness::Claude, "acct-B");
    let both = format!("{}, {}", Harness::Claude.mount("acct-A"), Harness::Claude.mount("acct-B"));
    host.world.cli(&["route", "set", "night", &both]).ok();
    for (task, said) in [(first, "say-e7 waited"), (second, "say-e8 waited as well")] {
        let ended = task.ended().await.ok();
        assert!(ended.out.contains(said) && ended.err.contains("acct-A"), "{ended:?}");
        assert_eq!(host.turn_with(said).await.credential, "acct-B");
    }
}
