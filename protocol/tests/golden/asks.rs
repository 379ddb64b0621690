//! Questions about names and messages.

use posthouse_protocol::payload::{
    AgentInfo, AgentReady, Inbox, InboxMessage, InboxResponse, ListAgents, ListAgentsResponse,
    ListConnectedAgents, ListConnectedAgentsResponse, MessagesQuery, MessagesResponse, RemoveAgent,
    RemoveAgentResponse, StoredMessage,
};
use posthouse_protocol::{Json, Later, ReceiptState};
use serde_json::json;

use crate::sample::{Sample, TEXT, bare, sample};

pub fn samples() -> Vec<Sample> {
    let agent = || AgentInfo {
        name: "bob".into(),
        cli: Some("codex".into()),
        idle: Some(false),
        parent: Some("Alice".into()),
        team: Some("red".into()),
        pid: Some(4_242),
        session: Some(true),
    };
    vec![
        sample(AgentReady {
            name: "bob".into(),
            cli: Some("codex".into()),
            task: Some(TEXT.into()),
            connected_at: 1_795_311_296_312,
        }),
        sample(ListAgents { include_idle: Some(true), project: Some("p".into()) }),
        sample(ListAgentsResponse { agents: vec![agent()] }),
        bare(ListAgentsResponse::default()),
        sample(ListConnectedAgents { project: Some("p".into()) }),
        sample(ListConnectedAgentsResponse { agents: vec![agent()] }),
        sample(RemoveAgent { name: "bob".into(), remove_messages: Some(true) }),
        sample(RemoveAgentResponse {
            success: true,
            removed: false,
            message: Some("nobody is called bob".into()),
        }),
        sample(Inbox {
            agent: Some("bob".into()),
            limit: Some(50),
            unread_only: Some(true),
            from: Some("Alice".into()),
            channel: Some("#general".into()),
            wait_ms: Later(None),
            except: Later(None),
        }),
        bare(Inbox::default()),
        sample(InboxResponse {
            messages: vec![InboxMessage {
                id: "0192-m".into(),
                from: "Alice".into(),
                body: TEXT.into(),
                channel: Some("#general".into()),
                thread: Some("t-1".into()),
                timestamp: 1_795_311_296_312,
                state: ReceiptState::Queued,
                reason: Some("busy".into()),
            }],
            truncated: true,
        }),
        sample(MessagesQuery {
            limit: Some(50),
            since_ts: Some(1_795_311_296_312),
            from: Some("Alice".into()),
            to: Some("bob".into()),
            thread: Some("t-1".into()),
            order: Some("asc".into()),
        }),
        sample(MessagesResponse {
            messages: vec![StoredMessage {
                id: "0192-m".into(),
                from: "Alice".into(),
                to: "#general".into(),
                body: TEXT.into(),
                channel: Some("#general".into()),
                thread: Some("t-1".into()),
                timestamp: 1_795_311_296_312,
                status: Some("delivered".into()),
                is_broadcast: Some(true),
                data: Some(Json::from(json!({"a": 1}))),
            }],
        }),
    ]
}
