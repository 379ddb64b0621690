//! A client that sends to sessions, to its fellows, to their channel and to everyone, and notes what came of it. It comes
//! back after the daemon's death, and sends again under its id whatever it does not know to have been accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use posthouse_client::{Client, ClientError, Options};
use posthouse_protocol::handshake::Capabilities;
use posthouse_protocol::payload::{Ack, ChannelJoin, ChannelMessage, Error, Message, Receipts};
use posthouse_protocol::{Frame, FrameType, Hello, Receipt, SendMeta};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::dice::Dice;

/// The members' channel.
const CHANNEL: &str = "#soak";
/// Time between two messages of one member.
const LEAST: Duration = Duration::from_millis(200);
const MOST: Duration = Duration::from_millis(800);
/// How long receipts may still come once nothing more is sent.
const SETTLE: Duration = Duration::from_secs(180);
/// How often a daemon that died is tried again.
const AGAIN: Duration = Duration::from_millis(100);

/// One message.
#[derive(Debug)]
pub struct Sent {
    /// What is unique in its body.
    pub tag: String,
    /// To whom.
    pub to: String,
    sent_at: Instant,
    /// How long its acceptance took.
    pub accepted: Option<Duration>,
    /// Why the daemon refused it.
    pub refused: Option<String>,
    /// The last step for each recipient.
    pub receipts: BTreeMap<String, Receipt>,
}

impl Sent {
    /// Whether nothing more will come of it.
    pub fn is_over(&self) -> bool {
        let ended = !self.receipts.is_empty() && self.receipts.values().all(|receipt| receipt.terminal);
        self.refused.is_some() || ended
    }
}

/// What one member sent and got.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Its name.
    pub name: String,
    /// What it sent, by the id of the frame.
    pub sent: BTreeMap<String, Sent>,
    /// Tags of what it got.
    pub got: BTreeSet<String>,
    /// Deliveries that came twice over one connection.
    pub doubled: usize,
    /// How often it had to come back.
    pub returns: usize,
}

/// A member.
#[derive(Debug)]
pub struct Member {
    socket: PathBuf,
    sessions: Vec<String>,
    members: usize,
    dice: Dice,
    ledger: Ledger,
    count: usize,
    /// Deliveries of this connection.
    seen: BTreeSet<String>,
}

impl Member {
    /// Number `n` of `members`.
    pub fn new(n: usize, members: usize, socket: PathBuf, sessions: Vec<String>, dice: Dice) -> Self {
        let ledger = Ledger { name: format!("m{n}"), ..Ledger::default() };
        Self { socket, sessions, members, dice, ledger, count: 0, seen: BTreeSet::new() }
    }

