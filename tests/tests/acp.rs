//! `posthouse acp` as an editor uses it: a hand-written client over its standard input and output.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};

use posthouse_tests::standin::DEFINITION;
use posthouse_tests::world::{PATIENCE, World, program};
use serde_json::{Value, json};

/// A daemon that knows the stand-in harness.
fn world() -> World {
    let mut world = World::new();
    let definition = DEFINITION.replace("program = \"standin\"", &format!("program = {}", quoted()));
    world.define_harness("standin", &definition);
    world.set("STANDIN_HOME", world.home().join("standin-home"));
    world.start();
    world
}

fn quoted() -> String {
    json!(program("standin").to_string_lossy()).to_string()
}

/// An editor.
struct Editor {
    agent: Child,
    input: Option<ChildStdin>,
    output: Receiver<Value>,
    last_id: u64,
    /// Updates that came so far.
    updates: Vec<Value>,
}

impl Editor {
    fn start(world: &World, args: &[&str]) -> Self {
        let mut command = world.command();
        command.arg("acp").args(args).current_dir(world.home());
        let mut agent = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let (sender, output) = channel();
        let lines = BufReader::new(agent.stdout.take().expect("piped")).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let message =
                    serde_json::from_str(&line).unwrap_or_else(|e| panic!("not JSON ({e}): {line}"));
                let _ = sender.send(message);
            }
        });
        let input = agent.stdin.take();
        let mut editor = Self { agent, input, output, last_id: 0, updates: Vec::new() };
        let hello = editor.call("initialize", json!({ "protocolVersion": 2, "clientCapabilities": {} }));
        assert_eq!(hello["result"]["protocolVersion"], 1);
        assert_eq!(hello["result"]["agentCapabilities"]["loadSession"], true);
        editor
    }

    fn write(&mut self, message: &Value) {
        let input = self.input.as_mut().expect("open");
        writeln!(input, "{message}").and_then(|()| input.flush()).expect("it reads");
    }

    fn ask(&mut self, method: &str, params: Value) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.write(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params);
        self.answer(id)
    }

    fn answer(&mut self, id: u64) -> Value {
        self.until(&format!("the answer to {id}"), |message| message["id"] == id)
    }

    /// The next message that is what is wanted; updates on the way are kept.
    fn until(&mut self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        loop {
            let next = self.output.recv_timeout(PATIENCE);
            let message =
                next.unwrap_or_else(|e| panic!("{what} does not come ({e}); so far: {:#?}", self.updates));
            assert_eq!(message["jsonrpc"], "2.0");
            if message["method"] == "session/update" {
                self.updates.push(message["params"]["update"].clone());
            }
            if is(&message) {
                return message;
            }
        }
    }

    fn open(&mut self, cwd: &World) {
        let cwd = cwd.home().to_string_lossy().into_owned();
        let opened = self.call("session/new", json!({ "cwd": cwd, "mcpServers": [] }));
        assert_eq!(opened["result"]["sessionId"], "builder", "{opened}");
    }

    fn prompt(&mut self, text: &str) -> u64 {
        let prompt = json!([{ "type": "text", "text": text }]);
        self.ask("session/prompt", json!({ "sessionId": "builder", "prompt": prompt }))
    }

    /// Everything the agent said since it was last asked.
    fn said(&mut self) -> String {
        let said = std::mem::take(&mut self.updates);
        let said = said.iter().filter(|update| update["sessionUpdate"] == "agent_message_chunk");
        said.map(|update| update["content"]["text"].as_str().expect("text")).collect()
    }

    fn close(mut self) {
        self.input = None;
        assert!(self.agent.wait().expect("it ends").success());
    }
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
    editor.open(&world);
    assert_eq!(world.session("builder")["cwd"], world.home().to_string_lossy().as_ref());
    let id = editor.prompt("hello\nDO tool");
    let done = editor.answer(id);
    assert_eq!(done["result"]["stopReason"], "end_turn", "{done}");
    let kinds: Vec<&str> =
        editor.updates.iter().filter_map(|update| update["sessionUpdate"].as_str()).collect();
    assert_eq!(kinds, ["tool_call", "tool_call_update", "agent_message_chunk"], "{:#?}", editor.updates);
    assert_eq!(editor.updates[0]["title"], "Bash: true");
    assert_eq!(editor.said(), "Done.");

    // A second turn tells only what is new.
    let id = editor.prompt("again");
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
    editor.open(&world);
    let id = editor.prompt("work\nDO tool\nDO slow 600000");
    editor.until("the tool", |message| message["params"]["update"]["sessionUpdate"] == "tool_call");
    editor.tell("session/cancel", json!({ "sessionId": "builder" }));
    let cancelled = editor.answer(id);
    assert_eq!(cancelled["result"]["stopReason"], "cancelled", "{cancelled}");
    let id = editor.prompt("then");
    assert_eq!(editor.answer(id)["result"]["stopReason"], "end_turn");
    assert_eq!(editor.said(), "Done.");
    editor.close();
}

#[test]
fn a_prompt_outlives_the_daemon() {
    let mut world = world();
    let mut editor = Editor::start(&world, &["builder", "--harness", "standin"]);
    editor.open(&world);
    let id = editor.prompt("work\nDO tool\nDO slow 1500");
    editor.until("the tool", |message| message["params"]["update"]["sessionUpdate"] == "tool_call");
    world.kill_and_restart();
    let done = editor.answer(id);
    assert_eq!(done["result"]["stopReason"], "end_turn", "{done}");
    assert_eq!(editor.said(), "Done.");
    editor.close();
}

#[test]
fn an_editor_is_told_when_a_person_is_needed() {
    let world = world();
    let mut editor = Editor::start(&world, &["builder", "--harness", "standin"]);
    editor.open(&world);
    let id = editor.prompt("work\nDO dialog");
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
    editor.open(&world);
    let id = editor.prompt("ping");
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
        let input = editor.input.as_mut().expect("open");
        writeln!(input, "{line}").expect("it reads");
        let refused = editor.until("a refusal", |message| message["error"].is_object());
        assert_eq!(refused["error"]["code"], code, "{line}: {refused}");
    }
    editor.close();
}
