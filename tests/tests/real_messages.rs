//! Messages into the real codex and claude terminals: what reaches the provider, how often, and what the receipts say.

use posthouse_tests::mock::Outcome;
use posthouse_tests::real::{Harness, Host, last_receipt};
use posthouse_tests::require_cli;
use posthouse_tests::world::{PATIENCE, alive};

/// Bodies that harnesses are known to trip over. Claude turns a tab into spaces whatever is done, so there is none.
fn bodies() -> Vec<(&'static str, String)> {
    let long: String = (0..60).map(|n| format!("{n:02} The quick brown fox jumps. ")).collect();
    let lines: String = (0..40).map(|n| format!("    line {n} — ünïcödé\n")).collect();
    vec![
        ("short", "short-7f3 hello".to_owned()),
        ("2 kB", format!("long-7f3 {long}")),
        ("lines", "lines-7f3\n\n  indented\n\nlast line".to_owned()),
        ("many lines", format!("many-7f3\n{lines}end")),
        ("unicode", "unicode-7f3 日本語 👩‍👩‍👧 Ελληνικά עברית".to_owned()),
        ("slash", "/quit-7f3 is not a command here".to_owned()),
        ("at sign", "@file-7f3 and #tag and !bang".to_owned()),
        ("backslash", "ends-7f3 with a backslash \\".to_owned()),
        ("trailing", "trailing-7f3 lines\n\n".to_owned()),
    ]
}

async fn every_body_arrives_once_and_unchanged(harness: Harness, host: Host) {
    host.login(harness, "acct-A");
    host.spawn("agent", &harness.mount("acct-A"));
    for (what, body) in bodies() {
        let sent = host.send("agent", &body, &["--wait", "delivered"]);
        assert_eq!(sent.code, 0, "{what}: {sent:?}\n{}", host.world.cli(&["screen", "agent"]).out);
        let last = last_receipt(&sent);
        let evidence = last["evidence"].as_str().unwrap_or_default();
        assert!(["structured", "status-osc", "screen"].contains(&evidence), "{what}: {last}");
        host.turn_with(&body).await;
    }
    for (what, body) in bodies() {
        assert_eq!(host.times_said(&body), 1, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codex_gets_every_body_once_and_unchanged() {
    let cli = require_cli!("codex");
    every_body_arrives_once_and_unchanged(Harness::Codex, Host::new(&[&cli]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claude_gets_every_body_once_and_unchanged() {
    let cli = require_cli!("claude");
    every_body_arrives_once_and_unchanged(Harness::Claude, Host::new(&[&cli]).await).await;
}

async fn a_busy_harness_takes_now_at_once_and_idle_later(harness: Harness, host: Host) {
    host.login(harness, "acct-A");
    host.spawn("agent", &harness.mount("acct-A"));
    let slow = "busy-51c please take your time\nMOCK:slow=6";
    host.send("agent", slow, &["--wait", "delivered"]).ok();
    let streaming =
        |e: &posthouse_tests::mock::Exchange| e.newly_says(slow) && e.outcome == Outcome::Streaming;
    host.mock.wait_for(PATIENCE, streaming).await.unwrap();
    let later = host.send("agent", "later-51c once you are done", &[]).ok();
    let now = host.send("agent", "now-51c while you work", &["--when", "now", "--wait", "submitted"]).ok();
    host.turn_with("now-51c while you work").await;
    host.turn_with("later-51c once you are done").await;
    // A steered codex asks again with all that was said in the turn, so the whole conversation is what counts.
    let turns = host.mock.turns();
    let last = turns.last().unwrap();
    for body in [slow, "now-51c while you work", "later-51c once you are done"] {
        assert_eq!(last.times_said(body), 1, "{body}");
    }
    let mut watch = host.watch().await;
    for sent in [later, now] {
        let id = sent.json()["message"].as_str().unwrap().to_owned();
        watch.event("receipt", &id, &["delivered"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codex_is_steered_mid_turn() {
    let cli = require_cli!("codex");
    a_busy_harness_takes_now_at_once_and_idle_later(Harness::Codex, Host::new(&[&cli]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claude_queues_mid_turn() {
    let cli = require_cli!("claude");
    a_busy_harness_takes_now_at_once_and_idle_later(Harness::Claude, Host::new(&[&cli]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_characters_are_refused_before_anything_is_typed() {
    let cli = require_cli!("codex");
    let host = Host::new(&[&cli]).await;
    host.login(Harness::Codex, "acct-A");
    host.spawn("agent", &Harness::Codex.mount("acct-A"));
    let before = host.world.cli(&["logs", "agent", "--raw"]).ok().out;
    for body in ["evil-3a\x1b[201~\rrm -rf /", "evil-3a\u{9b}2J", "evil-3a\x7f", "evil-3a\rb"] {
        let refused = host.send("agent", body, &[]);
        assert_eq!(refused.code, 6, "{body:?}: {refused:?}");
        assert!(refused.err.contains("UNTYPABLE") && refused.err.contains('7'), "{body:?}: {refused:?}");
    }
    host.send("agent", "fine-3a", &["--wait", "delivered"]).ok();
    host.turn_with("fine-3a").await;
    assert_eq!(host.times_said("evil-3a"), 0);
    assert!(!before.contains("evil-3a"));
}

async fn a_killed_daemon_loses_and_doubles_nothing(harness: Harness, mut host: Host) {
    host.login(harness, "acct-A");
    host.spawn("agent", &harness.mount("acct-A"));
    let pid = host.world.session("agent")["pid"].as_u64().unwrap();
    let slow = "killed-9e1 take your time\nMOCK:slow=4";
    host.send("agent", slow, &["--wait", "written"]).ok();
    let queued = host.send("agent", "queued-9e1 behind it", &[]).ok();
    host.world.kill_and_restart();
    assert_eq!(host.world.session("agent")["pid"], pid);
    host.turn_with(slow).await;
    host.turn_with("queued-9e1 behind it").await;
    let id = queued.json()["message"].as_str().unwrap().to_owned();
    host.watch().await.event("receipt", &id, &["delivered"]).await;
    assert_eq!((host.times_said(slow), host.times_said("queued-9e1 behind it")), (1, 1));
    assert!(alive(u32::try_from(pid).unwrap()));
    host.world.cli(&["release", "agent"]).ok();
    assert!(!alive(u32::try_from(pid).unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codex_outlives_a_killed_daemon() {
    let cli = require_cli!("codex");
    a_killed_daemon_loses_and_doubles_nothing(Harness::Codex, Host::new(&[&cli]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claude_outlives_a_killed_daemon() {
    let cli = require_cli!("claude");
    a_killed_daemon_loses_and_doubles_nothing(Harness::Claude, Host::new(&[&cli]).await).await;
}
