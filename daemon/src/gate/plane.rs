//! Which room a frame is for.

use posthouse_protocol::FrameType;

/// Where a frame from a client goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plane {
    /// To post, in order.
    Message,
    /// To a verb of the gate, beside everything else.
    Request,
    /// HELLO, which may come only once.
    Hello,
    /// Heartbeat of a client.
    Ping,
    /// Answer to ours.
    Pong,
    /// The client is about to close.
    Bye,
    /// A line for the log.
    Log,
    /// Nowhere: clients do not send it.
    DaemonOnly,
    /// Nowhere: a later version's.
    Unknown,
}

/// The plane of a frame type.
pub(super) fn of(kind: FrameType) -> Plane {
    use FrameType as T;
    match kind {
        T::Hello => Plane::Hello,
        T::Ping => Plane::Ping,
        T::Pong => Plane::Pong,
        T::Bye => Plane::Bye,
        T::Log => Plane::Log,
        T::Send
        | T::Ack
        | T::Nack
        | T::Subscribe
        | T::Unsubscribe
        | T::ShadowBind
        | T::ShadowUnbind
        | T::ChannelJoin
        | T::ChannelLeave
        | T::ChannelMessage
        | T::Claim
        | T::Lease => Plane::Message,
        T::Spawn
        | T::Release
        | T::SendInput
        | T::ListWorkers
        | T::Status
        | T::Inbox
        | T::MessagesQuery
        | T::ListAgents
        | T::ListConnectedAgents
        | T::RemoveAgent
        | T::Health
        | T::Metrics
        | T::Receipts
        | T::ListSessions
        | T::Screen
        | T::Logs
        | T::Events
        | T::Attach
        | T::Input
        | T::Resize
        | T::Detach
        | T::Credential
        | T::RouteExplain
        | T::Shutdown
        | T::Diagnose
        | T::Conversation
        | T::Interrupt
        | T::Outcome
        | T::Token
        | T::Route
        | T::Failures => Plane::Request,
        T::Welcome
        | T::Deliver
        | T::Busy
        | T::Error
        | T::SpawnResult
        | T::ReleaseResult
        | T::AgentReady
        | T::SendInputResult
        | T::ListWorkersResult
        | T::StatusResponse
        | T::InboxResponse
        | T::MessagesResponse
        | T::ListAgentsResponse
        | T::ListConnectedAgentsResponse
        | T::RemoveAgentResponse
        | T::HealthResponse
        | T::MetricsResponse
        | T::Receipt
        | T::ReceiptsResponse
        | T::ClaimResult
        | T::LeaseResult
        | T::ListSessionsResponse
        | T::ScreenResponse
        | T::LogsResponse
        | T::EventsResponse
        | T::Event
        | T::AttachResponse
        | T::Output
        | T::Notice
        | T::CredentialResponse
        | T::RouteExplainResponse
        | T::ShutdownResponse
        | T::DiagnoseResponse
        | T::ConversationResponse
        | T::InterruptResponse
        | T::OutcomeResponse
        | T::TokenResponse
        | T::RouteResponse
        | T::FailuresResponse => Plane::DaemonOnly,
        T::Unknown(_) => Plane::Unknown,
    }
}
