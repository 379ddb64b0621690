//! The agent that the editor sees.

use std::io::{self, BufRead, Read};
use std::time::{Duration, Instant};

use posthouse_protocol::payload::{
    Conversation, Event, Interrupt, ListSessions, Receipts, SessionInfo, Spawn,
};
use posthouse_protocol::{Frame, FrameType, Receipt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Args;
use super::content::{self, Block, Narrator, squeezed};
use super::daemon::{self, Daemon};
use super::rpc::{self, Answer, Call, Code, Refusal};
use super::telling::View;
use super::turn::Turn;
use crate::context::Context;
use crate::exit::Failure;

/// The version of the protocol that is spoken.
const VERSION: u16 = 1;
/// How often the session is looked at while a prompt runs, and otherwise.
const LOOKS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(1));

/// One editor and one session.
pub struct Agent<'a> {
    context: &'a Context,
    pub(super) args: Args,
    daemon: Option<Daemon>,
    pub(super) view: Option<View>,
    pub(super) turns: Vec<Turn>,
    pub(super) narrator: Narrator,
}

/// Parameters that name the session.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    session_id: String,
}

#[derive(Deserialize)]
struct New {
    cwd: std::path::PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Prompt {
    session_id: String,
    prompt: Vec<Block>,
}

impl<'a> Agent<'a> {
    /// An agent; nothing is connected yet.
    pub fn new(context: &'a Context, args: Args) -> Self {
        Self { context, args, daemon: None, view: None, turns: Vec::new(), narrator: Narrator::default() }
    }

    /// Serves the editor until it closes its end.
    pub async fn serve(mut self) -> Result<(), Failure> {
        let served = self.work().await;
        if let Err(failure) = &served {
            // Whoever waits is told, as far as that is possible still.
            for turn in self.turns.drain(..) {
                rpc::answer(&turn.request, Err(failure.clone().into()))?;
            }
        }
        served
    }

    async fn work(&mut self) -> Result<(), Failure> {
        let mut lines = lines();
        let mut look_at = Instant::now();
        loop {
            let daemon = self.daemon.as_mut().filter(|_| self.view.is_some());
            tokio::select! {
                line = lines.recv() => match line {
                    Some(line) => self.call(&line?).await?,
                    None => return Ok(()),
                },
                frame = next(daemon) => match frame {
                    Ok(frame) => self.frame(&frame),
                    Err(e) if daemon::is_away(&e) => self.reconnect().await?,
                    Err(e) => return Err(e.into()),
                },
                () = tokio::time::sleep_until(look_at.into()), if self.view.is_some() => {}
            }
            if self.view.is_some() && Instant::now() >= look_at {
                self.look().await?;
                look_at = Instant::now() + if self.turns.is_empty() { LOOKS.1 } else { LOOKS.0 };
            } else if !self.turns.is_empty() {
                look_at = look_at.min(Instant::now() + LOOKS.0);
            }
        }
    }

    async fn call(&mut self, line: &str) -> io::Result<()> {
        if line.trim().is_empty() {
            return Ok(());
        }
        let call = match Call::read(line) {
            Ok(call) => call,
            Err(refusal) => return rpc::answer(&Value::Null, Err(refusal)),
        };
        let Some(method) = call.method.as_deref() else { return Ok(()) };
        let Some(id) = call.id.clone() else {
            if matches!(method, "session/cancel" | "$/cancel_request") {
                self.cancel().await;
            }
            return Ok(());
        };
        let answer = match method {
            "initialize" => Ok(capabilities()),
            "session/new" => self.open_new(&call).await,
            "session/load" => self.load(&call).await,
            "session/resume" => self.resume(&call).await,
            "session/list" => self.list().await,
            // Answered when the turn ends.
            "session/prompt" => match self.prompt(&call, &id).await {
                Ok(()) => return Ok(()),
                Err(refusal) => Err(refusal),
            },
            other => Err(Refusal::new(Code::Method, format!("there is no method {other}"))),
        };
        rpc::answer(&id, answer)
    }

    async fn open_new(&mut self, call: &Call) -> Answer {
        let new: New = call.params()?;
        if self.info().await?.is_none_or(|info| matches!(info.state.as_str(), "exited" | "failed")) {
            self.spawn(&new).await?;
        }
        self.open(true).await?;
        Ok(json!({ "sessionId": self.args.name }))
    }

