//! `posthouse send`: a message, and what became of it.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;

use posthouse_client::{Client, connection};
use posthouse_protocol::code::Code;
use posthouse_protocol::payload::{Ack, Message, Receipts};
use posthouse_protocol::{
    Durability, ErrorCode, Frame, FrameType, Receipt, ReceiptState, SendMeta, Sync, Target, When,
};
use serde::Serialize;
use tokio::time::Instant;

use crate::context::Context;
use crate::escape;
use crate::exit::{Exit, Failure};
use crate::table::Tone;

/// Send a message
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    posthouse send builder 'run the tests again' --wait delivered\n  \
    posthouse send reviewer - < question.md --wait answered --timeout 10m\n  \
    posthouse send '*' 'main is frozen'")]
pub struct Args {
    /// A name, `#channel`, `*` for everyone, `@users` for people
    to: String,
    /// The text; `-` reads standard input
    text: String,
    /// Wait until the message has come this far: accepted, queued, written, submitted, delivered or answered
    #[arg(long, value_name = "STATE", value_parser = state)]
    wait: Option<ReceiptState>,
    /// When a session may take it: idle (once it is ready), now (mid-turn) or turn-end
    #[arg(long, value_name = "WHEN", value_parser = ["idle", "now", "turn-end"], default_value = "idle")]
    when: String,
    /// Give up on delivery after this time [default: never]
    #[arg(long, value_name = "TIME", value_parser = crate::when::duration)]
    ttl: Option<Duration>,
    /// Stop waiting after this time; the message goes on
    #[arg(long, value_name = "TIME", value_parser = crate::when::duration, default_value = "60s")]
    timeout: Duration,
    /// The conversation it belongs to
    #[arg(long, value_name = "ID")]
    thread: Option<String>,
    /// The message it answers
    #[arg(long, value_name = "ID")]
    reply_to: Option<String>,
    /// Type the text as it is, without the header line (outside of sessions only)
    #[arg(long)]
    plain: bool,
    /// For connected clients only, without touching the disk
    #[arg(long)]
    volatile: bool,
}

fn state(word: &str) -> Result<ReceiptState, String> {
    match ReceiptState::from_word(word) {
        state if state <= ReceiptState::Answered => Ok(state),
        _ => Err("one of accepted, queued, written, submitted, delivered, answered".to_owned()),
    }
}

/// Everything that became of the message.
#[derive(Debug, Default, Serialize)]
struct Outcome {
    /// The daemon's id; absent for a volatile message.
    message: Option<String>,
    receipts: Vec<Receipt>,
    answer: Option<String>,
}

/// Sends it and follows its receipts as far as was asked.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    let target = Target::parse(&args.to).map_err(|e| Failure::new(Exit::Usage, e.to_string()))?;
    let text = if args.text == "-" { read_input()? } else { args.text.clone() };
    let wait =
        args.wait.unwrap_or(if args.volatile { ReceiptState::Delivered } else { ReceiptState::Accepted });
    let mut client = context.connect().await?;
    let message = Message { thread: args.thread.clone(), ..Message::text(text) };
    let id = client.send(&args.to, &message, meta(&args, wait)).await?;
    let mut follow =
        Follow { id, wait, outcome: Outcome::default(), latest: BTreeMap::new(), expected: None };
    if matches!(target, Target::Name(_)) {
        follow.expected = Some(1);
    }
    let told =
        tokio::time::timeout_at(Instant::now() + args.timeout, follow.until_reached(context, &mut client))
            .await;
    if context.json {
        context.print_json(&follow.outcome)?;
    } else if let Some(answer) = &follow.outcome.answer {
        context.print(&escape::block(answer))?;
    }
    match told {
        Ok(result) => result.map(|()| follow.exit()),
        Err(_) => Err(Failure::new(
            Exit::TimedOut,
            format!(
                "see the message {wait} within {} s; it goes on: posthouse events --subject {}",
                args.timeout.as_secs(),
                follow.outcome.message.as_deref().unwrap_or("MESSAGE")
            ),
        )),
    }
}

