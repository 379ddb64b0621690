//! Sessions: who is there, what they show, starting, stopping and ending them.

use posthouse_protocol::payload::{Interrupt, ListSessions, Release, Screen, SessionInfo, Spawn};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::schemars::JsonSchema;
use rmcp::{Json, tool, tool_router};
use serde::{Deserialize, Serialize};

use crate::bridge::Bridge;
use crate::bridge::link::Trouble;

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct OneSession {
    /// The session's name
    name: String,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct SpawnRequest {
    /// A name for it
    name: String,
    /// codex, claude, gemini, opencode or another definition; not needed with a route
    harness: Option<String>,
    /// Mounts in order of preference: `harness@provider/alias[:model], …`
    route: Option<String>,
    /// What it is to do
    task: Option<String>,
    /// Where it works, absolute
    cwd: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Sessions {
    sessions: Vec<Session>,
}

/// One session.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Session {
    name: String,
    /// starting, ready, busy, blocked, running, moving, restarting, parked, ending, exited or failed
    state: String,
    harness: String,
    /// What it runs on
    mount: String,
    cwd: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    /// Messages that wait for it
    queued: u32,
    /// What it waits for a person to decide
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked: Option<String>,
    /// What went wrong last
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
    /// The command that repairs it
    #[serde(skip_serializing_if = "Option::is_none")]
    repair: Option<String>,
}

impl From<SessionInfo> for Session {
    fn from(info: SessionInfo) -> Self {
        let (trouble, repair) = info.trouble.map_or((None, None), |t| (Some(t.message), t.repair));
        Self {
            name: info.name,
            state: info.state,
            harness: info.harness,
            mount: info.mount,
            cwd: info.cwd,
            task: info.task,
            queued: info.queued,
            blocked: info.blocked.map(|blocked| blocked.message.unwrap_or(blocked.kind)),
            trouble,
            repair,
        }
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Shown {
    title: String,
    /// Top first
    rows: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Done {
    name: String,
    /// What it runs on, where it was started
    #[serde(skip_serializing_if = "Option::is_none")]
    mount: Option<String>,
}

#[tool_router(router = sessions, vis = "pub(in crate::bridge)")]
impl Bridge {
    /// List the agents' sessions on this host, with what each is doing and what troubles it.
    #[tool(name = "list_sessions", title = "List sessions", annotations(read_only_hint = true))]
    async fn list_sessions(&self) -> Result<Json<Sessions>, Trouble> {
        let answer = self.link.ask(&ListSessions::default()).await?;
        Ok(Json(Sessions { sessions: answer.sessions.into_iter().map(Session::from).collect() }))
    }

    /// What one session is doing.
    #[tool(name = "session_status", title = "What a session is doing", annotations(read_only_hint = true))]
    async fn session_status(
        &self,
        Parameters(wanted): Parameters<OneSession>,
    ) -> Result<Json<Session>, Trouble> {
        let answer = self.link.ask(&ListSessions { name: Some(wanted.name.clone()) }).await?;
        let found = answer.sessions.into_iter().next().map(Session::from).map(Json);
        found.ok_or_else(|| {
            format!("there is no session named {}; list_sessions says which there are", wanted.name)
        })
    }

    /// The screen of a session, as text. An agent may look at its own only.
    #[tool(name = "session_screen", title = "A session's screen", annotations(read_only_hint = true))]
    async fn session_screen(
        &self,
        Parameters(wanted): Parameters<OneSession>,
    ) -> Result<Json<Shown>, Trouble> {
        let screen = self.link.ask(&Screen { name: wanted.name, ansi: None }).await?;
        Ok(Json(Shown { title: screen.title, rows: screen.rows }))
    }

    /// Start another agent's session. An agent needs the right to, given when it was spawned itself.
    #[tool(name = "spawn_session", title = "Start a session", annotations(destructive_hint = false))]
    async fn spawn_session(
        &self,
        Parameters(wanted): Parameters<SpawnRequest>,
    ) -> Result<Json<Done>, Trouble> {
        let spawn = Spawn {
            task: wanted.task,
            cwd: wanted.cwd.or_else(here),
            harness: wanted.harness,
            route: wanted.route,
            ..Spawn::new(wanted.name)
        };
        let result = self.link.ask(&spawn).await?;
        match result.error {
            Some(why) if !result.success => Err(why),
            _ => Ok(Json(Done { name: result.name, mount: result.mount })),
        }
    }

    /// End a session and prove that nothing of it is left. An agent may end its own, others with the right to.
    #[tool(name = "release_session", title = "End a session", annotations(destructive_hint = true))]
    async fn release_session(
        &self,
        Parameters(wanted): Parameters<OneSession>,
    ) -> Result<Json<Done>, Trouble> {
        let request =
            Release { name: wanted.name, reason: Some("asked for over MCP".to_owned()), grace_ms: None };
        let result = self.link.ask(&request).await?;
        match result.error {
            Some(why) if !result.success => Err(why),
            _ => Ok(Json(Done { name: result.name, mount: None })),
        }
    }

    /// Stop the turn that a session is in; the session goes on.
    #[tool(name = "interrupt", title = "Stop a session's turn", annotations(destructive_hint = true))]
    async fn interrupt(&self, Parameters(wanted): Parameters<OneSession>) -> Result<Json<Done>, Trouble> {
        let result = self.link.ask(&Interrupt { name: wanted.name }).await?;
        Ok(Json(Done { name: result.name, mount: None }))
    }
}

fn here() -> Option<String> {
    std::env::current_dir().ok()?.to_str().map(str::to_owned)
}
