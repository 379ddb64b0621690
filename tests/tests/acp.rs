//! `posthouse acp` as an editor uses it: a hand-written client over its standard input and output.

use std::path::PathBuf;

use posthouse_tests::editor::Editor;
use posthouse_tests::standin::DEFINITION;
use posthouse_tests::world::{World, program};
use serde_json::json;

/// A daemon that knows the stand-in harness.
fn world() -> World {
    let mut world = World::new();
    let definition = DEFINITION.replace("program = \"standin\"", &format!("program = {}", quoted()));
    world.define_harness("standin", &definition);
    world.set("STANDIN_HOME", world.home().join("standin-home"));
    world.set("STANDIN_REVOKED", revoked(&world));
    world.start();
    world
}

/// Keys that the provider does not take any more.
fn revoked(world: &World) -> PathBuf {
    world.home().join("revoked")
}

fn quoted() -> String {
    json!(program("standin").to_string_lossy()).to_string()
}

#[test]
fn an_editor_opens_a_session_prompts_it_and_gets_the_answer() {
    let world = world();
    let mut editor = Editor::start(&world, &["builder"]);
    let refused = editor.call("session/new", json!({ "cwd": "/", "mcpServers": [] }));
    assert_eq!(refused["error"]["code"], -32002, "{refused}");
    assert!(refused["error"]["message"].as_str().is_some_and(|m| m.contains("posthouse spawn builder")));
    editor.close();

    let mut editor = Editor::start(&world, &["builder", "--harness", "standin"]);
    editor.open("builder", world.home());
    assert_eq!(world.session("builder")["cwd"], world.home().to_string_lossy().as_ref());
    let id = editor.prompt("builder", "hello\nDO tool");
    let done = editor.answer(id);
    assert_eq!(done["result"]["stopReason"], "end_turn", "{done}");
    let kinds: Vec<&str> =
        editor.updates.iter().filter_map(|update| update["sessionUpdate"].as_str()).collect();
    assert_eq!(kinds, ["tool_call", "tool_call_update", "agent_message_chunk"], "{:#?}", editor.updates);
    assert_eq!(editor.updates[0]["title"], "Bash: true");
    assert_eq!(editor.said(), "Done.");

    // A second turn tells only what is new.
    let id = editor.prompt("builder", "again");
    assert_eq!(editor.answer(id)["result"]["stopReason"], "end_turn");
    assert_eq!(editor.said(), "Done.");
    editor.close();
    assert_eq!(world.session("builder")["state"], "ready", "the session outlives its editor");

    // Another editor goes on with it.
    let mut editor = Editor::start(&world, &["builder"]);
    let listed = editor.call("session/list", json!({}));
    assert_eq!(listed["result"]["sessions"][0]["sessionId"], "builder", "{listed}");
    let named = json!({ "sessionId": "builder", "cwd": "/", "mcpServers": [] });
    let loaded = editor.call("session/load", named);
    assert!(loaded["result"].is_object(), "{loaded}");
    let told: Vec<&str> =
        editor.updates.iter().filter_map(|update| update["content"]["text"].as_str()).collect();
    assert_eq!(told, ["hello\nDO tool", "Done.", "again", "Done."]);
    editor.close();
}

#[test]
fn a_prompt_is_cancelled_and_the_next_one_runs() {
    let world = world();
    let mut editor = Editor::start(&world, &["builder", "--harness", "standin"]);
    editor.open("builder", world.home());
    let id = editor.prompt("builder", "work\nDO tool\nDO slow 600000");
    editor.until("the tool", |message| message["params"]["update"]["sessionUpdate"] == "tool_call");
    editor.tell("session/cancel", json!({ "sessionId": "builder" }));
    let cancelled = editor.answer(id);
    assert_eq!(cancelled["result"]["stopReason"], "cancelled", "{cancelled}");
    let id = editor.prompt("builder", "then");
    assert_eq!(editor.answer(id)["result"]["stopReason"], "end_turn");
    assert_eq!(editor.said(), "Done.");
    editor.close();
}

