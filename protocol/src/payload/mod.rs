//! What the body of each frame type means.

mod attach;
mod channel;
mod credential;
mod daemon;
mod directory;
mod event;
mod inbox;
mod link;
mod message;
mod route;
mod session;
mod shadow;

pub use attach::*;
pub use channel::*;
pub use credential::*;
pub use daemon::*;
pub use directory::*;
pub use event::*;
pub use inbox::*;
pub use link::*;
pub use message::*;
pub use route::*;
pub use session::*;
pub use shadow::*;

use bincode::{Decode, Encode};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Body, DecodeError, Encoding, ErrorCode, FrameType, Hello, Receipt, Welcome};

/// A type that is the body of one frame type.
pub trait Payload: Serialize + DeserializeOwned + Encode + Decode<()> {
    /// The frame type it belongs to.
    const KIND: FrameType;
}

/// A payload that is answered by exactly one frame.
pub trait Request: Payload {
    /// The answer. Its envelope id is the request's; for SPAWN, RELEASE and SEND_INPUT its `replyTo` is.
    type Response: Payload;
}

macro_rules! payloads {
    ($($kind:ident: $payload:ty),+ $(,)?) => {
        $(impl Payload for $payload { const KIND: FrameType = FrameType::$kind; })+

        /// Rewrites a body of `kind` in another encoding.
        pub(crate) fn transcode(kind: FrameType, body: &Body, to: Encoding) -> Result<Body, DecodeError> {
            match kind {
                $(FrameType::$kind => Body::of(&body.decode::<$payload>()?, to),)+
                // The body of a DELIVER is that of the SEND it carries on.
                FrameType::Deliver => Body::of(&body.decode::<Message>()?, to),
                FrameType::Unknown(_) => {
                    Err(DecodeError::new(ErrorCode::UnknownType, "a frame of unknown type has no other encoding"))
                }
            }
        }
    };
}

macro_rules! requests {
    ($($request:ty => $response:ty),+ $(,)?) => { $(impl Request for $request { type Response = $response; })+ };
}

payloads! {
    Hello: Hello, Welcome: Welcome,
    Send: Message, Ack: Ack, Nack: Nack, Busy: Busy, Receipt: Receipt,
    Ping: Ping, Pong: Pong, Error: Error, Bye: Bye, Log: Log,
    Subscribe: Subscribe, Unsubscribe: Unsubscribe, ShadowBind: ShadowBind, ShadowUnbind: ShadowUnbind,
    ChannelJoin: ChannelJoin, ChannelLeave: ChannelLeave, ChannelMessage: ChannelMessage,
    Spawn: Spawn, SpawnResult: SpawnResult, Release: Release, ReleaseResult: ReleaseResult,
    AgentReady: AgentReady, SendInput: SendInput, SendInputResult: SendInputResult,
    ListWorkers: ListWorkers, ListWorkersResult: ListWorkersResult,
    Status: Status, StatusResponse: StatusResponse,
    Inbox: Inbox, InboxResponse: InboxResponse,
    MessagesQuery: MessagesQuery, MessagesResponse: MessagesResponse,
    ListAgents: ListAgents, ListAgentsResponse: ListAgentsResponse,
    ListConnectedAgents: ListConnectedAgents, ListConnectedAgentsResponse: ListConnectedAgentsResponse,
    RemoveAgent: RemoveAgent, RemoveAgentResponse: RemoveAgentResponse,
    Health: Health, HealthResponse: HealthResponse, Metrics: Metrics, MetricsResponse: MetricsResponse,
    Receipts: Receipts, ReceiptsResponse: ReceiptsResponse,
    Claim: Claim, ClaimResult: ClaimResult, Lease: Lease, LeaseResult: LeaseResult,
    ListSessions: ListSessions, ListSessionsResponse: ListSessionsResponse,
    Screen: Screen, ScreenResponse: ScreenResponse, Logs: Logs, LogsResponse: LogsResponse,
    Events: Events, EventsResponse: EventsResponse, Event: Event,
    Attach: Attach, AttachResponse: AttachResponse, Output: Output, Input: Input, Resize: Resize,
    Detach: Detach, Notice: Notice,
    Credential: Credential, CredentialResponse: CredentialResponse,
    RouteExplain: RouteExplain, RouteExplainResponse: RouteExplainResponse,
    Shutdown: Shutdown, ShutdownResponse: ShutdownResponse,
    Diagnose: Diagnose, DiagnoseResponse: DiagnoseResponse,
}

requests! {
    Spawn => SpawnResult, Release => ReleaseResult, SendInput => SendInputResult,
    ListWorkers => ListWorkersResult, Status => StatusResponse, Inbox => InboxResponse,
    MessagesQuery => MessagesResponse, ListAgents => ListAgentsResponse,
    ListConnectedAgents => ListConnectedAgentsResponse, RemoveAgent => RemoveAgentResponse,
    Health => HealthResponse, Metrics => MetricsResponse, Receipts => ReceiptsResponse,
    Claim => ClaimResult, Lease => LeaseResult, ListSessions => ListSessionsResponse,
    Screen => ScreenResponse, Logs => LogsResponse, Events => EventsResponse, Attach => AttachResponse,
    Credential => CredentialResponse, RouteExplain => RouteExplainResponse,
    Shutdown => ShutdownResponse, Diagnose => DiagnoseResponse,
}
