//! Sending a message, answering one, and what became of it.

use std::time::Duration;

use posthouse_protocol::payload::Receipts;
use posthouse_protocol::{Receipt, SendMeta};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::schemars::JsonSchema;
use rmcp::service::RequestContext;
use rmcp::{Json, RoleServer, tool, tool_router};
use serde::{Deserialize, Serialize};

use crate::bridge::Bridge;
use crate::bridge::link::Trouble;
use crate::bridge::way::Way;

/// Longest wait: clients give up on calls that take longer.
pub(super) const LONGEST_WAIT_S: u32 = 50;

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct SendRequest {
    /// An agent's or person's name, `#channel`, or `*` for everyone
    to: String,
    /// The text
    text: String,
    /// Wait up to so many seconds, at most 50, for the end of its way: delivered, failed, expired or uncertain. Without it
    /// the call returns once the message is safe
    wait_s: Option<u32>,
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
    /// Wait up to so many seconds, at most 50, for the end of its way: delivered, failed, expired or uncertain. Without it
    /// the call returns once the message is safe
    wait_s: Option<u32>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct BroadcastRequest {
    /// The text
    text: String,
    /// Wait up to so many seconds, at most 50, for the end of its way: delivered, failed, expired or uncertain. Without it
    /// the call returns once the message is safe
    wait_s: Option<u32>,
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

#[tool_router(router = sending, vis = "pub(in crate::bridge)")]
impl Bridge {
    /// Send a message to an agent, a person, a #channel or everyone (*). Returns once it is safe on disk, or has come to its
    /// end where you wait for that, with what is proven about it so far.
    #[tool(
        name = "send",
        title = "Send a message",
        annotations(destructive_hint = false, idempotent_hint = false)
    )]
    async fn send(
        &self,
        Parameters(wanted): Parameters<SendRequest>,
        context: RequestContext<RoleServer>,
    ) -> Result<Json<Sent>, Trouble> {
        self.send_with(context, &wanted.to, wanted.text, SendMeta::default(), wanted.wait_s).await
    }

    /// Answer a message, by its id.
    #[tool(
        name = "reply",
        title = "Answer a message",
        annotations(destructive_hint = false, idempotent_hint = false)
    )]
    async fn reply(
        &self,
        Parameters(wanted): Parameters<ReplyRequest>,
        context: RequestContext<RoleServer>,
    ) -> Result<Json<Sent>, Trouble> {
        let meta = SendMeta { reply_to: Some(wanted.message), ..SendMeta::default() };
        self.send_with(context, &wanted.to, wanted.text, meta, wanted.wait_s).await
    }

    /// Send a message to everyone who is connected or a session.
    #[tool(
        name = "broadcast",
        title = "Send a message to everyone",
        annotations(destructive_hint = false, idempotent_hint = false)
    )]
    async fn broadcast(
        &self,
        Parameters(wanted): Parameters<BroadcastRequest>,
        context: RequestContext<RoleServer>,
    ) -> Result<Json<Sent>, Trouble> {
        self.send_with(context, "*", wanted.text, SendMeta::default(), wanted.wait_s).await
    }

    /// What is proven about a message, step by step, for each recipient.
    #[tool(name = "receipts", title = "What became of a message", annotations(read_only_hint = true))]
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
    /// Sends, and waits for as much as is wanted. A client that gives up waiting does not stop the message.
    pub(super) async fn send_with(
        &self,
        context: RequestContext<RoleServer>,
        to: &str,
        text: String,
        meta: SendMeta,
        wait_s: Option<u32>,
    ) -> Result<Json<Sent>, Trouble> {
        let call = self.call(context);
        let mut way = Way::begin(self.link.connect().await?, to, text, meta).await?;
        if let Some(seconds) = wait_s {
            let time = Duration::from_secs(u64::from(seconds.min(LONGEST_WAIT_S)));
            call.unless_given_up(way.follow(time, &call)).await?;
        }
        Ok(Json(Sent {
            message: way.message().to_owned(),
            receipts: way.latest().map(Proof::from).collect(),
        }))
    }
}