    async fn load(&mut self, call: &Call) -> Answer {
        self.find(&call.params::<Named>()?.session_id).await?;
        self.open(false).await?;
        self.read_on().await?;
        Ok(json!({}))
    }

    async fn resume(&mut self, call: &Call) -> Answer {
        self.find(&call.params::<Named>()?.session_id).await?;
        self.open(true).await?;
        Ok(json!({}))
    }

    async fn list(&mut self) -> Answer {
        let info = self.info().await?;
        let sessions: Vec<Value> = info
            .into_iter()
            .map(|info| json!({ "sessionId": info.name, "cwd": info.cwd, "title": info.task }))
            .collect();
        Ok(json!({ "sessions": sessions }))
    }

    async fn prompt(&mut self, call: &Call, id: &Value) -> Result<(), Refusal> {
        let prompt: Prompt = call.params()?;
        if prompt.session_id != self.args.name || self.view.is_none() {
            return Err(self.not_open(&prompt.session_id));
        }
        let text = content::message(&prompt.prompt).map_err(|why| Refusal::new(Code::Params, why))?;
        let daemon = self.daemon().await?;
        let send = daemon.send(&text).await?;
        self.turns.push(Turn::new(id.clone(), send, squeezed(&text)));
        Ok(())
    }

    /// Stops the turn, and with it every prompt that waits.
    async fn cancel(&mut self) {
        let now = Instant::now();
        let running = self.turns.iter_mut().fold(false, |running, turn| turn.cancel(now) | running);
        if !running {
            return;
        }
        let stop = Interrupt { name: self.args.name.clone() };
        let told = match self.daemon().await {
            Ok(daemon) => daemon.order(&stop).await,
            Err(failure) => Err(failure),
        };
        // A turn that has just ended needs no stopping, and the prompt is answered in any case.
        if let Err(failure) = told {
            eprintln!("posthouse: {}", crate::escape::line(&failure.message));
        }
    }

    async fn daemon(&mut self) -> Result<&mut Daemon, Failure> {
        if self.daemon.is_none() {
            self.daemon = Some(Daemon::connect(self.context, &self.args.name).await?);
        }
        self.daemon.as_mut().ok_or_else(|| Failure::new(crate::exit::Exit::Failed, "connect"))
    }

    pub(super) async fn ask<R: posthouse_protocol::Request>(
        &mut self,
        request: &R,
    ) -> Result<R::Response, Failure> {
        let context = self.context;
        let before = self.daemon().await?.reconnects();
        let answer = self.daemon().await?.ask(context, request).await;
        if self.daemon().await?.reconnects() != before {
            self.catch_up().await?;
        }
        answer
    }

    pub(super) async fn info(&mut self) -> Result<Option<SessionInfo>, Failure> {
        let request = ListSessions { name: Some(self.args.name.clone()) };
        Ok(self.ask(&request).await?.sessions.into_iter().next())
    }

    async fn find(&mut self, id: &str) -> Result<(), Refusal> {
        if id != self.args.name || self.info().await?.is_none() {
            return Err(self.not_open(id));
        }
        Ok(())
    }

    fn not_open(&self, id: &str) -> Refusal {
        let name = &self.args.name;
        let why = if id == name { "it is not open" } else { "this is another" };
        Refusal::new(Code::NotFound, format!("there is no session {id} here: {why} ({name})"))
    }

    async fn spawn(&mut self, new: &New) -> Result<(), Refusal> {
        let Args { name, harness, route, trust } = &self.args;
        if harness.is_none() && route.is_none() {
            let message = format!(
                "no session {name} runs; start it with `posthouse spawn {name} --harness codex`, or give this \
                 command a --harness"
            );
            return Err(Refusal::new(Code::NotFound, message));
        }
        let request = Spawn {
            cwd: Some(new.cwd.to_string_lossy().into_owned()),
            harness: harness.clone(),
            route: route.clone(),
            trust: trust.then_some(true),
            ..Spawn::new(name.clone())
        };
        let result = self.daemon().await?.order(&request).await?;
        let reason = || result.error.unwrap_or_else(|| "the daemon gave no reason".to_owned());
        if result.success { Ok(()) } else { Err(Refusal::new(Code::Internal, reason())) }
    }

