//! The real `codex exec` against the mock provider: what it submits, and what each refusal makes of it.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use posthouse_tests::lab::{CodexLogin, Home, Lab, codex_home};
use posthouse_tests::mock::{Endpoint, Exchange, MockProvider, RefreshFault, Refusal, Scenario};
use posthouse_tests::require_cli;

/// Longer than any failure here takes codex, shorter than a hung test.
const DEADLINE: Duration = Duration::from_secs(60);

async fn exec(codex: &Path, home: &Home, lab: &Lab, prompt: &str) -> Output {
    let mut command = home.command(codex, &lab.cwd());
    command.args(["exec", "--json", "--skip-git-repo-check", prompt]);
    tokio::time::timeout(DEADLINE, command.output()).await.expect("codex ends in time").expect("codex starts")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn a_prompt_arrives_byte_for_byte_and_once() {
    let codex = require_cli!("codex");
    let (lab, mock) = (Lab::new().unwrap(), MockProvider::start().await.unwrap());
    let home = codex_home(&lab, &mock, "home", CodexLogin::Key("sk-lab-A")).unwrap();
    let prompt = "  zwei\n\n\tZeilen: 日本語 👩‍👩‍👧 e\u{301}\nMOCK:say=verstanden";
    let output = exec(&codex, &home, &lab, prompt).await;
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("verstanden"));
    let turns = mock.turns();
    assert_eq!(turns.len(), 1, "{turns:#?}");
    assert_eq!(turns[0].credential, "sk-lab-A");
    assert_eq!(turns[0].times_said(prompt), 1);
    assert!(turns[0].succeeded());
}

#[tokio::test]
async fn a_tool_call_runs_and_its_output_comes_back() {
    let codex = require_cli!("codex");
    let (lab, mock) = (Lab::new().unwrap(), MockProvider::start().await.unwrap());
    let home = codex_home(&lab, &mock, "home", CodexLogin::Key("sk-lab-A")).unwrap();
    let output = exec(&codex, &home, &lab, "MOCK:tool=echo from-$((20 + 22))").await;
    assert!(output.status.success(), "{}", text(&output));
    let turns = mock.turns();
    assert_eq!(turns.len(), 2, "{turns:#?}");
    let heard: String = turns[1].conversation.utterances.iter().flat_map(|u| u.blocks.clone()).collect();
    assert!(turns[1].conversation.after_tool() && heard.contains("from-42"), "{heard}");
}

#[tokio::test]
async fn a_key_gets_its_own_scenario() {
    let codex = require_cli!("codex");
    let (lab, mock) = (Lab::new().unwrap(), MockProvider::start().await.unwrap());
    mock.set("sk-lab-A", Scenario::usage_limit(Duration::from_secs(600)));
    let spent = codex_home(&lab, &mock, "spent", CodexLogin::Key("sk-lab-A")).unwrap();
    let fresh = codex_home(&lab, &mock, "fresh", CodexLogin::Key("sk-lab-B")).unwrap();
    let output = exec(&codex, &spent, &lab, "hello").await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("hit your usage limit"), "{}", text(&output));
    assert!(exec(&codex, &fresh, &lab, "hello").await.status.success());
    let answered: Vec<_> = mock.turns().iter().map(|t| (t.credential.clone(), t.succeeded())).collect();
    assert_eq!(answered, [("sk-lab-A".to_owned(), false), ("sk-lab-B".to_owned(), true)]);
}

#[tokio::test]
async fn a_chatgpt_login_works_over_https() {
    let codex = require_cli!("codex");
    let (lab, mock) = (Lab::new().unwrap(), MockProvider::start().await.unwrap());
    let home = codex_home(&lab, &mock, "home", CodexLogin::ChatGpt("acct-A")).unwrap();
    let output = exec(&codex, &home, &lab, "MOCK:say=over https").await;
    assert!(output.status.success() && text(&output).contains("over https"), "{}", text(&output));
    let turns = mock.turns();
    assert_eq!(turns.len(), 1, "{turns:#?}");
    assert_eq!(turns[0].credential, "acct-A");
}

#[tokio::test]
async fn a_dead_login_says_why() {
    let codex = require_cli!("codex");
    let cases = [
        (Scenario::Refresh(RefreshFault::Reused), "refresh token was already used"),
        (Scenario::Refresh(RefreshFault::Expired), "refresh token has expired"),
        (Scenario::Refresh(RefreshFault::Invalidated), "was revoked"),
        (Scenario::Refresh(RefreshFault::InvalidGrant), "could not be refreshed"),
        (Scenario::Refuse(Refusal::TokenInvalidated), "has been invalidated"),
    ];
    let (lab, mock) = (Lab::new().unwrap(), MockProvider::start().await.unwrap());
    for (number, (scenario, says)) in cases.into_iter().enumerate() {
        let account = format!("acct-{number}");
        let home = codex_home(&lab, &mock, &account, CodexLogin::ChatGpt(&account)).unwrap();
        mock.set(&account, scenario.clone());
        let output = exec(&codex, &home, &lab, "hello").await;
        assert_eq!(output.status.code(), Some(1), "{scenario:?}");
        assert!(text(&output).contains(says), "{scenario:?}: {}", text(&output));
        let refreshed = |e: &Exchange| e.endpoint == Endpoint::Token && e.credential == account;
        assert!(mock.requests().iter().any(refreshed), "{scenario:?}");
    }
}
