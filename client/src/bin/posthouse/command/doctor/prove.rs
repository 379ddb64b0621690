//! `posthouse doctor --prove`: kills a private daemon at several moments and looks what became of its session and messages.
//! Harmless: the user's own daemon is neither asked nor touched.

mod private;

use std::time::Duration;

use posthouse_client::{Client, ClientError, identity};
use posthouse_protocol::payload::{
    Ack, ListSessions, Message, Receipts, SessionInfo, Shutdown, Spawn, SpawnResult,
};
use posthouse_protocol::{FrameType, Later, Receipt, ReceiptState, SendMeta};
use serde::Serialize;
use tokio::time::{Instant, sleep, timeout};

use self::private::{Private, lives, parent};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::progress;

/// How long after a message was sent the daemon dies, in milliseconds.
const MOMENTS: [u64; 8] = [0, 1, 3, 8, 20, 50, 100, 200];
/// How long a message may take to its end after that.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often its receipts are looked at.
const LOOKS: Duration = Duration::from_millis(50);
/// The session's command: it notes each line that it is told.
const COMMAND: &str = "while IFS= read -r line; do printf '%s\\n' \"$line\" >> took; done";
const SESSION: &str = "proof";

/// What was shown.
#[derive(Debug, Default, Serialize)]
struct Proof {
    /// Whether all of it is as promised.
    proven: bool,
    /// How often the daemon was killed.
    deaths: usize,
    /// Messages sent, one to the session and one to a client before each death.
    messages: usize,
    /// Those that ended delivered, and were there once.
    delivered: usize,
    /// Those that ended uncertain, and were there once or not at all.
    uncertain: usize,
    /// What is not as promised.
    faults: Vec<String>,
    /// How long the daemon took at most to answer again, in milliseconds.
    slowest_return_ms: u64,
    /// How long it took, in milliseconds.
    took_ms: u64,
}

/// Proves it. Exit code 1 if something is not as promised.
pub async fn run(context: &Context) -> Result<Exit, Failure> {
    if identity::inside(|name| std::env::var(name).ok()).is_some() {
        return Err(Failure::new(
            Exit::NotAllowed,
            "prove it: a daemon is never started from inside a session",
        ));
    }
    let begun = Instant::now();
    let mut proof = progress::while_waiting("killing a private daemon", prove()).await?;
    proof.took_ms = millis(begun.elapsed());
    proof.proven = proof.faults.is_empty();
    if context.json {
        context.print_json(&proof)?;
    } else {
        print(context, &proof)?;
    }
    Ok(if proof.proven { Exit::Done } else { Exit::Failed })
}

fn print(context: &Context, proof: &Proof) -> Result<(), Failure> {
    let Proof { deaths, messages, delivered, uncertain, slowest_return_ms, took_ms, .. } = proof;
    context.print(&format!(
        "a private daemon was killed {deaths} times, at once and up to {} ms after a message was sent:",
        MOMENTS.last().copied().unwrap_or_default()
    ))?;
    if proof.proven {
        context.print("  its session went on in the same process each time, and was gone at the end")?;
        context.print(&format!("  {delivered} of {messages} messages were delivered, each once"))?;
        if *uncertain > 0 {
            context
                .print(&format!("  {uncertain} ended uncertain, as they are, and were there once at most"))?;
        }
    }
    for fault in &proof.faults {
        context.print(&format!("  not as promised: {}", crate::escape::line(fault)))?;
    }
    context.print(&format!(
        "  the daemon answered again within {slowest_return_ms} ms; all of it took {:.1} s",
        *took_ms as f64 / 1000.0
    ))
}

async fn prove() -> Result<Proof, Failure> {
    let mut proof = Proof::default();
    let mut daemon = Private::start()?;
    let mut client = daemon.connect("prover").await?;
    let session = spawn(&mut client, &daemon).await?;
    daemon.remember(session);
    if let Some(holder) = parent(session) {
        daemon.remember(holder);
    }
    let (mut got, mut ends) = (Vec::new(), Vec::new());
    for (n, moment) in MOMENTS.into_iter().enumerate() {
        let ids = [format!("to-session-{n}"), format!("to-client-{n}")];
        send(&mut client, &ids).await?;
        sleep(Duration::from_millis(moment)).await;
        daemon.kill()?;
        // What had been written to the client before can still be read.
        while let Ok(Ok(frame)) = timeout(Duration::from_secs(1), client.next()).await {
            note(&frame, &mut got);
        }
        let died = Instant::now();
        daemon.begin()?;
        client = daemon.connect("prover").await?;
        proof.slowest_return_ms = proof.slowest_return_ms.max(millis(died.elapsed()));
        proof.deaths += 1;
        // Whether they were accepted before is not known: they are sent again under their ids.
        send(&mut client, &ids).await?;
        for id in ids {
            let end = ending(&mut client, &id, &mut got).await?;
            ends.push((id, end));
        }
        match sessions(&mut client).await?.into_iter().next().and_then(|info| info.pid) {
            Some(pid) if pid == session && lives(pid) => {}
            other => proof.faults.push(format!("the session's process is {other:?} and was {session}")),
        }
    }
    for (id, _) in ends.iter().filter(|(_, end)| state(end) == Some(ReceiptState::Delivered)) {
        until_there(&daemon, id, &got).await;
    }
    client.call(&Shutdown { release_all: true, restart: Later(None) }).await?;
    daemon.ended().await?;
    if lives(session) {
        proof.faults.push(format!("the session's process {session} was left behind"));
    }
    // Only now is nothing typed any more, and what is there is all there will be.
    for (id, end) in &ends {
        judge(&mut proof, &daemon, id, state(end), &got);
    }
    Ok(proof)
}

