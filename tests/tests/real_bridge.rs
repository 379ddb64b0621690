//! Sessions of the real codex and claude have Posthouse's MCP server, and two of each write to each other by its tools. Codex
//! asks its user before each call, unless the user has said once that it need not.

use posthouse_tests::mock::Exchange;
use posthouse_tests::real::{Harness, Host};
use posthouse_tests::require_cli;
use posthouse_tests::world::PATIENCE;

/// What a user adds to codex's settings to have the tools called unasked; the server that is started stays the session's.
fn let_call(host: &Host, alias: &str) {
    let file = host.lab.path().join(format!("codex-{alias}/config.toml"));
    let settings = std::fs::read_to_string(&file).expect("settings");
    let server = "[mcp_servers.posthouse]\ncommand = \"posthouse\"\nargs = [\"mcp\"]\n";
    let added = format!("{settings}{server}default_tools_approval_mode = \"approve\"\n");
    std::fs::write(&file, added).expect("settings");
}

async fn two_agents_write_to_each_other(harness: Harness, host: Host) {
    for alias in ["acct-A", "acct-B"] {
        host.login(harness, alias);
        if harness == Harness::Codex {
            let_call(&host, alias);
        }
    }
    host.spawn("ann", &harness.mount("acct-A"));
    host.spawn("bob", &harness.mount("acct-B"));
    let tool = |to: &str, text: &str| {
        let arguments = serde_json::json!({ "to": to, "text": text });
        format!("MOCK:tool=mcp posthouse__send {arguments}")
    };
    // Ann's model calls `send`; what it says is typed into bob's terminal, whose model answers in the same way.
    let answer = tool("ann", "heard-m1 you are heard");
    let question = format!("question-m1 are you there?\n{answer}");
    host.send("ann", &format!("start-m1 please ask bob\n{}", tool("bob", &question)), &[]).ok();
    // Who speaks is known by the session, whatever the agent says.
    for (who, from, body) in
        [("acct-B", "ann", "question-m1 are you there?"), ("acct-A", "bob", "heard-m1 you are heard")]
    {
        let header = format!("[posthouse from={from} ");
        let told =
            |e: &Exchange| e.is_turn() && e.credential == who && e.newly_says(body) && e.newly_says(&header);
        let screens = || ["ann", "bob"].map(|name| host.world.cli(&["screen", name]).out).join("\n");
        host.mock.wait_for(PATIENCE, told).await.unwrap_or_else(|why| panic!("{why}\n{}", screens()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_claudes_write_to_each_other_by_mcp() {
    let cli = require_cli!("claude");
    two_agents_write_to_each_other(Harness::Claude, Host::new(&[&cli]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_codexes_write_to_each_other_by_mcp() {
    let cli = require_cli!("codex");
    two_agents_write_to_each_other(Harness::Codex, Host::new(&[&cli]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codex_has_the_tools_and_asks_its_user_before_it_calls_one() {
    let cli = require_cli!("codex");
    let host = Host::new(&[&cli]).await;
    host.login(Harness::Codex, "acct-A");
    host.spawn("ann", &Harness::Codex.mount("acct-A"));
    let body = "tools-m2 who is there?\nMOCK:tool=mcp posthouse__send {\"to\":\"ann\",\"text\":\"me\"}";
    host.send("ann", body, &["--wait", "delivered"]).ok();
    let mut watch = host.watch().await;
    watch.event("session.state", "ann", &["\"state\":\"blocked\""]).await;
    let screen = host.world.cli(&["screen", "ann"]).ok().out;
    assert!(screen.contains("Allow the posthouse MCP server to run tool"), "{screen}");
}
