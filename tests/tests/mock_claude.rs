//! The real `claude -p` against the mock provider: what it submits, and what each refusal makes of it.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use posthouse_tests::lab::{ClaudeLogin, Expiry, Home, Lab, claude_home};
use posthouse_tests::mock::{Endpoint, MockProvider, Outcome, RefreshFault, Refusal, Scenario};
use posthouse_tests::require_cli;

/// Longer than any failure here takes claude, shorter than a hung test.
const DEADLINE: Duration = Duration::from_secs(60);
const KEY: &str = "sk-ant-api03-lab-key-A-0123456789";

async fn print(claude: &Path, home: &Home, lab: &Lab, prompt: &str) -> Output {
    let mut command = home.command(claude, &lab.cwd());
    command.args(["-p", "--output-format", "stream-json", "--verbose", prompt]);
    tokio::time::timeout(DEADLINE, command.output())
        .await
        .expect("claude ends in time")
        .expect("claude starts")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn a_prompt_arrives_byte_for_byte_and_once() {
    let claude = require_cli!("claude");
    let (lab, mock) = (Lab::new().unwrap(), MockProvider::start().await.unwrap());
    let home = claude_home(&lab, &mock, "home", ClaudeLogin::Key(KEY)).unwrap();
    let prompt = "zwei\n\n\tZeilen: 日本語 👩‍👩‍👧 e\u{301}\nMOCK:say=verstanden";
    let output = print(&claude, &home, &lab, prompt).await;
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("verstanden"));
    let turns = mock.turns();
    assert_eq!(turns.len(), 1, "{turns:#?}");
    assert_eq!(turns[0].credential, KEY);
    assert_eq!(turns[0].times_said(prompt), 1);
}

#[tokio::test]
async fn a_tool_call_runs_and_its_output_comes_back() {
    let claude = require_cli!("claude");
    let (lab, mock) = (Lab::new().unwrap(), MockProvider::start().await.unwrap());
    let home = claude_home(&lab, &mock, "home", ClaudeLogin::Key(KEY)).unwrap();
    let output = print(&claude, &home, &lab, "MOCK:tool=echo from-$((20 + 22))").await;
    assert!(output.status.success(), "{}", text(&output));
    let turns = mock.turns();
    assert_eq!(turns.len(), 2, "{turns:#?}");
    assert!(turns[1].conversation.after_tool());
}

#[tokio::test]
async fn oauth_tokens_work_from_the_environment_and_from_the_store() {
    let claude = require_cli!("claude");
    let (lab, mock) = (Lab::new().unwrap(), MockProvider::start().await.unwrap());
    let logins = [ClaudeLogin::Token("acct-A"), ClaudeLogin::Stored("acct-B", Expiry::Ahead)];
    for (name, login) in ["token", "stored"].into_iter().zip(logins) {
        let home = claude_home(&lab, &mock, name, login).unwrap();
        let output = print(&claude, &home, &lab, "hello").await;
        assert!(output.status.success(), "{name}: {}", text(&output));
    }
    let who: Vec<_> = mock.turns().into_iter().map(|turn| turn.credential).collect();
    assert_eq!(who, ["acct-A", "acct-B"]);
}

#[tokio::test]
async fn an_expired_login_is_refreshed_at_the_mock() {
    let claude = require_cli!("claude");
    let (lab, mock) = (Lab::new().unwrap(), MockProvider::start().await.unwrap());
    let home = claude_home(&lab, &mock, "home", ClaudeLogin::Stored("acct-A", Expiry::Past)).unwrap();
    let output = print(&claude, &home, &lab, "hello").await;
    assert!(output.status.success(), "{}", text(&output));
    let refreshes: Vec<_> = mock.requests().into_iter().filter(|e| e.endpoint == Endpoint::Token).collect();
    assert_eq!(refreshes.len(), 1);
    assert_eq!((refreshes[0].credential.as_str(), refreshes[0].outcome), ("acct-A", Outcome::Answered(200)));
}

#[tokio::test]
async fn refusals_end_the_run_and_say_why() {
    let claude = require_cli!("claude");
    let cases = [
        (Scenario::Refuse(Refusal::Revoked), "OAuth token revoked"),
        (Scenario::Refuse(Refusal::TokenExpired), "OAuth token has expired"),
        (Scenario::usage_limit(Duration::from_secs(600)), "You've hit your"),
        (Scenario::Refuse(Refusal::Billing), "Credit balance is too low"),
        (Scenario::Refuse(Refusal::Overloaded), "529"),
    ];
    let (lab, mock) = (Lab::new().unwrap(), MockProvider::start().await.unwrap());
    for (number, (scenario, says)) in cases.into_iter().enumerate() {
        let account = format!("acct-{number}");
        let mut home = claude_home(&lab, &mock, &account, ClaudeLogin::Token(&account)).unwrap();
        // Its own patience with an overloaded provider is minutes.
        home.env.insert("CLAUDE_CODE_MAX_RETRIES".to_owned(), "2".into());
        mock.set(&account, scenario.clone());
        let output = print(&claude, &home, &lab, "hello").await;
        assert_eq!(output.status.code(), Some(1), "{scenario:?}");
        assert!(text(&output).contains(says), "{scenario:?}: {}", text(&output));
    }
}

#[tokio::test]
async fn a_refused_refresh_ends_the_login() {
    let claude = require_cli!("claude");
    let (lab, mock) = (Lab::new().unwrap(), MockProvider::start().await.unwrap());
    mock.set("acct-A", Scenario::Refresh(RefreshFault::InvalidGrant));
    let home = claude_home(&lab, &mock, "home", ClaudeLogin::Stored("acct-A", Expiry::Past)).unwrap();
    let output = print(&claude, &home, &lab, "hello").await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("could not be refreshed"), "{}", text(&output));
}
