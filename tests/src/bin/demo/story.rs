//! Doing, reading back, and telling only what was read.

use std::collections::BTreeMap;

use posthouse_tests::world::{PATIENCE, Ran, World};
use serde_json::Value;

/// What the story claimed and was not so.
#[derive(Debug)]
pub struct Wrong(pub String);

impl From<std::io::Error> for Wrong {
    fn from(e: std::io::Error) -> Self {
        Self(e.to_string())
    }
}

/// The teller.
pub struct Story {
    world: World,
    messages: Vec<String>,
}

impl Story {
    pub fn new(world: World) -> Self {
        Self { world, messages: Vec::new() }
    }

    pub fn chapter(&self, title: &str) {
        println!("\n{title}");
    }

    pub fn tell(&self, line: String) {
        println!("  {line}");
    }

    pub fn check(&self, so: bool, else_: impl FnOnce() -> String) -> Result<(), Wrong> {
        if so { Ok(()) } else { Err(Wrong(else_())) }
    }

    pub fn run(&self, args: &[&str]) -> Result<Ran, Wrong> {
        self.input(args, "")
    }

    pub fn input(&self, args: &[&str], input: &str) -> Result<Ran, Wrong> {
        let ran = self.world.cli_with_input(args, input.as_bytes());
        if ran.code == 0 {
            Ok(ran)
        } else {
            Err(Wrong(format!("posthouse {}: {}", args.join(" "), ran.err.trim())))
        }
    }

    /// `posthouse ARGS --json`; exit code 3 only says that a credential needs a login.
    pub fn json(&self, args: &[&str]) -> Result<Value, Wrong> {
        let ran = self.world.cli(&[args, &["--json"]].concat());
        let wrong = |why: String| Wrong(format!("posthouse {} --json: {why}", args.join(" ")));
        if ran.code != 0 && ran.code != 3 {
            return Err(wrong(ran.err));
        }
        serde_json::from_str(&ran.out).map_err(|e| wrong(e.to_string()))
    }

    pub fn session(&self, name: &str) -> Result<Value, Wrong> {
        let listed = self.json(&["ls", name])?;
        listed["sessions"].get(0).cloned().ok_or_else(|| Wrong(format!("ls does not know {name}")))
    }

    pub fn pids(&self, names: &[&str]) -> Result<Vec<u32>, Wrong> {
        let pid = |name: &&str| {
            let pid = self.session(name)?["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
            pid.ok_or_else(|| Wrong(format!("{name} has no process")))
        };
        names.iter().map(pid).collect()
    }

    /// Sends and tells the receipts, as the journal has them.
    pub async fn send(&mut self, to: &str, message: &str) -> Result<(), Wrong> {
        let sent = self.json(&["send", to, message, "--wait", "delivered", "--timeout", "30s"])?;
        let id = sent["message"].as_str().unwrap_or_default().to_owned();
        let steps = self.receipts(&id)?;
        let last = steps.last().cloned().unwrap_or_default();
        self.check(last["state"] == "delivered", || format!("the message to {to} ended {last}"))?;
        let path: Vec<String> = steps.iter().map(|step| plain(&step["state"])).collect();
        let first = message.lines().next().unwrap_or_default();
        self.tell(format!("you → {to}: \"{first}\"  {} ({})", path.join(" → "), plain(&last["evidence"])));
        self.messages.push(id);
        Ok(())
    }

    /// Waits for a message that one agent sent the other, and tells it.
    pub async fn received(&mut self, to: &str, from: &str) -> Result<(), Wrong> {
        let begun = std::time::Instant::now();
        loop {
            let inbox = self.json(&["inbox", "--of", to, "--from", from])?;
            let delivered =
                inbox["messages"].as_array().into_iter().flatten().find(|m| m["state"] == "delivered");
            if let Some(message) = delivered {
                self.tell(format!("{from} → {to}: \"{}\"  delivered", plain(&message["body"])));
                self.messages.push(plain(&message["id"]));
                return Ok(());
            }
            self.check(begun.elapsed() < PATIENCE, || format!("{to} got nothing from {from}: {inbox}"))?;
            self.next_event().await;
        }
    }

    /// Waits for a decision that moves the session and names all of `words`.
    pub async fn decision(&self, session: &str, words: &[&str]) -> Result<Value, Wrong> {
        let mut watch = self.world.watch().await;
        let event = watch.event("decision", session, words).await;
        let events = self.json(&["events", "--kind", "decision", "--subject", session])?;
        let listed = events["events"].as_array().into_iter().flatten().find(|e| e["seq"] == event.seq);
        listed
            .map(|event| event["data"].clone())
            .ok_or_else(|| Wrong(format!("events does not list {}", event.seq)))
    }

    pub async fn on_mount(&self, name: &str, mount: &str) -> Result<Value, Wrong> {
        let begun = std::time::Instant::now();
        loop {
            let session = self.session(name)?;
            if session["mount"] == mount && session["pid"].is_u64() {
                return Ok(session);
            }
            self.check(begun.elapsed() < PATIENCE, || format!("{name} is not on {mount}: {session}"))?;
            self.next_event().await;
        }
    }

    pub fn kill_the_daemon(&mut self) -> (u32, u32) {
        let old = self.world.daemon_pid();
        self.world.kill_and_restart();
        (old, self.world.daemon_pid())
    }

    /// Of every message told of, exactly one receipt is the last.
    pub fn every_receipt_ended_once(&self) -> Result<(), Wrong> {
        for id in &self.messages {
            let ends = self.receipts(id)?.iter().filter(|step| step["state"] == "delivered").count();
            self.check(ends == 1, || format!("message {id} ended {ends} times"))?;
        }
        self.tell(format!("{} messages so far, each with exactly one ending.", self.messages.len()));
        Ok(())
    }

    /// The steps of a message, from its events.
    fn receipts(&self, id: &str) -> Result<Vec<Value>, Wrong> {
        let events = self.json(&["events", "--subject", id, "--after", "0"])?;
        let steps = events["events"].as_array().into_iter().flatten();
        let mut seen: BTreeMap<u64, Value> = BTreeMap::new();
        for event in steps {
            let mut data = event["data"].clone();
            if event["kind"] == "accepted" {
                data = serde_json::json!({"state": "accepted", "evidence": "journal"});
            } else if event["kind"] != "receipt" {
                continue;
            }
            seen.insert(event["seq"].as_u64().unwrap_or_default(), data);
        }
        Ok(seen.into_values().collect())
    }

    async fn next_event(&self) {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

fn plain(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
