//! Channels: joining one, leaving it, and posting to all of its members. Membership is the name's and outlives connections.

use std::time::Duration;

use posthouse_client::connection::refused;
use posthouse_protocol::payload::{ChannelJoin, ChannelLeave, Health};
use posthouse_protocol::{FrameType, Payload, SendMeta};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::schemars::JsonSchema;
use rmcp::service::RequestContext;
use rmcp::{Json, RoleServer, tool, tool_router};
use serde::{Deserialize, Serialize};

use super::sending::Sent;
use crate::bridge::Bridge;
use crate::bridge::link::{Trouble, trouble};

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct OneChannel {
    /// The channel, with or without #
    channel: String,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct PostRequest {
    /// The channel, with or without #
    channel: String,
    /// The text
    text: String,
    /// Wait up to so many seconds, at most 50, for the end of its way: delivered, failed, expired or uncertain. Without it
    /// the call returns once the message is safe
    wait_s: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Membership {
    channel: String,
    /// Whether you are a member now
    member: bool,
}

#[tool_router(router = channels, vis = "pub(in crate::bridge)")]
impl Bridge {
    /// Become a member of a channel: what is posted there from now on is sent to you.
    #[tool(
        name = "channel_join",
        title = "Join a channel",
        annotations(destructive_hint = false, idempotent_hint = true)
    )]
    async fn channel_join(
        &self,
        Parameters(wanted): Parameters<OneChannel>,
    ) -> Result<Json<Membership>, Trouble> {
        let channel = marked(&wanted.channel);
        self.tell(&ChannelJoin { channel: channel.clone(), display_name: None, member: None }).await?;
        Ok(Json(Membership { channel, member: true }))
    }

    /// Leave a channel.
    #[tool(
        name = "channel_leave",
        title = "Leave a channel",
        annotations(destructive_hint = false, idempotent_hint = true)
    )]
    async fn channel_leave(
        &self,
        Parameters(wanted): Parameters<OneChannel>,
    ) -> Result<Json<Membership>, Trouble> {
        let channel = marked(&wanted.channel);
        self.tell(&ChannelLeave { channel: channel.clone(), reason: None, member: None }).await?;
        Ok(Json(Membership { channel, member: false }))
    }

    /// Send a message to every other member of a channel that can be reached.
    #[tool(
        name = "channel_post",
        title = "Post to a channel",
        annotations(destructive_hint = false, idempotent_hint = false)
    )]
    async fn channel_post(
        &self,
        Parameters(wanted): Parameters<PostRequest>,
        context: RequestContext<RoleServer>,
    ) -> Result<Json<Sent>, Trouble> {
        self.send_with(context, &marked(&wanted.channel), wanted.text, SendMeta::default(), wanted.wait_s)
            .await
    }
}

impl Bridge {
    /// Sends what has no answer but an error: whatever the daemon has to say of it comes before its answer to what is asked
    /// behind it.
    async fn tell<P: Payload>(&self, what: &P) -> Result<(), Trouble> {
        let mut client = self.link.connect().await?;
        let id = client.post(what).await.map_err(trouble)?;
        client.call(&Health::default()).await.map_err(trouble)?;
        while let Ok(frame) = tokio::time::timeout(Duration::ZERO, client.next()).await {
            let frame = frame.map_err(trouble)?;
            if frame.header.kind == FrameType::Error && frame.header.id == id {
                return Err(trouble(refused(&frame)));
            }
        }
        Ok(())
    }
}

fn marked(channel: &str) -> String {
    if channel.starts_with('#') { channel.to_owned() } else { format!("#{channel}") }
}
