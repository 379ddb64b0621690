//! A person's own claude, outside of sessions, hears by its channels that a message waits, and takes it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use posthouse_tests::lab::{ClaudeLogin, Expiry, claude_home};
use posthouse_tests::pty::Terminal;
use posthouse_tests::real::Host;
use posthouse_tests::require_cli;
use posthouse_tests::until;
use posthouse_tests::world::program;
use serde_json::{Value, json};

/// Changes a JSON file.
fn edit(file: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    change(&mut value);
    fs::write(file, value.to_string()).unwrap();
}

/// Channels are behind a switch that claude remembers from its provider, and forgets where it may not ask.
fn switch_channels_on(home: &Path) {
    let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    edit(&home.join(".claude.json"), |state| {
        for name in ["cachedFeatureFlags", "cachedGrowthBookFeatures"] {
            state[name] = json!({ "tengu_harbor": true });
            state[format!("{name}At")] = now.into();
        }
    });
    edit(&home.join("settings.json"), |settings| {
        let variables = settings["env"].as_object_mut().unwrap();
        variables.retain(|name, _| {
            !["DISABLE_TELEMETRY", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"].contains(&name.as_str())
        });
    });
}

async fn until_written(log: &Path, words: &str) {
    let written = || fs::read_to_string(log).is_ok_and(|text| text.contains(words));
    assert!(until::so(written).await, "{words} is not in {}", fs::read_to_string(log).unwrap_or_default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claude_hears_that_a_message_waits() {
    let cli = require_cli!("claude");
    let host = Host::new(&[&cli]).await;
    let login = ClaudeLogin::Stored("acct-A", Expiry::Ahead);
    let home = claude_home(&host.lab, &host.mock, "claude", login).unwrap();
    switch_channels_on(&home.dir);
    let args = json!(["--socket", host.world.socket(), "mcp", "--name", "editor", "--channel"]);
    let servers = json!({ "mcpServers": { "posthouse": { "command": program("posthouse"), "args": args } } });
    let log = home.dir.join("debug.log");
    let mut command = Command::new(&cli);
    command.env_clear().envs(&home.env).current_dir(host.lab.cwd());
    command.args(["--mcp-config", &servers.to_string()]).arg("--debug-file").arg(&log);
    command.args(["--dangerously-load-development-channels", "server:posthouse"]);
    let mut terminal = Terminal::open(&command, 40, 120);
    terminal.wait_text("I am using this for local development").await;
    terminal.types(b"\r");
    until_written(&log, "Channel notifications registered").await;

    let sent = host.send("editor", "a word for you", &[]).ok().json();
    let message = sent["receipts"][0]["message"].as_str().unwrap();
    let event = format!("<channel source=\"posthouse\" from=\"tester\" message=\"{message}\"");
    host.turn_with(&event).await;
    let state = || {
        let inbox = host.world.cli(&["inbox", "--json", "--of", "editor"]).ok().json();
        inbox["messages"][0]["state"].as_str().unwrap().to_owned()
    };
    assert_ne!(state(), "delivered", "what was heard is not what was taken");

    terminal.types(b"MOCK:tool=mcp posthouse__wait_for_message {}");
    terminal.wait_text("wait_for_message {}").await;
    terminal.types(b"\r");
    terminal.wait_text("Called posthouse").await;
    assert_eq!(state(), "delivered");
}
