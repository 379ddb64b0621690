//! Sessions and their terminals.

use posthouse_protocol::payload::{
    Attach, AttachResponse, Blocked, Conversation, ConversationResponse, Detach, EnvVar, FailureInfo,
    Failures, FailuresResponse, Input, Interrupt, InterruptResponse, ListSessions, ListSessionsResponse,
    ListWorkers, ListWorkersResult, Logs, LogsResponse, Notice, Outcome, OutcomeResponse, Output, Release,
    ReleaseResult, Resize, Route, RouteInfo, RouteResponse, Said, Screen, ScreenResponse, SendInput,
    SendInputResult, SessionInfo, Spawn, SpawnResult, Token, TokenResponse, Trouble, WindowSize, WorkerInfo,
};
use posthouse_protocol::{Blob, Later};

use crate::sample::{Sample, TEXT, bare, sample};

const SIZE: WindowSize = WindowSize { cols: 100, rows: 30 };

pub fn samples() -> Vec<Sample> {
    [lifecycle(), lists(), terminal()].concat()
}

fn lifecycle() -> Vec<Sample> {
    vec![
        sample(Spawn {
            name: "bob".into(),
            cli: Some("codex --full-auto".into()),
            task: Some(TEXT.into()),
            team: Some("red".into()),
            cwd: Some("/work".into()),
            model: Some("m-1".into()),
            spawner_name: Some("Alice".into()),
            interactive: Some(true),
            harness: Some("codex".into()),
            route: Some("codex@openai/work, claude@anthropic/max".into()),
            args: vec!["--flag".into(), "a b".into()],
            env: vec![EnvVar { name: "LANG".into(), value: "C.UTF-8".into() }],
            trust: Some(true),
            allow: vec!["spawn".into()],
            size: Some(SIZE),
            wait_ready_ms: Some(60_000),
            restart: Later(None),
            one_shot: Later(None),
        }),
        sample(SpawnResult {
            reply_to: "frame-0".into(),
            success: true,
            name: "bob".into(),
            pid: Some(4_242),
            error: None,
            mount: Some("codex@openai/work".into()),
            run: Some("0192-r".into()),
            code: None,
        }),
        bare(SpawnResult {
            reply_to: "f".into(),
            success: false,
            name: "bob".into(),
            pid: None,
            error: Some("failed to start bob".into()),
            mount: None,
            run: None,
            code: Some("BAD_ROUTE".into()),
        }),
        sample(Release { name: "bob".into(), reason: Some("done".into()), grace_ms: Some(5_000) }),
        sample(ReleaseResult {
            reply_to: "frame-0".into(),
            success: false,
            name: "bob".into(),
            error: Some("failed to release bob".into()),
            code: Some("NO_SUCH_SESSION".into()),
        }),
        sample(SendInput { name: "bob".into(), data: "y\r\u{1b}[A".into() }),
        sample(SendInputResult {
            reply_to: "frame-0".into(),
            success: true,
            name: "bob".into(),
            error: None,
        }),
    ]
}

fn lists() -> Vec<Sample> {
    vec![
        sample(ListWorkers {}),
        sample(ListWorkersResult {
            reply_to: "frame-0".into(),
            workers: vec![WorkerInfo {
                name: "bob".into(),
                cli: "codex".into(),
                task: TEXT.into(),
                team: Some("red".into()),
                spawner_name: Some("Alice".into()),
                spawned_at: 1_795_311_296_312,
                pid: Some(4_242),
                model: Some("m-1".into()),
            }],
            error: None,
        }),
        sample(ListSessions { name: Some("bob".into()) }),
        sample(ListSessionsResponse { sessions: vec![session()] }),
        bare(ListSessionsResponse::default()),
    ]
}

pub fn session() -> SessionInfo {
    SessionInfo {
        name: "bob".into(),
        state: "blocked".into(),
        pid: Some(4_242),
        harness: "codex".into(),
        mount: "codex@openai/work:m-1".into(),
        route: vec!["codex@openai/work:m-1".into(), "claude@anthropic/max".into()],
        run: Some("0192-r".into()),
        cwd: "/work".into(),
        task: Some(TEXT.into()),
        model: Some("m-1".into()),
        team: Some("red".into()),
        spawned_by: "Alice".into(),
        spawned_at: 1_795_311_296_312,
        run_started_at: Some(1_795_311_296_400),
        state_since: 1_795_311_297_000,
        conversation: Some("conv-1".into()),
        queued: 3,
        viewers: 1,
        drafting: true,
        blocked: Some(Blocked {
            kind: "permission".into(),
            request_id: Some("q-1".into()),
            options: vec!["yes".into(), "no".into()],
            message: Some("Run `rm`?".into()),
        }),
        until: Some("2026-11-22T10:00:00Z".into()),
        exit: Some("exited with 1".into()),
        trouble: Some(trouble()),
        restarts: Later(None),
    }
}

