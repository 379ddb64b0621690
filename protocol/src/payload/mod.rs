//! What the body of each frame type means.

mod attach;
mod channel;
mod conversation;
mod credential;
mod daemon;
mod directory;
mod event;
mod failure;
mod inbox;
mod link;
mod message;
mod outcome;
mod restart;
mod route;
mod session;
mod shadow;
mod token;

pub use attach::*;
pub use channel::*;
pub use conversation::*;
pub use credential::*;
pub use daemon::*;
pub use directory::*;
pub use event::*;
pub use failure::*;
pub use inbox::*;
pub use link::*;
pub use message::*;
pub use outcome::*;
pub use restart::*;
pub use route::*;
pub use session::*;
pub use shadow::*;
pub use token::*;

use bincode::{Decode, Encode};
use serde::{Serialize, de::DeserializeOwned};

use crate::later;
use crate::{Body, DecodeError, Encoding, ErrorCode, FrameType, Hello, Receipt, Welcome};

/// A type that is the body of one frame type.
pub trait Payload: Serialize + DeserializeOwned + Encode + Decode<()> {
    /// The frame type it belongs to.
    const KIND: FrameType;

    /// The fields that came after the first version, as binary carries them: by number, absent ones left out.
    ///
    /// # Errors
    /// A value has no binary form.
    fn later(&self) -> Result<Vec<(u16, Vec<u8>)>, DecodeError> {
        Ok(Vec::new())
    }

    /// Takes one of them back. A number of a version after this one is passed over.
    ///
    /// # Errors
    /// The bytes are not what the number stands for.
    fn take_later(&mut self, _number: u16, _bytes: &[u8]) -> Result<(), DecodeError> {
        Ok(())
    }
}

/// A payload that is answered by exactly one frame.
pub trait Request: Payload {
    /// The answer. Its envelope id is the request's; for SPAWN, RELEASE and SEND_INPUT its `replyTo` is.
    type Response: Payload;
}

macro_rules! later {
    (put $list:ident, $number:literal, $payload:ident, $field:ident) => {
        later::put(&mut $list, $number, &$payload.$field)?
    };
    (put $list:ident, $number:literal, $payload:ident, $field:ident $of:ident) => {
        later::put_each(&mut $list, $number, $payload.$field.iter().map(|entry| &entry.$of))?
    };
    (take $bytes:ident, $payload:ident, $field:ident) => {
        later::take(&mut $payload.$field, $bytes)
    };
    (take $bytes:ident, $payload:ident, $field:ident $of:ident) => {
        later::take_each($payload.$field.iter_mut().map(|entry| &mut entry.$of), $bytes)
    };
}

/// `Kind: Type { 1: field, 2: list[].field }`: the fields in braces came later, under these numbers.
macro_rules! payloads {
    ($($kind:ident: $payload:ident $({ $($number:literal: $field:ident $([].$of:ident)?),+ })?),+ $(,)?) => {
        $(impl Payload for $payload {
            const KIND: FrameType = FrameType::$kind;
            $(
                fn later(&self) -> Result<Vec<(u16, Vec<u8>)>, DecodeError> {
                    let mut list = Vec::new();
                    $(later!(put list, $number, self, $field $($of)?);)+
                    Ok(list)
                }

                fn take_later(&mut self, number: u16, bytes: &[u8]) -> Result<(), DecodeError> {
                    match number {
                        $($number => later!(take bytes, self, $field $($of)?),)+
                        _ => Ok(()),
                    }
                }
            )?
        })+

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
    Spawn: Spawn { 1: restart, 2: one_shot }, SpawnResult: SpawnResult, Release: Release, ReleaseResult: ReleaseResult,
    AgentReady: AgentReady, SendInput: SendInput, SendInputResult: SendInputResult,
    ListWorkers: ListWorkers, ListWorkersResult: ListWorkersResult,
    Status: Status, StatusResponse: StatusResponse,
    Inbox: Inbox { 1: wait_ms, 2: except }, InboxResponse: InboxResponse,
    MessagesQuery: MessagesQuery, MessagesResponse: MessagesResponse,
    ListAgents: ListAgents, ListAgentsResponse: ListAgentsResponse,
    ListConnectedAgents: ListConnectedAgents, ListConnectedAgentsResponse: ListConnectedAgentsResponse,
    RemoveAgent: RemoveAgent, RemoveAgentResponse: RemoveAgentResponse,
    Health: Health, HealthResponse: HealthResponse, Metrics: Metrics, MetricsResponse: MetricsResponse,
    Receipts: Receipts, ReceiptsResponse: ReceiptsResponse,
    Claim: Claim, ClaimResult: ClaimResult, Lease: Lease, LeaseResult: LeaseResult,
    ListSessions: ListSessions, ListSessionsResponse: ListSessionsResponse { 1: sessions[].restarts },
    Screen: Screen, ScreenResponse: ScreenResponse, Logs: Logs, LogsResponse: LogsResponse,
    Events: Events, EventsResponse: EventsResponse, Event: Event,
    Attach: Attach, AttachResponse: AttachResponse, Output: Output, Input: Input, Resize: Resize,
    Detach: Detach, Notice: Notice,
    Credential: Credential, CredentialResponse: CredentialResponse { 1: credentials[].login, 2: credentials[].verified_by },
    RouteExplain: RouteExplain, RouteExplainResponse: RouteExplainResponse,
    Shutdown: Shutdown { 1: restart }, ShutdownResponse: ShutdownResponse,
    Diagnose: Diagnose, DiagnoseResponse: DiagnoseResponse,
    Conversation: Conversation, ConversationResponse: ConversationResponse,
    Interrupt: Interrupt, InterruptResponse: InterruptResponse,
    Outcome: Outcome, OutcomeResponse: OutcomeResponse,
    Token: Token, TokenResponse: TokenResponse,
    Route: Route, RouteResponse: RouteResponse,
    Failures: Failures, FailuresResponse: FailuresResponse,
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
    Conversation => ConversationResponse, Interrupt => InterruptResponse,
    Outcome => OutcomeResponse, Token => TokenResponse, Route => RouteResponse, Failures => FailuresResponse,
}
