//! Messages to oneself: looking at them, and waiting for the next.

use std::time::Duration;

use posthouse_client::Client;
use posthouse_protocol::payload::{Inbox, InboxMessage};
use posthouse_protocol::{Later, ReceiptState};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::schemars::JsonSchema;
use rmcp::service::RequestContext;
use rmcp::{Json, RoleServer, tool, tool_router};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::sending::LONGEST_WAIT_S;
use crate::bridge::Bridge;
use crate::bridge::link::{Trouble, trouble};

/// How much longer than it was asked to wait the daemon may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Messages listed unless told otherwise.
const LISTED: u32 = 20;

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

#[tool_router(router = receiving, vis = "pub(in crate::bridge)")]
impl Bridge {
    /// List the messages that were sent to you, read or not. Listing takes none of them.
    #[tool(name = "inbox", title = "List your messages", annotations(read_only_hint = true))]
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
    #[tool(name = "wait_for_message", title = "Wait for a message", annotations(destructive_hint = false))]
    async fn wait_for_message(
        &self,
        Parameters(wanted): Parameters<WaitRequest>,
        context: RequestContext<RoleServer>,
    ) -> Result<Json<Waited>, Trouble> {
        let time = Duration::from_secs(u64::from(wanted.timeout_s.unwrap_or(30).min(LONGEST_WAIT_S)));
        let call = self.call(context);
        let mut client = self.link.connect().await?;
        let next = take_next(&mut client, wanted.from, Instant::now() + time);
        let waited = call.unless_given_up(call.counting(time, "waiting for a message", next)).await;
        Ok(Json(Waited { message: waited? }))
    }
}

/// The oldest message that waits, or the next that comes until then; claimed and acknowledged. One that was claimed and not
/// acknowledged, as of a call that was given up, waits again once the connection is gone.
async fn take_next(
    client: &mut Client,
    from: Option<String>,
    until: Instant,
) -> Result<Option<Letter>, Trouble> {
    // Whatever someone else has by now.
    let mut taken = Vec::new();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let waiting = Inbox {
            unread_only: Some(true),
            from: from.clone(),
            limit: Some(500),
            wait_ms: Later(u64::try_from(left.as_millis()).ok()),
            except: Later(Some(taken.clone())),
            ..Inbox::default()
        };
        let waiting = client.call_within(&waiting, left + PATIENCE).await.map_err(trouble)?;
        if waiting.messages.is_empty() {
            return Ok(None);
        }
        for message in waiting.messages {
            if client.take(&message.id).await.map_err(trouble)?.claimed {
                return Ok(Some(Letter { state: ReceiptState::Delivered.to_string(), ..message.into() }));
            }
            taken.push(message.id);
        }
    }
}