    /// Sends until it is told to stop, and waits then for the last receipts.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> Ledger {
        while !*stop.borrow() {
            let mut client = self.come_back().await;
            let _ = self.take_part(&mut client, &mut stop).await;
        }
        // It may be killed no more.
        let _ = timeout(SETTLE, self.settle()).await;
        self.ledger
    }

    async fn settle(&mut self) {
        while self.ledger.sent.values().any(|sent| !sent.is_over()) {
            let mut client = self.come_back().await;
            let _ = self.ask_for_receipts(&mut client).await;
            let _ = timeout(Duration::from_secs(1), self.read(&mut client)).await;
        }
    }

    /// Connects, joins the channel, and sends again what may not have been accepted.
    async fn come_back(&mut self) -> Client {
        loop {
            let mut hello = Hello::new(&self.ledger.name);
            hello.capabilities =
                Capabilities { receipts: Some(true), ack: Some(true), ..Capabilities::default() };
            let options = Options { socket: self.socket.clone(), hello, timeout: Duration::from_secs(10) };
            if let Ok(mut client) = Client::connect(&options).await {
                self.ledger.returns += 1;
                self.seen.clear();
                if self.again(&mut client).await.is_ok() {
                    return client;
                }
            }
            sleep(AGAIN).await;
        }
    }

    async fn again(&mut self, client: &mut Client) -> Result<(), ClientError> {
        let join = ChannelJoin { channel: CHANNEL.to_owned(), display_name: None, member: None };
        client.post(&join).await?;
        for (id, sent) in &self.ledger.sent {
            if sent.accepted.is_none() && sent.refused.is_none() {
                client.send_as(id, &sent.to, &body(&sent.tag), SendMeta::default()).await?;
            }
        }
        Ok(())
    }

    async fn take_part(
        &mut self,
        client: &mut Client,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), ClientError> {
        let mut next = Instant::now() + self.dice.between(LEAST, MOST);
        loop {
            tokio::select! {
                frame = client.next() => {
                    let frame = frame?;
                    self.take(client, &frame).await?;
                }
                () = sleep_until(next) => {
                    self.send(client).await?;
                    next = Instant::now() + self.dice.between(LEAST, MOST);
                }
                _ = stop.changed() => return Ok(()),
            }
        }
    }

    async fn read(&mut self, client: &mut Client) -> Result<(), ClientError> {
        loop {
            let frame = client.next().await?;
            self.take(client, &frame).await?;
        }
    }

    fn whom(&mut self) -> String {
        match self.dice.below(1000) {
            0..2 => "*".to_owned(),
            2..100 => CHANNEL.to_owned(),
            100..350 => format!("m{}", self.dice.below(self.members)),
            _ => self.dice.one_of(&self.sessions).clone(),
        }
    }

    async fn send(&mut self, client: &mut Client) -> Result<(), ClientError> {
        self.count += 1;
        let tag = format!("{}-{:06}", self.ledger.name, self.count);
        let to = self.whom();
        let sent = Sent {
            tag: tag.clone(),
            to: to.clone(),
            sent_at: Instant::now(),
            accepted: None,
            refused: None,
            receipts: BTreeMap::new(),
        };
        // Noted first: what breaks while it is written may have been accepted.
        self.ledger.sent.insert(tag.clone(), sent);
        client.send_as(&tag, &to, &body(&tag), SendMeta::default()).await
    }

    async fn take(&mut self, client: &mut Client, frame: &Frame) -> Result<(), ClientError> {
        match frame.header.kind {
            FrameType::Deliver => {
                let id = frame.header.id.clone();
                let message: Message = frame.body.decode()?;
                if let Some(tag) = tag_in(&message.body) {
                    self.ledger.got.insert(tag.to_owned());
                }
                if !self.seen.insert(id.clone()) {
                    self.ledger.doubled += 1;
                }
                let seq = frame.header.delivery.as_ref().map_or(0, |delivery| delivery.seq);
                let ack = Ack { ack_id: id, seq, correlation_id: None, response: None, response_data: None };
                client.post(&ack).await?;
            }
            FrameType::ChannelMessage => {
                let message: ChannelMessage = frame.body.decode()?;
                self.ledger.got.extend(tag_in(&message.body).map(str::to_owned));
            }
            FrameType::Receipt => self.note(frame.body.decode()?),
            FrameType::Error => {
                let error: Error = frame.body.decode()?;
                if let Some(sent) = self.ledger.sent.get_mut(&frame.header.id) {
                    sent.refused = Some(format!("{}: {}", error.code, error.message));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn note(&mut self, receipt: Receipt) {
        let Some(sent) = self.ledger.sent.get_mut(&receipt.client_id) else { return };
        sent.accepted.get_or_insert_with(|| sent.sent_at.elapsed());
        let known = sent.receipts.get(&receipt.recipient);
        if known.is_none_or(|known| !known.terminal) {
            sent.receipts.insert(receipt.recipient.clone(), receipt);
        }
    }

    async fn ask_for_receipts(&mut self, client: &mut Client) -> Result<(), ClientError> {
        let open: Vec<String> =
            self.ledger.sent.iter().filter(|(_, sent)| !sent.is_over()).map(|(id, _)| id.clone()).collect();
        for id in open {
            let answer = client.call(&Receipts { message: None, client_id: Some(id) }).await;
            match answer {
                Ok(found) => found.receipts.into_iter().for_each(|receipt| self.note(receipt)),
                Err(ClientError::Refused { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }
}

fn body(tag: &str) -> Message {
    Message::text(format!("soak {tag}"))
}

/// The tag in a body that a member sent.
pub fn tag_in(text: &str) -> Option<&str> {
    let (_, tag) = text.rsplit_once("soak ")?;
    tag.split_whitespace().next()
}