fn meta(args: &Args, wait: ReceiptState) -> SendMeta {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let sync = (wait == ReceiptState::Answered).then(|| Sync {
        correlation_id: uuid::Uuid::now_v7().to_string(),
        timeout_ms: Some(millis(args.timeout)),
        blocking: true,
    });
    let when = When::from_word(&args.when);
    SendMeta {
        ttl_ms: args.ttl.map(millis),
        reply_to: args.reply_to.clone(),
        sync,
        when: (when != When::Idle).then_some(when),
        durability: args.volatile.then_some(Durability::Volatile),
        plain: args.plain.then_some(true),
        ..SendMeta::default()
    }
}

fn read_input() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(2 * 1024 * 1024).read_to_end(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| Failure::new(Exit::Usage, "read the message: it is not UTF-8"))
}

/// The receipts of one message as they come in.
struct Follow {
    id: String,
    wait: ReceiptState,
    outcome: Outcome,
    latest: BTreeMap<String, ReceiptState>,
    /// How many recipients there are, once that is known.
    expected: Option<usize>,
}

impl Follow {
    async fn until_reached(&mut self, context: &Context, client: &mut Client) -> Result<(), Failure> {
        while !self.done() {
            let frame = client.next().await?;
            match frame.header.kind {
                FrameType::Receipt => self.step(context, frame.body.decode()?)?,
                FrameType::Error if frame.header.id == self.id => return Err(self.refused(&frame)),
                FrameType::Ack => self.outcome.answer = frame.body.decode::<Ack>()?.response,
                _ => {}
            }
            if self.expected.is_none() && self.outcome.message.is_some() {
                let known =
                    client.call(&Receipts { message: self.outcome.message.clone(), client_id: None }).await?;
                let mut recipients: Vec<&str> = known.receipts.iter().map(|r| r.recipient.as_str()).collect();
                recipients.sort_unstable();
                recipients.dedup();
                self.expected = Some(recipients.len());
                for receipt in known.receipts {
                    self.note(&receipt);
                }
            }
        }
        Ok(())
    }

    fn step(&mut self, context: &Context, receipt: Receipt) -> Result<(), Failure> {
        if receipt.client_id != self.id {
            return Ok(());
        }
        self.note(&receipt);
        if !context.json {
            let tone = match receipt.state {
                ReceiptState::Delivered | ReceiptState::Answered => Tone::Good,
                ReceiptState::Failed | ReceiptState::Expired | ReceiptState::Uncertain => Tone::Bad,
                _ => Tone::Dim,
            };
            let evidence = receipt.evidence.map(|e| format!(" ({e})")).unwrap_or_default();
            let reason =
                receipt.reason.as_deref().map(|r| format!(": {}", escape::line(r))).unwrap_or_default();
            let state = context.paint().tone(tone, &receipt.state.to_string());
            context.print(&format!("{}  {state}{evidence}{reason}", receipt.recipient))?;
        }
        self.outcome.receipts.push(receipt);
        Ok(())
    }

    fn note(&mut self, receipt: &Receipt) {
        if !receipt.message.is_empty() {
            self.outcome.message = Some(receipt.message.clone());
        }
        let latest = self.latest.entry(receipt.recipient.clone()).or_insert(receipt.state);
        *latest = (*latest).max(receipt.state);
    }

    fn done(&self) -> bool {
        let Some(expected) = self.expected else { return false };
        let reached = |state: &ReceiptState| *state >= self.wait;
        self.latest.len() >= expected && self.latest.values().all(reached)
    }

    fn exit(&self) -> Exit {
        let any = |state: ReceiptState| self.latest.values().any(|latest| *latest == state);
        if any(ReceiptState::Failed) || any(ReceiptState::Expired) {
            Exit::NotDelivered
        } else if any(ReceiptState::Uncertain) {
            Exit::Uncertain
        } else {
            Exit::Done
        }
    }

    fn refused(&self, frame: &Frame) -> Failure {
        let mut failure = Failure::from(connection::refused(frame));
        if failure.exit == Exit::Failed && failure.code != Some(ErrorCode::Internal) {
            failure.exit = Exit::NotDelivered;
        }
        failure
    }
}
