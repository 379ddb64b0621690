//! Failover of the real codex and claude: a login dies or a limit is hit, and the message goes on elsewhere.

use posthouse_tests::mock::{RefreshFault, Refusal, Scenario};
use posthouse_tests::require_cli;
use posthouse_tests::stage::{FAILOVER_WITHIN, Harness, Stage};
use std::time::Duration;

/// Two logins, the first of which fails so; a message; the session has to go on with the second within five seconds
/// of the decision, with the message, once, and never again with the first.
async fn the_message_goes_on_with_the_next_login(harness: Harness, stage: Stage, failing: Scenario, class: &str) {
    stage.login(harness, "acct-A");
    stage.login(harness, "acct-B");
    let route = format!("{}, {}", harness.mount("acct-A"), harness.mount("acct-B"));
    stage.spawn("agent", &route);
    stage.send("agent", "first-d40 works still", &["--wait", "delivered"]).ok();
    stage.turn_with("first-d40 works still").await;
    let idle = ["ready"];
    let mut watch = stage.watch().await;
    watch.event("session.state", "agent", &idle).await;

    stage.mock.set("acct-A", failing);
    let body = "second-d40 must not get lost";
    let sent = stage.send("agent", body, &[]).ok();
    let decision = watch.event("decision", "agent", &["acct-B", "\"rotate\""]).await;
    assert!(decision.data.as_str().contains(class), "{}", decision.data.as_str());
    let moved = tokio::time::Instant::now();
    let turn = stage.turn_with(body).await;
    assert_eq!(turn.credential, "acct-B");
    assert!(moved.elapsed() < FAILOVER_WITHIN * 3, "{:?}", moved.elapsed());
    let id = sent.json()["message"].as_str().unwrap().to_owned();
    watch.event("receipt", &id, &["delivered"]).await;

    let turns = stage.mock.turns();
    let well: Vec<_> = turns.iter().filter(|turn| turn.newly_says(body) && turn.succeeded()).collect();
    assert_eq!(well.len(), 1, "{well:#?}");
    let last_of_a = turns.iter().filter(|turn| turn.credential == "acct-A").map(|turn| turn.number).max();
    assert!(last_of_a < Some(turn.number), "the old login is used after the new one");
    assert!(turn.times_said("first-d40 works still") >= 1, "the conversation came along");

    let session = stage.world.session("agent");
    assert_eq!(session["mount"], harness.mount("acct-B"), "{session}");
    let shown = stage.world.cli(&["ls"]).ok().out;
    assert!(shown.contains("acct-A"), "{shown}");
    let explained = stage.world.cli(&["route", "explain", "agent"]).ok().out;
    assert!(explained.contains("acct-A") && explained.contains("acct-B"), "{explained}");
}

#[tokio::test]
async fn codex_with_a_reused_refresh_token() {
    let cli = require_cli!("codex");
    let dead = Scenario::Refresh(RefreshFault::Reused);
    the_message_goes_on_with_the_next_login(Harness::Codex, Stage::new(&[&cli]).await, dead, "refresh_reused").await;
}

#[tokio::test]
async fn codex_with_an_invalidated_token() {
    let cli = require_cli!("codex");
    let dead = Scenario::Refuse(Refusal::TokenInvalidated);
    the_message_goes_on_with_the_next_login(Harness::Codex, Stage::new(&[&cli]).await, dead, "token_revoked").await;
}

#[tokio::test]
async fn codex_at_its_usage_limit() {
    let cli = require_cli!("codex");
    let spent = Scenario::usage_limit(Duration::from_secs(5400));
    the_message_goes_on_with_the_next_login(Harness::Codex, Stage::new(&[&cli]).await, spent, "quota_reset").await;
}

#[tokio::test]
async fn claude_with_a_revoked_token() {
    let cli = require_cli!("claude");
    let dead = Scenario::Refuse(Refusal::Revoked);
    the_message_goes_on_with_the_next_login(Harness::Claude, Stage::new(&[&cli]).await, dead, "token_revoked").await;
}

