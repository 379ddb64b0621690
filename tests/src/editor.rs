//! An editor that speaks the Agent Client Protocol, written by hand: what `posthouse acp` says is judged by the
//! protocol's own words and not by our types.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use crate::world::{PATIENCE, World};

/// An editor.
#[derive(Debug)]
pub struct Editor {
    agent: Child,
    input: Option<ChildStdin>,
    output: Receiver<Value>,
    last_id: u64,
    /// Updates that came so far.
    pub updates: Vec<Value>,
}

impl Editor {
    /// Starts `posthouse acp ARGS…` and shakes hands.
    ///
    /// # Panics
    /// When it does not answer as it should; so do all of these.
    pub fn start(world: &World, args: &[&str]) -> Self {
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

    /// Writes a line.
    pub fn write(&mut self, line: &str) {
        let input = self.input.as_mut().expect("open");
        writeln!(input, "{line}").and_then(|()| input.flush()).expect("it reads");
    }

    /// Sends a request and returns its id.
    pub fn ask(&mut self, method: &str, params: Value) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string());
        id
    }

    /// Sends a notification.
    pub fn tell(&mut self, method: &str, params: Value) {
        self.write(&json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string());
    }

    /// Sends a request and waits for its answer.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params);
        self.answer(id)
    }

    /// Waits for the answer to a request.
    pub fn answer(&mut self, id: u64) -> Value {
        self.until(&format!("the answer to {id}"), |message| message["id"] == id)
    }

    /// The next message that is what is wanted; updates on the way are kept.
    pub fn until(&mut self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
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

    /// Opens the session for work in `cwd`.
    pub fn open(&mut self, session: &str, cwd: &Path) {
        let opened = self.call("session/new", json!({ "cwd": cwd, "mcpServers": [] }));
        assert_eq!(opened["result"]["sessionId"], session, "{opened}");
    }

    /// Prompts and returns the request's id.
    pub fn prompt(&mut self, session: &str, text: &str) -> u64 {
        let prompt = json!([{ "type": "text", "text": text }]);
        self.ask("session/prompt", json!({ "sessionId": session, "prompt": prompt }))
    }

    /// Everything the agent said since it was last asked.
    pub fn said(&mut self) -> String {
        let said = std::mem::take(&mut self.updates);
        let said = said.iter().filter(|update| update["sessionUpdate"] == "agent_message_chunk");
        said.map(|update| update["content"]["text"].as_str().expect("text")).collect()
    }

    /// Closes the agent's input and waits for its end.
    pub fn close(mut self) {
        self.input = None;
        assert!(self.agent.wait().expect("it ends").success());
    }
}
