//! A client that acknowledges what it gets, answers what asks for an answer, and notes all it sees. When the daemon dies
//! it comes back with its resume token.

use std::sync::{Arc, Mutex};

use posthouse_client::{Client, ClientError};
use posthouse_protocol::handshake::{Capabilities, PrincipalKind, Resume};
use posthouse_protocol::payload::{Ack, ChannelMessage, Error, Message};
use posthouse_protocol::{ErrorCode, Frame, FrameType, Hello, Receipt, SendMeta};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Kind;
use crate::world::World;

/// The channel that everybody is a member of.
const CHANNEL: &str = "#general";

/// What a client saw over all its connections.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Receipts of what it sent.
    pub receipts: Vec<Receipt>,
    /// Messages it was given: daemon's id (its own for a channel's), text, attempt.
    pub given: Vec<(String, String, u32)>,
    /// Correlation ids of answers.
    pub answers: Vec<String>,
    /// Refusals: the id of the frame, the code, the words.
    pub errors: Vec<(String, ErrorCode, String)>,
}

impl Seen {
    /// Receipts of one message.
    pub fn receipts_of(&self, id: &str) -> impl Iterator<Item = &Receipt> {
        self.receipts.iter().filter(move |receipt| receipt.client_id == id)
    }

    /// Messages of one text.
    pub fn given(&self, text: &str) -> Vec<&(String, String, u32)> {
        self.given.iter().filter(|(_, body, _)| body == text).collect()
    }
}

/// What it is told to send.
#[derive(Clone, Debug)]
pub struct Order {
    /// The id of the frame.
    pub id: String,
    /// What kind of message.
    pub kind: Kind,
    /// The text.
    pub text: String,
}

/// A connected client.
#[derive(Debug)]
pub struct Person {
    hello: Hello,
    seen: Arc<Mutex<Seen>>,
    orders: mpsc::UnboundedSender<Order>,
    /// Ends with the connection and says what to come back with.
    task: JoinHandle<Option<String>>,
}

impl Person {
    /// Connects for the first time.
    ///
    /// # Errors
    /// What the client says.
    pub async fn arrive(world: &World, name: &str) -> Result<Self, ClientError> {
        let mut hello = Hello::new(name);
        hello.kind = Some(PrincipalKind::Operator);
        hello.capabilities = Capabilities {
            receipts: Some(true),
            ack: Some(true),
            resume: Some(true),
            ..Capabilities::default()
        };
        let client = world.connect(hello.clone()).await?;
        Ok(Self::of(hello, client, Arc::default()))
    }

    fn of(hello: Hello, client: Client, seen: Arc<Mutex<Seen>>) -> Self {
        let (orders, queue) = mpsc::unbounded_channel();
        let task = tokio::spawn(live(client, queue, seen.clone()));
        Self { hello, seen, orders, task }
    }

    /// Waits until the daemon is gone and connects to the next.
    ///
    /// # Errors
    /// What the client says.
    pub async fn come_back(self, world: &World) -> Result<Self, ClientError> {
        drop(self.orders);
        let resume_token = self.task.await.unwrap_or_default();
        let hello = Hello { session: Some(Resume { resume_token }), ..self.hello };
        let client = world.connect(hello.clone()).await?;
        Ok(Self::of(hello, client, self.seen))
    }

    /// Sends.
    pub fn send(&self, order: Order) {
        // A client whose daemon is gone sends it again when it is back.
        let _ = self.orders.send(order);
    }

    /// Everything seen so far.
    pub fn seen(&self) -> Seen {
        self.seen.lock().map(|seen| seen.clone()).unwrap_or_default()
    }
}

async fn live(
    mut client: Client,
    mut orders: mpsc::UnboundedReceiver<Order>,
    seen: Arc<Mutex<Seen>>,
) -> Option<String> {
    let token = client.welcome().resume_token.clone();
    let mut gone = false;
    loop {
        tokio::select! {
            frame = client.next() => match frame {
                Ok(frame) => {
                    let ack = seen.lock().ok().and_then(|mut seen| note(&mut seen, &frame));
                    if let Some(ack) = ack
                        && client.post(&ack).await.is_err()
                    {
                        // What the daemon wrote before its death is read all the same.
                        gone = true;
                    }
                }
                Err(_) => return token,
            },
            Some(order) = orders.recv(), if !gone => gone = send(&mut client, order).await.is_err(),
        }
    }
}

fn note(seen: &mut Seen, frame: &Frame) -> Option<Ack> {
    let id = frame.header.id.clone();
    let attempt = frame.header.meta.as_ref().and_then(|meta| meta.attempt).unwrap_or(1);
    match frame.header.kind {
        FrameType::Receipt => seen.receipts.extend(frame.body.decode::<Receipt>().ok()),
        FrameType::Ack => {
            seen.answers.extend(frame.body.decode::<Ack>().ok().and_then(|ack| ack.correlation_id));
        }
        FrameType::Error => {
            let error = frame.body.decode::<Error>().ok()?;
            seen.errors.push((id, error.code, error.message));
        }
        FrameType::ChannelMessage => {
            let body = frame.body.decode::<ChannelMessage>().ok()?.body;
            seen.given.push((id, body, attempt));
        }
        FrameType::Deliver => {
            let body = frame.body.decode::<Message>().ok()?.body;
            seen.given.push((id.clone(), body, attempt));
            let sync = frame.header.meta.as_ref().and_then(|meta| meta.sync.clone());
            let correlation_id = sync.filter(|sync| sync.blocking).map(|sync| sync.correlation_id);
            let response = correlation_id.as_ref().map(|_| "OK".to_owned());
            return Some(Ack { ack_id: id, seq: 0, correlation_id, response, response_data: None });
        }
        _ => {}
    }
    None
}

async fn send(client: &mut Client, order: Order) -> Result<(), ClientError> {
    let Order { id, kind, text } = order;
    let message = Message::text(text.clone());
    let plain = SendMeta::default();
    match kind {
        Kind::Client => client.send_as(&id, "bob", &message, plain).await,
        Kind::Session => client.send_as(&id, super::AGENT, &message, plain).await,
        Kind::Broadcast => client.send_as(&id, "*", &message, plain).await,
        Kind::Channel => client.send_as(&id, CHANNEL, &message, plain).await,
        Kind::Blocking => {
            let sync = posthouse_protocol::Sync {
                correlation_id: format!("call-{id}"),
                timeout_ms: Some(60_000),
                blocking: true,
            };
            client.send_as(&id, "bob", &message, SendMeta { sync: Some(sync), ..plain }).await
        }
    }
}