#[tokio::test]
async fn claude_at_its_usage_limit() {
    let cli = require_cli!("claude");
    let spent = Scenario::usage_limit(Duration::from_secs(5400));
    the_message_goes_on_with_the_next_login(Harness::Claude, Stage::new(&[&cli]).await, spent, "quota_reset").await;
}

#[tokio::test]
async fn from_codex_to_claude_with_a_handover_brief() {
    let (codex, claude) = (require_cli!("codex"), require_cli!("claude"));
    let stage = Stage::new(&[&codex, &claude]).await;
    stage.login(Harness::Codex, "acct-A");
    stage.login(Harness::Claude, "acct-C");
    stage.spawn("agent", &format!("{}, {}", Harness::Codex.mount("acct-A"), Harness::Claude.mount("acct-C")));
    stage.send("agent", "told-b7 the secret word is plover", &["--wait", "delivered"]).ok();
    stage.turn_with("told-b7 the secret word is plover").await;
    let mut watch = stage.watch().await;
    watch.event("session.state", "agent", &["ready"]).await;
    stage.mock.set("acct-A", Scenario::usage_limit(Duration::from_secs(5400)));
    let body = "asked-b7 what was the word?";
    stage.send("agent", body, &[]).ok();
    let turn = stage.turn_with(body).await;
    assert_eq!(turn.credential, "acct-C");
    assert!(turn.times_said("told-b7 the secret word is plover") >= 1, "the brief tells the last exchange: {turn:#?}");
}

async fn quoted_errors_move_nothing(harness: Harness, stage: Stage) {
    stage.login(harness, "acct-A");
    stage.login(harness, "acct-B");
    stage.spawn("agent", &format!("{}, {}", harness.mount("acct-A"), harness.mount("acct-B")));
    let said = "Your refresh token was already used. OAuth token revoked · Please run /login. You’ve hit your usage limit.";
    let body = format!("quote-c5 what does the log say?\nMOCK:say=■ {said} {{\"code\":\"token_invalidated\"}}");
    stage.send("agent", &body, &["--wait", "delivered"]).ok();
    stage.turn_with(&body).await;
    let mut watch = stage.watch().await;
    watch.event("decision", "agent", &["\"none\""]).await;
    stage.send("agent", "after-c5", &["--wait", "delivered"]).ok();
    assert_eq!(stage.turn_with("after-c5").await.credential, "acct-A");
    let moves = watch.seen().iter().filter(|e| e.kind == "decision" && e.data.as_str().contains("rotate"));
    assert_eq!(moves.count(), 0);
    assert_eq!(stage.world.session("agent")["mount"], harness.mount("acct-A"));
}

#[tokio::test]
async fn codex_quoting_errors_stays() {
    let cli = require_cli!("codex");
    quoted_errors_move_nothing(Harness::Codex, Stage::new(&[&cli]).await).await;
}

#[tokio::test]
async fn claude_quoting_errors_stays() {
    let cli = require_cli!("claude");
    quoted_errors_move_nothing(Harness::Claude, Stage::new(&[&cli]).await).await;
}

#[tokio::test]
async fn with_no_login_left_the_session_is_parked_until_the_reset() {
    let cli = require_cli!("codex");
    let stage = Stage::new(&[&cli]).await;
    stage.login(Harness::Codex, "acct-A");
    stage.spawn("agent", &Harness::Codex.mount("acct-A"));
    stage.mock.set("acct-A", Scenario::usage_limit(Duration::from_secs(5400)));
    stage.send("agent", "parked-e2", &[]).ok();
    let mut watch = stage.watch().await;
    watch.event("decision", "agent", &["\"park\""]).await;
    watch.event("session.state", "agent", &["parked"]).await;
    let session = stage.world.session("agent");
    assert_eq!(session["state"], "parked", "{session}");
    assert!(session["until"].is_string() && session["trouble"]["message"].is_string(), "{session}");
}
