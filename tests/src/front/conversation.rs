//! A bridge process and what is said with it: each answer goes to who asked, with the progress of its request; all else to
//! who listens.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use super::letter::is_answer;

/// Messages that may wait for a client.
const QUEUE: usize = 64;

/// What is to be done next.
enum Order {
    /// Say this; where it is a request, what comes of it goes there.
    Say(Value, Option<mpsc::Sender<Value>>),
    /// Whatever belongs to no request goes there from now on.
    Listen(mpsc::Sender<Value>),
}

/// A bridge that runs until nobody holds this any more.
#[derive(Clone, Debug)]
pub(super) struct Conversation {
    orders: mpsc::Sender<Order>,
}

impl Conversation {
    pub(super) fn start(program: &OsString, args: &[OsString]) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let bridge = command.spawn()?;
        let (orders, taken) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            // It ends with either side; there is nobody to be told.
            let _ = converse(bridge, taken).await;
        });
        Ok(Self { orders })
    }

    /// What comes of a request, its answer last; `None` where the bridge has ended.
    pub(super) async fn ask(&self, message: Value) -> mpsc::Receiver<Value> {
        let (sender, answers) = mpsc::channel(QUEUE);
        let _ = self.orders.send(Order::Say(message, Some(sender))).await;
        answers
    }

    /// The same, with all that the bridge says besides.
    pub(super) async fn ask_alone(&self, message: Value) -> mpsc::Receiver<Value> {
        let (sender, answers) = mpsc::channel(QUEUE);
        let _ = self.orders.send(Order::Listen(sender.clone())).await;
        let _ = self.orders.send(Order::Say(message, Some(sender))).await;
        answers
    }

    /// Says what has no answer.
    pub(super) async fn tell(&self, message: Value) {
        let _ = self.orders.send(Order::Say(message, None)).await;
    }

    /// What belongs to no request, to nobody else from now on.
    pub(super) async fn listen(&self) -> mpsc::Receiver<Value> {
        let (sender, messages) = mpsc::channel(QUEUE);
        let _ = self.orders.send(Order::Listen(sender)).await;
        messages
    }
}

async fn converse(mut bridge: Child, mut orders: mpsc::Receiver<Order>) -> io::Result<()> {
    let (mut input, output) = (
        bridge.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?,
        bridge.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?,
    );
    let mut lines = BufReader::new(output).lines();
    let mut ways = Ways::default();
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Say(message, answers)) => {
                    answers.into_iter().for_each(|to| ways.expect(&message, to));
                    input.write_all(format!("{message}\n").as_bytes()).await?;
                }
                Some(Order::Listen(to)) => ways.rest = Some(to),
                None => return Ok(()),
            },
            line = lines.next_line() => {
                let Some(line) = line? else { return Ok(()) };
                ways.hand_on(serde_json::from_str(&line)?).await;
            }
        }
    }
}

/// Where what the bridge says goes.
#[derive(Default)]
struct Ways {
    asked: HashMap<String, mpsc::Sender<Value>>,
    /// The requests of progress tokens.
    tokens: HashMap<String, String>,
    rest: Option<mpsc::Sender<Value>>,
}

impl Ways {
    fn expect(&mut self, request: &Value, to: mpsc::Sender<Value>) {
        let id = request["id"].to_string();
        let token = &request["params"]["_meta"]["progressToken"];
        if !token.is_null() {
            self.tokens.insert(token.to_string(), id.clone());
        }
        self.asked.insert(id, to);
    }

    async fn hand_on(&mut self, message: Value) {
        if is_answer(&message) {
            let id = message["id"].to_string();
            self.tokens.retain(|_, of| *of != id);
            if let Some(to) = self.asked.remove(&id) {
                let _ = to.send(message).await;
            }
            return;
        }
        let token = message["params"]["progressToken"].to_string();
        let of_request = self.tokens.get(&token).and_then(|id| self.asked.get(id));
        if let Some(to) = of_request.or(self.rest.as_ref()) {
            let _ = to.send(message).await;
        }
    }
}
