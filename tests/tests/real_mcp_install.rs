//! The real CLIs list the server that `posthouse mcp install` told them of.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use posthouse_tests::lab::{Lab, find_cli};
use posthouse_tests::require_cli;
use posthouse_tests::world::program;

/// Installs for `client` in a fresh home and runs `cli` with `args` in it. What it prints, on both streams.
fn listed(client: &str, cli: &Path, args: &[&str]) -> String {
    let lab = Lab::new().expect("a lab");
    let run = |program: &Path, args: &[&str]| {
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .env("HOME", lab.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("GEMINI_CLI_TRUST_WORKSPACE", "true").env("POSTHOUSE_HOME", lab.path().join("ph"));
        let ran = command.current_dir(lab.cwd()).output().expect("it starts");
        let both = [ran.stdout, ran.stderr].map(|out| String::from_utf8_lossy(&out).into_owned()).concat();
        assert!(ran.status.success(), "{program:?} {args:?}: {both}");
        both
    };
    let before = run(cli, args);
    assert!(!before.contains("posthouse"), "{before}");
    run(&program("posthouse"), &["mcp", "install", client]);
    let listed = run(cli, args);
    run(&program("posthouse"), &["mcp", "install", client, "--uninstall"]);
    let after = run(cli, args);
    assert!(!after.contains("posthouse"), "{after}");
    listed
}

#[test]
fn claude_lists_it() {
    let cli = require_cli!("claude");
    assert!(listed("claude", &cli, &["mcp", "list"]).contains("posthouse: "));
}

#[test]
fn codex_lists_it() {
    let cli = require_cli!("codex");
    assert!(listed("codex", &cli, &["mcp", "list"]).contains("posthouse"));
}

/// Nothing else of the suite needs gemini and opencode, so nothing installs them: they are asked where they are.
fn if_there(name: &str) -> Option<PathBuf> {
    let found = find_cli(name);
    if found.is_none() {
        let _ = writeln!(std::io::stderr(), "SKIPPED: no `{name}` to list its servers");
    }
    found
}

#[test]
fn gemini_lists_it() {
    let Some(cli) = if_there("gemini") else { return };
    assert!(listed("gemini", &cli, &["mcp", "list"]).contains("posthouse"));
}

#[test]
fn opencode_lists_it() {
    let Some(cli) = if_there("opencode") else { return };
    assert!(listed("opencode", &cli, &["mcp", "list"]).contains("posthouse"));
}
