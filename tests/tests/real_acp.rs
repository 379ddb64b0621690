//! An editor works with the real codex and claude through `posthouse acp`.

use posthouse_tests::editor::Editor;
use posthouse_tests::real::{Harness, Host};
use posthouse_tests::require_cli;

async fn an_editor_gets_what_the_agent_says_and_does(harness: Harness, host: Host) {
    host.login(harness, "acct-A");
    let mut editor = Editor::start(&host.world, &["builder", "--route", &harness.mount("acct-A"), "--trust"]);
    editor.open("builder", &host.lab.cwd());
    let id = editor.prompt("builder", "first-9a1\nMOCK:say=The answer is 42.");
    let done = editor.answer(id);
    assert_eq!(done["result"]["stopReason"], "end_turn", "{done}");
    let echo = editor.updates.iter().find(|update| update["sessionUpdate"] == "user_message_chunk");
    assert_eq!(echo, None, "the editor shows its own prompt by itself");
    assert_eq!(editor.said(), "The answer is 42.");

    let id = editor.prompt("builder", "second-9a1 please take your time\nMOCK:slow=60");
    let turn = |e: &posthouse_tests::mock::Exchange| e.newly_says("second-9a1");
    host.mock.wait_for(posthouse_tests::world::PATIENCE, turn).await.expect("a turn");
    editor.tell("session/cancel", serde_json::json!({ "sessionId": "builder" }));
    let cancelled = editor.answer(id);
    assert_eq!(cancelled["result"]["stopReason"], "cancelled", "{cancelled}");
    editor.close();
    assert_eq!(host.times_said("first-9a1"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_codex() {
    let cli = require_cli!("codex");
    let host = Host::new(&[&cli]).await;
    an_editor_gets_what_the_agent_says_and_does(Harness::Codex, host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_claude() {
    let cli = require_cli!("claude");
    let host = Host::new(&[&cli]).await;
    an_editor_gets_what_the_agent_says_and_does(Harness::Claude, host).await;
}