#[test]
fn a_prompt_outlives_the_daemon() {
    let mut world = world();
    let mut editor = Editor::start(&world, &["builder", "--harness", "standin"]);
    editor.open("builder", world.home());
    let id = editor.prompt("builder", "work\nDO tool\nDO slow 1500");
    editor.until("the tool", |message| message["params"]["update"]["sessionUpdate"] == "tool_call");
    world.kill_and_restart();
    let done = editor.answer(id);
    assert_eq!(done["result"]["stopReason"], "end_turn", "{done}");
    assert_eq!(editor.said(), "Done.");
    editor.close();
}

#[test]
fn a_prompt_is_answered_on_the_next_login_and_the_editor_reads_why() {
    let world = world();
    for alias in ["red", "blue"] {
        let add = ["credential", "add", "example", alias, "--api-key-stdin"];
        world.cli_with_input(&add, format!("key-{alias}").as_bytes()).ok();
    }
    let route = "standin@example/red, standin@example/blue";
    let mut editor = Editor::start(&world, &["builder", "--route", route]);
    editor.open("builder", world.home());
    let id = editor.prompt("builder", "first");
    assert_eq!(editor.answer(id)["result"]["stopReason"], "end_turn");
    assert_eq!(editor.said(), "Done.");

    std::fs::write(revoked(&world), "key-red\n").expect("written");
    let id = editor.prompt("builder", "second");
    let done = editor.answer(id);
    assert_eq!(done["result"]["stopReason"], "end_turn", "{done}");
    let said = editor.said();
    let names = ["Posthouse: ", "example/red", "example/blue"];
    assert!(names.iter().all(|name| said.contains(name)), "{said}");
    assert!(said.ends_with("Done."), "{said}");
    assert_eq!(world.session("builder")["mount"], "standin@example/blue");
    editor.close();
}

#[test]
fn an_editor_is_told_when_a_person_is_needed() {
    let world = world();
    let mut editor = Editor::start(&world, &["builder", "--harness", "standin"]);
    editor.open("builder", world.home());
    let id = editor.prompt("builder", "work\nDO dialog");
    let notice =
        editor.until("a notice", |message| message["params"]["update"]["content"]["text"].is_string());
    let text = notice["params"]["update"]["content"]["text"].as_str().unwrap_or_default().to_owned();
    assert!(text.contains("posthouse attach builder"), "{text}");
    assert_eq!(world.cli(&["release", "builder"]).ok().code, 0);
    let failed = editor.answer(id);
    assert_eq!(failed["error"]["code"], -32603, "{failed}");
    editor.close();
}

#[test]
fn a_program_without_a_conversation_is_told_by_its_screen() {
    let world = world();
    world
        .cli(&["spawn", "builder", "--", "sh", "-c", "stty -echo; while read line; do echo got: $line; done"])
        .ok();
    let mut editor = Editor::start(&world, &["builder"]);
    editor.open("builder", world.home());
    let id = editor.prompt("builder", "ping");
    let done = editor.answer(id);
    assert_eq!(done["result"]["stopReason"], "end_turn", "{done}");
    assert!(editor.said().contains("got: ping"));
    editor.close();
}

#[test]
fn nonsense_is_refused_by_its_code() {
    let world = world();
    let mut editor = Editor::start(&world, &["builder"]);
    for (line, code) in [
        ("{", -32700),
        ("[1]", -32600),
        (r#"{"jsonrpc":"2.0","id":7,"method":"session/prompt","params":{}}"#, -32602),
        (r#"{"jsonrpc":"2.0","id":7,"method":"session/dance"}"#, -32601),
        (r#"{"jsonrpc":"2.0","id":7,"method":"session/load","params":{"sessionId":"x"}}"#, -32002),
    ] {
        editor.write(line);
        let refused = editor.until("a refusal", |message| message["error"].is_object());
        assert_eq!(refused["error"]["code"], code, "{line}: {refused}");
    }
    editor.close();
}
