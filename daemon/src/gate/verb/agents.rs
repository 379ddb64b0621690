//! LIST_AGENTS and LIST_CONNECTED_AGENTS: who is there.

use posthouse_protocol::Violation;
use posthouse_protocol::payload::{
    AgentInfo, ListAgents, ListAgentsResponse, ListConnectedAgents, ListConnectedAgentsResponse,
};

use super::{Answer, Caller, Verb, fit};
use crate::post::command::PostQuery;

impl Verb for ListAgents {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        let connected = self.include_idle == Some(false);
        Ok(ListAgentsResponse { agents: names(caller, connected).await? })
    }
}

impl Verb for ListConnectedAgents {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        Ok(ListConnectedAgentsResponse { agents: names(caller, true).await? })
    }
}

async fn names(caller: &Caller, connected: bool) -> Result<Vec<AgentInfo>, Violation> {
    let mut agents = caller.ask_post(|reply| PostQuery::Agents { connected, reply }).await?;
    agents.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(fit(agents, caller.outbox.max_frame()).0)
}
