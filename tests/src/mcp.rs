//! A client that speaks the Model Context Protocol in either era, written by hand: the bridge is judged by the protocol's
//! own words and not by our types.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::world::World;

const MODERN: &str = "2026-07-28";

/// A client and the bridge that it started.
#[derive(Debug)]
pub struct Mcp {
    /// What the server said of itself.
    pub server: Value,
    /// What it said it can do.
    pub capabilities: Value,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    last: u64,
    /// What every request of the modern era brings along.
    meta: Value,
}

impl Mcp {
    /// Of the era that shakes hands.
    ///
    /// # Panics
    /// When the bridge does not answer as it should; so do all of these.
    pub fn legacy(world: &World, name: &str) -> Self {
        Self::shake_hands(Self::start(world, name, &[], Value::Null))
    }

    /// Of the era that shakes hands, with a bridge that rings.
    pub fn with_channel(world: &World, name: &str) -> Self {
        Self::shake_hands(Self::start(world, name, &["--channel"], Value::Null))
    }

    fn shake_hands(mut mcp: Self) -> Self {
        let client = json!({ "name": "test", "version": "0" });
        let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
        let answer = mcp.ask("initialize", hello);
        mcp.server = answer["serverInfo"].clone();
        mcp.capabilities = answer["capabilities"].clone();
        mcp.write(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        mcp
    }

    /// Of the era in which every request stands alone.
    pub fn modern(world: &World, name: &str) -> Self {
        let key = |word: &str| format!("io.modelcontextprotocol/{word}");
        let meta = json!({
            key("protocolVersion"): MODERN,
            key("clientInfo"): { "name": "test", "version": "0" },
            key("clientCapabilities"): {},
        });
        let mut mcp = Self::start(world, name, &[], meta);
        let answer = mcp.ask("server/discover", json!({}));
        assert!(
            answer["supportedVersions"].as_array().expect("versions").contains(&MODERN.into()),
            "{answer}"
        );
        mcp.server = answer["_meta"][key("serverInfo")].clone();
        mcp.capabilities = answer["capabilities"].clone();
        mcp
    }

    fn start(world: &World, name: &str, more: &[&str], meta: Value) -> Self {
        let mut command = world.command();
        let command = command.args(["mcp", "--name", name]).args(more);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the bridge starts");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self {
            server: Value::Null,
            capabilities: Value::Null,
            input: child.stdin.take(),
            child,
            output,
            last: 0,
            meta,
        }
    }

    /// Writes a line.
    pub fn write(&mut self, message: &Value) {
        writeln!(self.input.as_mut().expect("open"), "{message}").expect("the bridge reads");
    }

    /// Sends a request and waits for its answer.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.post(method, params);
        self.answer(id)
    }

    /// Sends a request and returns its id.
    pub fn post(&mut self, method: &str, mut params: Value) -> u64 {
        self.last += 1;
        if let Some(meta) = self.meta.as_object() {
            let own = params["_meta"].as_object().cloned().unwrap_or_default();
            params["_meta"] = meta.clone().into_iter().chain(own).collect();
        }
        self.write(&json!({ "jsonrpc": "2.0", "id": self.last, "method": method, "params": params }));
        self.last
    }

    /// Waits for the answer to a request.
    pub fn answer(&mut self, id: u64) -> Value {
        loop {
            let message = self.read();
            if message["id"] == id {
                assert!(message.get("error").is_none(), "{message}");
                return message["result"].clone();
            }
        }
    }

    /// The next notification that `is` what is waited for.
    pub fn told(&mut self, is: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.read();
            if message.get("id").is_none() && is(&message) {
                return message;
            }
        }
    }

    /// Reads on until the client is told that each of these resources has changed, in whatever order.
    pub fn told_of(&mut self, uris: &[&str]) {
        let mut waited = uris.to_vec();
        while !waited.is_empty() {
            let told = self.told(|message| message["method"] == "notifications/resources/updated");
            waited.retain(|uri| told["params"]["uri"] != *uri);
        }
    }

    /// The error that a request is answered with.
    pub fn refusal(&mut self, method: &str, params: Value) -> Value {
        let id = self.post(method, params);
        let message = self.read();
        assert_eq!(message["id"], id, "{message}");
        message["error"].clone()
    }

    /// Its text.
    pub fn refused(&mut self, method: &str, params: Value) -> String {
        let error = self.refusal(method, params);
        error["message"].as_str().unwrap_or_else(|| panic!("{error}")).to_owned()
    }

    fn read(&mut self) -> Value {
        let mut line = String::new();
        assert!(self.output.read_line(&mut line).expect("the bridge writes") > 0, "the bridge ended");
        serde_json::from_str(&line).expect("nothing but MCP on standard output")
    }

    /// Goes away: no word comes from it any more.
    pub fn leave(&mut self) {
        self.input = None;
    }

    /// Calls a tool whose progress the client wants to hear of under this token, and returns the request's id.
    pub fn post_call(&mut self, tool: &str, arguments: Value, token: &str) -> u64 {
        let params = json!({ "name": tool, "arguments": arguments, "_meta": { "progressToken": token } });
        self.post("tools/call", params)
    }

    /// The next word of progress under this token.
    pub fn progress(&mut self, token: &str) -> Value {
        let told = self.told(|message| {
            message["method"] == "notifications/progress" && message["params"]["progressToken"] == token
        });
        told["params"].clone()
    }

    /// Gives up a request.
    pub fn cancel(&mut self, id: u64) {
        let params = json!({ "requestId": id, "reason": "enough" });
        self.write(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params }));
    }

    /// Calls a tool: its structured answer, or the text of its error.
    pub fn try_call(&mut self, tool: &str, arguments: Value) -> Result<Value, String> {
        let result = self.ask("tools/call", json!({ "name": tool, "arguments": arguments }));
        outcome(&result)
    }

    /// Calls a tool that has no reason to fail.
    pub fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.try_call(tool, arguments).unwrap_or_else(|why| panic!("{tool}: {why}"))
    }
}

/// A tool's structured answer, or the text of its error.
///
/// # Errors
/// That text.
pub fn outcome(result: &Value) -> Result<Value, String> {
    if result["isError"] == true {
        return Err(result["content"][0]["text"].as_str().unwrap_or_default().to_owned());
    }
    Ok(result["structuredContent"].clone())
}

impl Drop for Mcp {
    fn drop(&mut self) {
        // The end of its input is the bridge's end.
        self.input = None;
        let _ = self.child.wait();
    }
}
