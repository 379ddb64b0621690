//! Logins and keys: how they are, and why a session runs on the one it runs on.

use posthouse_protocol::payload::{Credential, CredentialInfo, RouteExplain};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::schemars::JsonSchema;
use rmcp::{Json, tool, tool_router};
use serde::{Deserialize, Serialize};

use crate::bridge::Bridge;
use crate::bridge::link::Trouble;

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct ExplainRequest {
    /// The session's name
    name: String,
    /// Suppose this class of failure instead of the last one
    failure: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Credentials {
    credentials: Vec<Account>,
}

/// One login or key.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Account {
    /// provider/alias
    name: String,
    /// unknown, valid, refreshing, cooling, needs_login or disabled
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// RFC 3339
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// The command that makes it usable again; for a person to run
    #[serde(skip_serializing_if = "Option::is_none")]
    repair: Option<String>,
}

impl From<CredentialInfo> for Account {
    fn from(info: CredentialInfo) -> Self {
        Self {
            name: format!("{}/{}", info.provider, info.alias),
            state: info.state,
            why: info.why,
            until: info.until,
            repair: info.repair,
        }
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Explained {
    /// In sentences
    lines: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Hints {
    /// Empty if all of them can be used
    hints: Vec<Hint>,
}

/// What a person has to run.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Hint {
    /// provider/alias
    credential: String,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    command: String,
}

#[tool_router(router = accounts, vis = "pub(in crate::bridge)")]
impl Bridge {
    /// How the logins and keys are that sessions run on, and the command that repairs what is broken.
    #[tool(name = "credential_status", title = "How the logins are", annotations(read_only_hint = true))]
    async fn credential_status(&self) -> Result<Json<Credentials>, Trouble> {
        let answer = self.link.ask(&Credential::List).await?;
        Ok(Json(Credentials { credentials: answer.credentials.into_iter().map(Account::from).collect() }))
    }

    /// The commands that make broken logins and keys usable again. They are for a person to run: tell your user.
    #[tool(
        name = "reconnect_hint",
        title = "Commands that repair logins",
        annotations(read_only_hint = true)
    )]
    async fn reconnect_hint(&self) -> Result<Json<Hints>, Trouble> {
        let answer = self.link.ask(&Credential::List).await?;
        let accounts = answer.credentials.into_iter().map(Account::from);
        let hints = accounts.filter_map(|account| {
            let Account { name: credential, state, why, repair, .. } = account;
            Some(Hint { credential, state, why, command: repair? })
        });
        Ok(Json(Hints { hints: hints.collect() }))
    }

    /// Why a session runs where it runs, and where it would go after its last failure or a supposed one.
    #[tool(
        name = "route_explain",
        title = "Why a session runs where it runs",
        annotations(read_only_hint = true)
    )]
    async fn route_explain(
        &self,
        Parameters(wanted): Parameters<ExplainRequest>,
    ) -> Result<Json<Explained>, Trouble> {
        let answer = self.link.ask(&RouteExplain { name: wanted.name, failure: wanted.failure }).await?;
        Ok(Json(Explained { lines: answer.lines }))
    }
}
