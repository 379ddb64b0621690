//! Failover of the real codex and claude: a login dies or a limit is hit, and the message goes on elsewhere.

use posthouse_tests::mock::{RefreshFault, Refusal, Scenario};
use posthouse_tests::real::{FAILOVER_WITHIN, Harness, Host};
use posthouse_tests::require_cli;
use std::time::Duration;

/// Two logins, the first of which fails so; a message; the session has to go on with the second within five seconds
/// of the decision, with the message, once, and never again with the first.
async fn the_message_goes_on_with_the_next_login(
    harness: Harness,
    host: Host,
    failing: Scenario,
    class: &str,
) {
    host.login(harness, "acct-A");
    host.login(harness, "acct-B");
    let route = format!("{}, {}", harness.mount("acct-A"), harness.mount("acct-B"));
    host.spawn("agent", &route);
    host.send("agent", "first-d40 works still", &["--wait", "delivered"]).ok();
    host.turn_with("first-d40 works still").await;
    let mut watch = host.watch().await;
    watch.event("session.turn_ended", "agent", &[]).await;

    host.mock.set("acct-A", failing);
    let body = "second-d40 must not get lost";
    let sent = host.send("agent", body, &[]).ok();
    let decision = watch.event("decision", "agent", &["acct-B", "\"rotate\""]).await;
    assert!(decision.data.as_str().contains(class), "{}", decision.data.as_str());
    let moved = tokio::time::Instant::now();
    let turn = host.turn_with(body).await;
    assert_eq!(turn.credential, "acct-B");
    assert!(moved.elapsed() < FAILOVER_WITHIN * 3, "{:?}", moved.elapsed());
    let id = sent.json()["message"].as_str().unwrap().to_owned();
    watch.event("receipt", &id, &["delivered"]).await;

    let turns = host.mock.turns();
    let well: Vec<_> = turns.iter().filter(|turn| turn.newly_says(body) && turn.succeeded()).collect();
    assert_eq!(well.len(), 1, "{well:#?}");
    let last_of_a = turns.iter().filter(|turn| turn.credential == "acct-A").map(|turn| turn.number).max();
    assert!(last_of_a < Some(turn.number), "the old login is used after the new one");
    assert!(turn.times_said("first-d40 works still") >= 1, "the conversation came along");

    let session = host.world.session("agent");
    assert_eq!(session["mount"], harness.mount("acct-B"), "{session}");
    let shown = host.world.cli(&["ls"]).ok().out;
    assert!(shown.contains("acct-A"), "{shown}");
    let explained = host.world.cli(&["route", "explain", "agent"]).ok().out;
    assert!(explained.contains("acct-A") && explained.contains("acct-B"), "{explained}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codex_with_a_reused_refresh_token() {
    let cli = require_cli!("codex");
    let dead = Scenario::Refresh(RefreshFault::Reused);
    the_message_goes_on_with_the_next_login(Harness::Codex, Host::new(&[&cli]).await, dead, "refresh_reused")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codex_with_an_invalidated_token() {
    let cli = require_cli!("codex");
    let dead = Scenario::Refuse(Refusal::TokenInvalidated);
    the_message_goes_on_with_the_next_login(Harness::Codex, Host::new(&[&cli]).await, dead, "token_revoked")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codex_at_its_usage_limit() {
    let cli = require_cli!("codex");
    let spent = Scenario::usage_limit(Duration::from_secs(5400));
    the_message_goes_on_with_the_next_login(Harness::Codex, Host::new(&[&cli]).await, spent, "quota_reset")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claude_with_a_revoked_token() {
    let cli = require_cli!("claude");
    let dead = Scenario::Refuse(Refusal::Revoked);
    the_message_goes_on_with_the_next_login(Harness::Claude, Host::new(&[&cli]).await, dead, "token_revoked")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claude_at_its_usage_limit() {
    let cli = require_cli!("claude");
    let spent = Scenario::usage_limit(Duration::from_secs(5400));
    the_message_goes_on_with_the_next_login(Harness::Claude, Host::new(&[&cli]).await, spent, "quota_reset")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_codex_to_claude_with_a_handover_brief() {
    let (codex, claude) = (require_cli!("codex"), require_cli!("claude"));
    let host = Host::new(&[&codex, &claude]).await;
    host.login(Harness::Codex, "acct-A");
    host.login(Harness::Claude, "acct-C");
    host.spawn("agent", &format!("{}, {}", Harness::Codex.mount("acct-A"), Harness::Claude.mount("acct-C")));
    host.send("agent", "told-b7 the secret word is plover", &["--wait", "delivered"]).ok();
    host.turn_with("told-b7 the secret word is plover").await;
    let mut watch = host.watch().await;
    watch.event("session.turn_ended", "agent", &[]).await;
    host.mock.set("acct-A", Scenario::usage_limit(Duration::from_secs(5400)));
    let body = "asked-b7 what was the word?";
    host.send("agent", body, &[]).ok();
    let turn = host.turn_with(body).await;
    assert_eq!(turn.credential, "acct-C");
    assert!(
        turn.times_said("told-b7 the secret word is plover") >= 1,
        "the brief tells the last exchange: {turn:#?}"
    );
}

async fn quoted_errors_move_nothing(harness: Harness, host: Host) {
    host.login(harness, "acct-A");
    host.login(harness, "acct-B");
    host.spawn("agent", &format!("{}, {}", harness.mount("acct-A"), harness.mount("acct-B")));
    let said = "Your refresh token was already used. OAuth token revoked · Please run /login. You’ve hit your usage limit.";
    let body =
        format!("quote-c5 what does the log say?\nMOCK:say=■ {said} {{\"code\":\"token_invalidated\"}}");
    host.send("agent", &body, &["--wait", "delivered"]).ok();
    host.turn_with(&body).await;
    let mut watch = host.watch().await;
    watch.event("decision", "agent", &["\"none\""]).await;
    host.send("agent", "after-c5", &["--wait", "delivered"]).ok();
    assert_eq!(host.turn_with("after-c5").await.credential, "acct-A");
    let moves = watch.seen().iter().filter(|e| e.kind == "decision" && e.data.as_str().contains("rotate"));
    assert_eq!(moves.count(), 0);
    assert_eq!(host.world.session("agent")["mount"], harness.mount("acct-A"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codex_quoting_errors_stays() {
    let cli = require_cli!("codex");
    quoted_errors_move_nothing(Harness::Codex, Host::new(&[&cli]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claude_quoting_errors_stays() {
    let cli = require_cli!("claude");
    quoted_errors_move_nothing(Harness::Claude, Host::new(&[&cli]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_no_login_left_the_session_is_parked_until_the_reset() {
    let cli = require_cli!("codex");
    let host = Host::new(&[&cli]).await;
    host.login(Harness::Codex, "acct-A");
    host.spawn("agent", &Harness::Codex.mount("acct-A"));
    host.mock.set("acct-A", Scenario::usage_limit(Duration::from_secs(5400)));
    host.send("agent", "parked-e2", &[]).ok();
    let mut watch = host.watch().await;
    watch.event("decision", "agent", &["\"park\""]).await;
    watch.event("session.state", "agent", &["\"state\":\"parked\""]).await;
    let session = host.world.session("agent");
    assert_eq!(session["state"], "parked", "{session}");
    assert!(session["until"].is_string() && session["trouble"]["message"].is_string(), "{session}");
}