    /// Begins to tell of the session, from its beginning or `from_now`.
    async fn open(&mut self, from_now: bool) -> Result<(), Failure> {
        let at_end = from_now.then_some(true);
        let request = Conversation { name: self.args.name.clone(), after: None, at_end };
        let told = self.ask(&request).await?;
        let known = self.info().await?;
        self.narrator = Narrator::default();
        self.view = Some(View {
            cursor: told.next.filter(|_| from_now),
            trouble_at: known.and_then(|info| info.trouble).map_or(0, |trouble| trouble.at),
            ..View::default()
        });
        Ok(())
    }

    fn frame(&mut self, frame: &Frame) {
        match frame.header.kind {
            FrameType::Receipt => {
                if let Ok(receipt) = frame.body.decode::<Receipt>() {
                    self.turns.iter_mut().for_each(|turn| turn.receipt(&receipt));
                }
            }
            FrameType::Event => {
                if let Ok(event) = frame.body.decode::<Event>() {
                    self.event(&event);
                }
            }
            FrameType::Error => {
                let refused = self.turns.iter_mut().find(|turn| turn.send == frame.header.id);
                if let Some(turn) = refused {
                    turn.fail(posthouse_client::connection::refused(frame).to_string());
                }
            }
            _ => {}
        }
    }

    fn event(&mut self, event: &Event) {
        self.turns.iter_mut().for_each(|turn| turn.turn_ended(event.at));
        if let Some(daemon) = &mut self.daemon {
            daemon.saw(event);
        }
    }

    /// The daemon went; sessions and accepted messages did not.
    async fn reconnect(&mut self) -> Result<(), Failure> {
        let context = self.context;
        let missed = self.daemon().await?.reconnect(context).await?;
        missed.iter().for_each(|event| self.event(event));
        self.catch_up().await
    }

    /// Learns what became of the prompts while there was no connection.
    async fn catch_up(&mut self) -> Result<(), Failure> {
        let sends: Vec<String> = self.turns.iter().map(|turn| turn.send.clone()).collect();
        for send in sends {
            let request = Receipts { message: None, client_id: Some(send.clone()) };
            let known = self.daemon().await?.order(&request).await?;
            let Some(turn) = self.turns.iter_mut().find(|turn| turn.send == send) else { continue };
            if known.receipts.is_empty() {
                turn.fail("the daemon ended before it had the prompt; send it again".to_owned());
            }
            known.receipts.iter().for_each(|receipt| turn.receipt(receipt));
        }
        Ok(())
    }
}

fn capabilities() -> Value {
    json!({
        "protocolVersion": VERSION,
        "agentCapabilities": {
            "loadSession": true,
            "promptCapabilities": { "image": false, "audio": false, "embeddedContext": true },
            "sessionCapabilities": { "list": {}, "resume": {} },
        },
        "agentInfo": { "name": "posthouse", "title": "Posthouse", "version": env!("CARGO_PKG_VERSION") },
        "authMethods": [],
    })
}

/// The daemon's next frame; never, where no session is open.
async fn next(daemon: Option<&mut Daemon>) -> Result<Frame, posthouse_client::ClientError> {
    match daemon {
        Some(daemon) => daemon.next().await,
        None => std::future::pending().await,
    }
}

/// The lines of standard input, read by a thread of their own.
fn lines() -> mpsc::Receiver<io::Result<String>> {
    let (sender, lines) = mpsc::channel(16);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let mut line = String::new();
            let most = u64::try_from(rpc::LONGEST).unwrap_or(u64::MAX);
            let read = input.by_ref().take(most).read_line(&mut line);
            let line = match read {
                Ok(0) => return,
                Ok(_) if !line.ends_with('\n') && line.len() >= rpc::LONGEST => {
                    Err(io::Error::other(format!("read a message: it is longer than {} bytes", rpc::LONGEST)))
                }
                Ok(_) => Ok(line),
                Err(e) => Err(e),
            };
            let last = line.is_err();
            if sender.blocking_send(line).is_err() || last {
                return;
            }
        }
    });
    lines
}
