//! The command by itself: help, wrong usage, and what it says where no daemon runs.

#![allow(clippy::expect_used, reason = "a test that cannot go on is a failed one")]

use std::process::{Command, Output};

fn posthouse(args: &[&str]) -> Output {
    let home = tempfile::tempdir().expect("a home");
    Command::new(env!("CARGO_BIN_EXE_posthouse"))
        .args(args)
        .env_clear()
        .env("POSTHOUSE_HOME", home.path())
        // Inside of a session nothing starts a daemon.
        .env("POSTHOUSE_RUN", "a-run")
        .env("POSTHOUSE_SESSION", "a-session")
        .output()
        .expect("posthouse starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn help_lists_the_verbs_and_the_exit_codes() {
    let help = posthouse(&["--help"]);
    let said = text(&help.stdout);
    assert_eq!(help.status.code(), Some(0));
    for verb in ["up", "down", "status", "doctor", "spawn", "ls", "send", "inbox", "attach", "screen", "logs"]
    {
        assert!(said.contains(&format!("\n  {verb} ")), "{verb} is missing:\n{said}");
    }
    assert!(said.contains("4 no daemon"), "{said}");
}

#[test]
fn wrong_usage_is_told_with_exit_code_2() {
    for args in [
        &["sned"][..],
        &["send", "a"],
        &["send", "a/b", "x"],
        &["spawn", "x"],
        &["send", "a", "b", "--ttl", "1y"],
    ] {
        let wrong = posthouse(args);
        assert_eq!(wrong.status.code(), Some(2), "{args:?}: {}", text(&wrong.stderr));
        assert!(!wrong.stderr.is_empty() && wrong.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn inside_a_session_no_daemon_is_started() {
    let refused = posthouse(&["ls"]);
    assert_eq!(refused.status.code(), Some(4));
    assert!(
        text(&refused.stderr).contains("never started from inside a session"),
        "{}",
        text(&refused.stderr)
    );
    let json = posthouse(&["status", "--json"]);
    assert_eq!(json.status.code(), Some(4));
    let said: serde_json::Value = serde_json::from_slice(&json.stderr).expect("one JSON document");
    assert_eq!(said["error"]["exit"], 4);
}

#[test]
fn completions_and_manual_pages_are_written() {
    let script = posthouse(&["completions", "bash"]);
    assert!(text(&script.stdout).contains("posthouse"));
    let dir = tempfile::tempdir().expect("a directory");
    let pages = posthouse(&["man", dir.path().to_str().expect("a path")]);
    assert_eq!(pages.status.code(), Some(0), "{}", text(&pages.stderr));
    assert!(dir.path().join("posthouse.1").is_file());
    assert!(dir.path().join("posthouse-spawn.1").is_file());
}
