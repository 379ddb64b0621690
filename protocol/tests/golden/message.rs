//! Handshake, messages, channels, the link itself.

use posthouse_protocol::handshake::{
    Capabilities, DaemonInfo, Hello, Principal, PrincipalKind, Resume, Role, ServerLimits, VersionRange,
    Welcome,
};
use posthouse_protocol::payload::{
    Ack, Busy, Bye, ChannelJoin, ChannelLeave, ChannelMessage, Claim, ClaimResult, Error, Lease, LeaseResult,
    Log, Message, Nack, Ping, Pong, Receipts, ReceiptsResponse, ShadowBind, ShadowUnbind, Subscribe,
    Unsubscribe,
};
use posthouse_protocol::{Encoding, ErrorCode, Evidence, FrameType, Json, Receipt, ReceiptState};
use serde_json::json;

use crate::sample::{Sample, TEXT, bare, carried, full_header, of, sample};

pub fn samples() -> Vec<Sample> {
    let message = || Message {
        kind: Some("action".into()),
        body: TEXT.into(),
        data: Some(Json::from(json!({"_correlationId": "c-1", "n": [1, 2.5, null]}))),
        thread: Some("t-1".into()),
    };
    vec![
        sample(hello()),
        bare(Hello::new("a")),
        sample(welcome()),
        of("SEND".into(), full_header(FrameType::Send), message()),
        bare(Message::text("")),
        carried("DELIVER".into(), full_header(FrameType::Deliver), message()),
        sample(Ack {
            ack_id: "d-1".into(),
            seq: 7,
            correlation_id: Some("c-1".into()),
            response: Some("OK".into()),
            response_data: Some(Json::from(json!({"ok": true}))),
        }),
        bare(Ack { ack_id: "d".into(), seq: 0, correlation_id: None, response: None, response_data: None }),
        sample(Nack { ack_id: "d-1".into(), code: Some("INVALID".into()), reason: Some(TEXT.into()) }),
        sample(Busy { retry_after_ms: 250, queue_depth: 100_000 }),
        sample(Ping { nonce: "n-1".into() }),
        sample(Pong { nonce: "n-1".into() }),
        sample(Error { code: ErrorCode::HandshakeRequired, message: TEXT.into(), fatal: true }),
        sample(Bye {}),
        sample(Subscribe { topic: Some("builds".into()) }),
        bare(Subscribe::default()),
        sample(Unsubscribe { topic: Some("builds".into()) }),
        sample(ShadowBind {
            primary_agent: "Alice".into(),
            speak_on: vec!["SESSION_END".into()],
            receive_incoming: Some(true),
            receive_outgoing: Some(false),
        }),
        sample(ShadowUnbind { primary_agent: "Alice".into() }),
        sample(Log { data: TEXT.into(), timestamp: Some(1_795_311_296_312) }),
        sample(ChannelJoin {
            channel: "#general".into(),
            display_name: Some("Alice A.".into()),
            member: Some("Bob".into()),
        }),
        sample(ChannelLeave {
            channel: "#general".into(),
            reason: Some("done".into()),
            member: Some("Bob".into()),
        }),
        sample(ChannelMessage {
            channel: "#general".into(),
            body: TEXT.into(),
            thread: Some("t-1".into()),
            mentions: vec!["Bob".into()],
            attachments: Some(Json::from(json!([{"id": "f-1", "filename": "a.txt"}]))),
            data: Some(Json::from(json!({}))),
        }),
        sample(receipt()),
        sample(Receipts { message: Some("0192-m".into()), client_id: Some("frame-0".into()) }),
        sample(ReceiptsResponse { receipts: vec![receipt()] }),
        sample(Claim { message: "0192-m".into() }),
        sample(ClaimResult { message: "0192-m".into(), claimed: false, reason: Some("Bob has it".into()) }),
        sample(Lease {}),
        sample(LeaseResult { granted: true, reason: None }),
    ]
}

fn hello() -> Hello {
    Hello {
        agent: "Alice".into(),
        capabilities: Capabilities {
            ack: Some(true),
            resume: Some(true),
            max_inflight: Some(256),
            supports_topics: Some(true),
            receipts: Some(true),
            busy: Some(false),
        },
        versions: Some(VersionRange { min: 1, max: 3 }),
        encodings: vec![Encoding::Bincode, Encoding::Json],
        kind: Some(PrincipalKind::Operator),
        role: Some(Role::Auxiliary),
        entity_type: Some("user".into()),
        cli: Some("codex".into()),
        program: Some("posthouse".into()),
        model: Some("m-1".into()),
        task: Some(TEXT.into()),
        working_directory: Some("/home/a/b c".into()),
        display_name: Some("Alice A.".into()),
        team: Some("red".into()),
        session: Some(Resume { resume_token: Some("token".into()) }),
    }
}

fn welcome() -> Welcome {
    Welcome {
        session_id: "s-1".into(),
        resume_token: Some("token".into()),
        server: ServerLimits { max_frame_bytes: 1_048_576, heartbeat_ms: 5_000, max_inflight: 256 },
        version: 1,
        encoding: Encoding::Json,
        daemon: DaemonInfo { version: "0.1.0".into(), pid: 4_242, generation: 3 },
        principal: Principal { uid: 1_000, kind: PrincipalKind::Agent, session: Some("Alice".into()) },
        role: Role::Auxiliary,
    }
}

fn receipt() -> Receipt {
    Receipt {
        message: "0192-m".into(),
        client_id: "frame-0".into(),
        recipient: "Bob".into(),
        state: ReceiptState::Delivered,
        reason: Some("it said so".into()),
        evidence: Some(Evidence::Structured),
        attempt: 2,
        run: Some("0192-r".into()),
        at: 1_795_311_296_312,
        terminal: true,
    }
}
