//! The daemon as a whole, its events, its credentials.

use posthouse_protocol::payload::{
    AgentMetrics, AlertInfo, Check, CrashInfo, Credential, CredentialInfo, CredentialResponse,
    CredentialSource, Diagnose, DiagnoseResponse, Event, Events, EventsResponse, Health, HealthIssue,
    HealthResponse, HealthStats, Metrics, MetricsResponse, MountInfo, RouteExplain, RouteExplainResponse,
    Shutdown, ShutdownResponse, Status, StatusResponse, StorageStatus, SystemMetrics,
};
use posthouse_protocol::{Json, Later};
use serde_json::json;

use crate::sample::{Sample, TEXT, bare, named, sample};
use crate::session::trouble;

pub fn samples() -> Vec<Sample> {
    [state(), history(), credentials()].concat()
}

fn state() -> Vec<Sample> {
    vec![
        sample(Status {}),
        sample(StatusResponse {
            version: "0.1.0".into(),
            uptime: 61_000,
            cloud_connected: false,
            agent_count: 2,
            storage: StorageStatus {
                persistent: true,
                driver: "sqlite".into(),
                can_write: false,
                can_read: true,
                error: Some("the disk is full".into()),
            },
            pid: 4_242,
            generation: 3,
            socket: "/run/user/1000/posthouse/posthouse.sock".into(),
            home: "/home/a/.local/state/posthouse".into(),
            sessions: 1,
            connections: 4,
            queued: 5,
            panics: 0,
        }),
        sample(Health { include_crashes: Some(true), include_alerts: Some(false) }),
        sample(health()),
        sample(Metrics { agent: Some("bob".into()) }),
        sample(MetricsResponse {
            agents: vec![AgentMetrics {
                name: "bob".into(),
                pid: Some(4_242),
                status: "ready".into(),
                rss_bytes: Some(123_456_789),
                cpu_percent: Some(7),
                uptime_ms: Some(61_000),
            }],
            system: SystemMetrics { total_memory: 1 << 34, free_memory: 1 << 33, heap_used: 1 << 23 },
        }),
        sample(Shutdown { release_all: true, restart: Later(None) }),
        bare(Shutdown { release_all: false, restart: Later(None) }),
        sample(ShutdownResponse { released: vec!["bob".into()], left_running: vec!["eve".into()] }),
        sample(Diagnose {}),
        sample(DiagnoseResponse {
            checks: vec![Check {
                name: "journal".into(),
                outcome: "warning".into(),
                detail: TEXT.into(),
                fix: Some("posthouse up".into()),
            }],
            more: Some(Json::from(json!({"socket": "/s"}))),
        }),
    ]
}

fn health() -> HealthResponse {
    HealthResponse {
        health_score: 50,
        summary: "1 of 2 sessions need a look".into(),
        issues: vec![HealthIssue { severity: "critical".into(), message: "bob: it failed".into() }],
        recommendations: vec!["posthouse release bob".into()],
        crashes: vec![CrashInfo {
            id: "0192-r".into(),
            agent_name: "bob".into(),
            crashed_at: "2026-11-22T10:00:00Z".into(),
            likely_cause: "exited with 1".into(),
            summary: Some(TEXT.into()),
        }],
        alerts: vec![AlertInfo {
            id: "bob-1".into(),
            agent_name: "bob".into(),
            alert_type: "blocked: permission".into(),
            message: TEXT.into(),
            created_at: "2026-11-22T10:00:00Z".into(),
        }],
        stats: HealthStats { total_crashes_24h: 1, total_alerts_24h: 1, agent_count: 2 },
    }
}

fn history() -> Vec<Sample> {
    let event = || Event {
        seq: 17,
        version: 1,
        kind: "session.state".into(),
        subject: "bob".into(),
        cause: Some("16".into()),
        actor: "Alice".into(),
        at: 1_795_311_296_312,
        data: Json::from(json!({"from": "ready", "to": "busy"})),
    };
    vec![
        sample(Events {
            after: Some(16),
            limit: Some(100),
            kinds: vec!["session.".into(), "decision".into()],
            subject: Some("bob".into()),
            tail: Some(false),
            follow: Some(true),
        }),
        bare(Events::default()),
        sample(EventsResponse { events: vec![event()], next: 17 }),
        sample(event()),
        sample(RouteExplain { name: "bob".into(), failure: Some("usage_limit".into()) }),
        sample(RouteExplainResponse {
            name: "bob".into(),
            mounts: vec![MountInfo {
                mount: "codex@openai/work".into(),
                current: true,
                usable: false,
                reason: "cooling".into(),
                until: Some("2026-11-22T10:00:00Z".into()),
            }],
            trouble: Some(trouble()),
            decision: Some(Json::from(json!({"do": "move"}))),
            lines: vec![TEXT.into()],
        }),
    ]
}

fn credentials() -> Vec<Sample> {
    let name = || "openai/work".to_owned();
    let add = |source| Credential::Add {
        provider: "openai".into(),
        alias: "work".into(),
        source,
        base_url: Some("http://127.0.0.1:1/v1".into()),
    };
    vec![
        named("add home", add(CredentialSource::Home { dir: "/home/a/.codex".into() })),
        named("add key", add(CredentialSource::Key { secret: "not-a-secret".into() })),
        named("list", Credential::List),
        named("show", Credential::Show { name: name() }),
        named("remove", Credential::Remove { name: name() }),
        named("check", Credential::Check { name: name() }),
        named("login", Credential::Login { name: name(), home: Some("/home/a/.codex".into()), device: true }),
        named(
            "login ended",
            Credential::LoginEnded { name: name(), device: true, failed: false, said: TEXT.into() },
        ),
        sample(CredentialResponse {
            credentials: vec![CredentialInfo {
                provider: "openai".into(),
                alias: "work".into(),
                kind: "home".into(),
                home: Some("/home/a/.codex".into()),
                base_url: Some("http://127.0.0.1:1/v1".into()),
                state: "cooling".into(),
                generation: 2,
                why: Some("usage limit".into()),
                until: Some("2026-11-22T10:00:00Z".into()),
                proven_at: Some(1_795_311_296_312),
                sessions: vec!["bob".into()],
                repair: Some("codex login".into()),
                login: Later(None),
                verified_by: Later(None),
            }],
            message: Some(TEXT.into()),
            more: Some(Json::from(json!({"checked": true}))),
        }),
    ]
}
