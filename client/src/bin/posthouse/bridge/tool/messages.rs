//! Messages: sending, answering, reading, waiting, and what became of them.

use std::time::Duration;

use posthouse_client::Client;
use posthouse_protocol::payload::{Ack, Claim, Inbox, InboxMessage, Message, Receipts};
use posthouse_protocol::{FrameType, Later, Receipt, ReceiptState, SendMeta};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::schemars::JsonSchema;
use rmcp::{Json, tool, tool_router};
use serde::{Deserialize, Serialize};

use crate::bridge::Bridge;
use crate::bridge::link::{Trouble, trouble};

/// How long a send may wait for its first receipts.
const ACCEPTED: Duration = Duration::from_secs(5);
/// Longest wait for a message: clients give up on calls that take longer.
const LONGEST_WAIT_S: u32 = 50;
/// Messages listed unless told otherwise.
const LISTED: u32 = 20;

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct SendRequest {
    /// An agent's or person's name, `#channel`, or `*` for everyone
    to: String,
    /// The text
    text: String,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct ReplyRequest {
    /// The id of the message that is answered
    message: String,
    /// Who sent it
    to: String,
    /// The answer
    text: String,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct BroadcastRequest {
    /// The text
    text: String,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct InboxRequest {
    /// Only messages that have not been delivered yet
    #[serde(default)]
    unread_only: bool,
    /// Only from this sender
    from: Option<String>,
    /// Most messages, newest first counted; 20 unless told otherwise
    limit: Option<u32>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct WaitRequest {
    /// How long to wait, in seconds; 30 unless told otherwise, at most 50
    timeout_s: Option<u32>,
    /// Only from this sender
    from: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct ReceiptsRequest {
    /// The message's id
    message: String,
}

/// What is proven about a message.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
pub(super) struct Sent {
    /// The message's id, for `receipts`
    message: String,
    receipts: Vec<Proof>,
}

/// One receipt.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Proof {
    recipient: String,
    /// accepted, queued, written, submitted, delivered, answered, expired, failed or uncertain
    state: String,
    /// What it rests on
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Nothing more will come
    ended: bool,
}

impl From<&Receipt> for Proof {
    fn from(receipt: &Receipt) -> Self {
        Self {
            recipient: receipt.recipient.clone(),
            state: receipt.state.to_string(),
            evidence: receipt.evidence.map(|evidence| evidence.to_string()),
            reason: receipt.reason.clone(),
            ended: receipt.terminal,
        }
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Letters {
    /// Oldest first
    messages: Vec<Letter>,
    /// Older ones were left out
    truncated: bool,
}

/// One message.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Letter {
    id: String,
    from: String,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread: Option<String>,
    /// Unix milliseconds
    at: i64,
    /// How far it is on its way to you
    state: String,
}

impl From<InboxMessage> for Letter {
    fn from(message: InboxMessage) -> Self {
        Self {
            id: message.id,
            from: message.from,
            text: message.body,
            channel: message.channel,
            thread: message.thread,
            at: i64::try_from(message.timestamp).unwrap_or(i64::MAX),
            state: message.state.to_string(),
        }
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Waited {
    /// The message that came; absent if the time ran out
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Letter>,
}

#[tool_router(router = messages, vis = "pub(in crate::bridge)")]
impl Bridge {
    /// Send a message to an agent, a person, a #channel or everyone (*). Returns once it is safe on disk, with what is
    /// proven about it so far.
    #[tool(name = "send", annotations(destructive_hint = false, idempotent_hint = false))]
    async fn send(&self, Parameters(wanted): Parameters<SendRequest>) -> Result<Json<Sent>, Trouble> {
        self.send_with(&wanted.to, wanted.text, SendMeta::default()).await
    }

    /// Answer a message, by its id.
    #[tool(name = "reply", annotations(destructive_hint = false, idempotent_hint = false))]
    async fn reply(&self, Parameters(wanted): Parameters<ReplyRequest>) -> Result<Json<Sent>, Trouble> {
        let meta = SendMeta { reply_to: Some(wanted.message), ..SendMeta::default() };
        self.send_with(&wanted.to, wanted.text, meta).await
    }

    /// Send a message to everyone who is connected or a session.
    #[tool(name = "broadcast", annotations(destructive_hint = false, idempotent_hint = false))]
    async fn broadcast(
        &self,
        Parameters(wanted): Parameters<BroadcastRequest>,
    ) -> Result<Json<Sent>, Trouble> {
        self.send_with("*", wanted.text, SendMeta::default()).await
    }

    /// List the messages that were sent to you, read or not. Listing takes none of them.
    #[tool(name = "inbox", annotations(read_only_hint = true))]
    async fn inbox(&self, Parameters(wanted): Parameters<InboxRequest>) -> Result<Json<Letters>, Trouble> {
        let request = Inbox {
            limit: Some(wanted.limit.unwrap_or(LISTED)),
            unread_only: Some(wanted.unread_only),
            from: wanted.from,
            ..Inbox::default()
        };
        let answer = self.link.ask(&request).await?;
        let messages = answer.messages.into_iter().map(Letter::from).collect();
        Ok(Json(Letters { messages, truncated: answer.truncated }))
    }

    /// Wait for a message to you and take it: it counts as delivered and is not typed into your input any more.
    #[tool(name = "wait_for_message", annotations(destructive_hint = false))]
    async fn wait_for_message(
        &self,
        Parameters(wanted): Parameters<WaitRequest>,
    ) -> Result<Json<Waited>, Trouble> {
        let time = Duration::from_secs(u64::from(wanted.timeout_s.unwrap_or(30).min(LONGEST_WAIT_S)));
        let mut client = self.link.connect().await?;
        let waited = tokio::time::timeout(time, self.take_next(&mut client, wanted.from)).await;
        match waited {
            Ok(letter) => Ok(Json(Waited { message: Some(letter?) })),
            Err(_) => Ok(Json(Waited { message: None })),
        }
    }

    /// What is proven about a message, step by step, for each recipient.
    #[tool(name = "receipts", annotations(read_only_hint = true))]
    async fn receipts(&self, Parameters(wanted): Parameters<ReceiptsRequest>) -> Result<Json<Sent>, Trouble> {
        let request = Receipts { message: Some(wanted.message.clone()), client_id: None };
        let answer = self.link.ask(&request).await?;
        Ok(Json(Sent {
            message: wanted.message,
            receipts: answer.receipts.iter().map(Proof::from).collect(),
        }))
    }
}

impl Bridge {
    pub(super) async fn send_with(
        &self,
        to: &str,
        text: String,
        meta: SendMeta,
    ) -> Result<Json<Sent>, Trouble> {
        let mut client = self.link.connect().await?;
        let id = client.send(to, &Message::text(text), meta).await.map_err(trouble)?;
        let accepted = async {
            loop {
                let frame = client.next().await.map_err(trouble)?;
                match frame.header.kind {
                    FrameType::Error if frame.header.id == id => {
                        return Err(trouble(posthouse_client::connection::refused(&frame)));
                    }
                    FrameType::Receipt => {
                        let receipt: Receipt = frame.body.decode().map_err(|e| e.to_string())?;
                        if receipt.client_id == id {
                            return Ok(receipt);
                        }
                    }
                    _ => {}
                }
            }
        };
        let Ok(receipt) = tokio::time::timeout(ACCEPTED, accepted).await else {
            return Err(
                "the message was not accepted in time, so nobody knows whether it will arrive; look with \
                        `receipts` or in the recipient's inbox before you send it again"
                    .to_owned(),
            );
        };
        let receipt = receipt?;
        Ok(Json(Sent { message: receipt.message.clone(), receipts: vec![Proof::from(&receipt)] }))
    }

    /// The oldest message that waits, or the next that comes; claimed and acknowledged. The daemon answers once there is one.
    async fn take_next(&self, client: &mut Client, from: Option<String>) -> Result<Letter, Trouble> {
        // Whatever someone else has by now.
        let mut taken = Vec::new();
        loop {
            let waiting = Inbox {
                unread_only: Some(true),
                from: from.clone(),
                limit: Some(500),
                wait_ms: Later(Some(u64::from(LONGEST_WAIT_S) * 1000)),
                except: Later(Some(taken.clone())),
                ..Inbox::default()
            };
            let patience = Duration::from_secs(u64::from(LONGEST_WAIT_S) + 10);
            let waiting = client.call_within(&waiting, patience).await.map_err(trouble)?;
            for message in waiting.messages {
                let claim = client.call(&Claim { message: message.id.clone() }).await.map_err(trouble)?;
                if claim.claimed {
                    acknowledge(client, &message.id).await?;
                    return Ok(Letter { state: ReceiptState::Delivered.to_string(), ..message.into() });
                }
                taken.push(message.id);
            }
        }
    }
}

/// Takes the delivery that follows a claim.
async fn acknowledge(client: &mut Client, message: &str) -> Result<(), Trouble> {
    loop {
        let frame = client.next().await.map_err(trouble)?;
        if frame.header.kind == FrameType::Deliver && frame.header.id == message {
            let seq = frame.header.delivery.map(|delivery| delivery.seq).unwrap_or_default();
            let ack = Ack {
                ack_id: frame.header.id,
                seq,
                correlation_id: None,
                response: None,
                response_data: None,
            };
            client.post(&ack).await.map_err(trouble)?;
            return Ok(());
        }
    }
}