async fn spawn(client: &mut Client, daemon: &Private) -> Result<u32, Failure> {
    let spawn = Spawn {
        harness: Some("generic".to_owned()),
        args: ["sh", "-c", COMMAND].map(str::to_owned).to_vec(),
        cwd: Some(daemon.home().display().to_string()),
        ..Spawn::new(SESSION)
    };
    let SpawnResult { pid, error, .. } = client.call(&spawn).await?;
    let why = error.unwrap_or_else(|| "the daemon gave no reason".to_owned());
    pid.ok_or_else(|| Failure::new(Exit::Failed, format!("start a session: {why}")))
}

async fn sessions(client: &mut Client) -> Result<Vec<SessionInfo>, ClientError> {
    Ok(client.call(&ListSessions::default()).await?.sessions)
}

async fn send(client: &mut Client, ids: &[String; 2]) -> Result<(), ClientError> {
    for (id, to) in ids.iter().zip([SESSION, "prover"]) {
        client.send_as(id, to, &Message::text(id.clone()), SendMeta::default()).await?;
    }
    Ok(())
}

/// Takes what was delivered; the frame that acknowledges it.
fn note(frame: &posthouse_protocol::Frame, got: &mut Vec<String>) -> Option<Ack> {
    if frame.header.kind != FrameType::Deliver {
        return None;
    }
    let message: Message = frame.body.decode().ok()?;
    let again = frame.header.meta.as_ref().and_then(|meta| meta.attempt).is_some();
    if !again || !got.contains(&message.body) {
        got.push(message.body);
    }
    let seq = frame.header.delivery.as_ref().map_or(0, |delivery| delivery.seq);
    let ack_id = frame.header.id.clone();
    Some(Ack { ack_id, seq, correlation_id: None, response: None, response_data: None })
}

/// The receipt with which a message ends, if it does in time.
async fn ending(client: &mut Client, id: &str, got: &mut Vec<String>) -> Result<Option<Receipt>, Failure> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        while let Ok(frame) = timeout(LOOKS, client.next()).await {
            if let Some(ack) = note(&frame?, got) {
                client.post(&ack).await?;
            }
        }
        match client.call(&Receipts { client_id: Some(id.to_owned()), message: None }).await {
            Ok(found) => {
                if let Some(last) = found.receipts.into_iter().rev().find(|receipt| receipt.terminal) {
                    return Ok(Some(last));
                }
            }
            Err(ClientError::Refused { .. }) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Ok(None)
}

fn state(end: &Option<Receipt>) -> Option<ReceiptState> {
    end.as_ref().map(|receipt| receipt.state)
}

/// How often a message arrived, at the session or at the client.
fn there(daemon: &Private, id: &str, got: &[String]) -> usize {
    let took = std::fs::read_to_string(daemon.home().join("took")).unwrap_or_default();
    took.lines().chain(got.iter().map(String::as_str)).filter(|line| *line == id).count()
}

/// A session's command reads what it was given when it comes to it, which may be after the receipt.
async fn until_there(daemon: &Private, id: &str, got: &[String]) {
    let until = Instant::now() + PATIENCE;
    while there(daemon, id, got) == 0 && Instant::now() < until {
        sleep(LOOKS).await;
    }
}

fn judge(proof: &mut Proof, daemon: &Private, id: &str, end: Option<ReceiptState>, got: &[String]) {
    proof.messages += 1;
    let there = there(daemon, id, got);
    match end {
        Some(ReceiptState::Delivered) if there == 1 => proof.delivered += 1,
        Some(ReceiptState::Uncertain) if there <= 1 => proof.uncertain += 1,
        Some(state) => proof.faults.push(format!("{id} ended {state} and was there {there} times")),
        None => proof.faults.push(format!("{id} has no end after {} s", PATIENCE.as_secs())),
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