pub fn trouble() -> Trouble {
    Trouble {
        class: "usage_limit".into(),
        credential: Some("openai/work".into()),
        message: "openai/work reached its usage limit".into(),
        until: Some("2026-11-22T10:00:00Z".into()),
        repair: Some("posthouse credential check openai/work".into()),
        evidence: Some("typed code".into()),
        at: 1_795_311_296_312,
    }
}

fn terminal() -> Vec<Sample> {
    let name = || "bob".to_owned();
    let bytes = || Blob(vec![0, 0x1b, b'[', b'm', 0xff, b'\n']);
    vec![
        sample(Screen { name: name(), ansi: Some(true) }),
        sample(ScreenResponse {
            name: name(),
            size: SIZE,
            rows: vec![TEXT.into(), String::new()],
            cursor_row: 1,
            cursor_col: 2,
            title: "bob".into(),
            alternate: true,
            ansi: Some(bytes()),
        }),
        sample(Logs { name: name(), after: Some(4_096), limit: Some(512) }),
        sample(LogsResponse { name: name(), run: "0192-r".into(), offset: 4_096, end: 4_102, data: bytes() }),
        sample(Attach {
            name: name(),
            size: Some(SIZE),
            read_only: Some(false),
            after: Some(4_096),
            scrollback: Some(200),
        }),
        bare(Attach { name: name(), size: None, read_only: None, after: None, scrollback: None }),
        sample(AttachResponse {
            name: name(),
            run: Some("0192-r".into()),
            pid: Some(4_242),
            size: SIZE,
            notice: Some(TEXT.into()),
        }),
        sample(Output { name: name(), offset: 4_096, data: bytes() }),
        sample(Input { name: name(), data: bytes() }),
        sample(Resize { name: name(), size: SIZE }),
        sample(Detach { name: name(), reason: Some("the session ended".into()) }),
        sample(Notice { name: name(), text: TEXT.into(), state: "moving".into() }),
    ]
}

/// After everything that was there before them, so that the file of fixtures only grows.
pub fn later() -> Vec<Sample> {
    let cursor = || Some("conv-1/4096".to_owned());
    vec![
        sample(Conversation { name: "bob".into(), after: cursor(), at_end: Some(true) }),
        bare(Conversation { name: "bob".into(), ..Conversation::default() }),
        sample(ConversationResponse {
            name: "bob".into(),
            conversation: Some("conv-1".into()),
            said: vec![Said { role: "agent".into(), text: TEXT.into() }],
            next: cursor(),
            more: true,
        }),
        bare(ConversationResponse { name: "bob".into(), ..ConversationResponse::default() }),
        sample(Interrupt { name: "bob".into() }),
        sample(InterruptResponse { name: "bob".into() }),
        sample(Route::Set {
            name: "night".into(),
            mounts: Some("codex@openai/work, claude@anthropic/max".into()),
            cost: Some("allow".into()),
        }),
        sample(Route::List),
        sample(Route::Remove { name: "night".into() }),
        sample(Route::Allow { session: "bob".into() }),
        sample(RouteResponse {
            routes: vec![RouteInfo {
                name: "night".into(),
                mounts: vec!["codex@openai/work".into(), "claude@anthropic/max".into()],
                cost: "allow".into(),
                sessions: vec!["bob".into()],
            }],
            message: Some(TEXT.into()),
        }),
        bare(RouteResponse::default()),
        sample(Outcome {
            name: "bob".into(),
            known: Some("busy@codex@openai/work".into()),
            wait_ms: Some(60_000),
        }),
        bare(Outcome { name: "bob".into(), ..Outcome::default() }),
        sample(OutcomeResponse {
            name: "bob".into(),
            state: "exited".into(),
            mount: "codex@openai/work".into(),
            done: Some(true),
            answer: Some(TEXT.into()),
            cut: true,
            how: Some("exit code 0".into()),
            until: Some("2026-11-22T03:09:00Z".into()),
            trouble: Some(trouble()),
            conversation: Some("0199".into()),
        }),
        bare(OutcomeResponse {
            name: "bob".into(),
            state: "busy".into(),
            mount: "codex".into(),
            done: None,
            answer: None,
            cut: false,
            how: None,
            until: None,
            trouble: None,
            conversation: None,
        }),
        sample(Token { credential: Some("openai/key".into()) }),
        bare(Token::default()),
        sample(TokenResponse { credential: "openai/key".into(), token: "not-a-secret".into() }),
        sample(Failures { id: Some("01ab".into()) }),
        bare(Failures::default()),
        sample(FailuresResponse {
            failures: vec![FailureInfo {
                id: "01ab".into(),
                at: 1_795_311_296_312,
                harness: "codex".into(),
                version: Some("0.170.0".into()),
                channel: "exit".into(),
                exit: Some(1),
                session: "bob".into(),
                count: 2,
                seen: TEXT.into(),
            }],
            case: Some(serde_json::json!({"id": "01ab", "channel": "exit"}).into()),
        }),
        bare(FailuresResponse::default()),
    ]
}
