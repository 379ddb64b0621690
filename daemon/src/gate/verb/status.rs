//! STATUS: how the daemon is.

use posthouse_protocol::payload::{Status, StatusResponse, StorageStatus};

use super::{Answer, Caller, Verb};
use crate::panics;
use crate::post::command::PostQuery;
use crate::session::command::SessionsCommand;

impl Verb for Status {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        let house = &caller.house;
        let counts = caller.ask_post(|reply| PostQuery::Counts { reply }).await?;
        let sessions = caller.ask_sessions(|reply| SessionsCommand::List { name: None, reply }).await?;
        let readable = house.desk.ask(|reader| reader.oldest_event()).await;
        Ok(StatusResponse {
            version: house.daemon.version.clone(),
            uptime: u64::try_from(house.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            cloud_connected: false,
            agent_count: counts.reachable,
            storage: StorageStatus {
                persistent: true,
                driver: "sqlite".to_owned(),
                can_write: house.journal.committed().has_changed().is_ok(),
                can_read: readable.is_ok(),
                error: readable.err().map(|e| format!("failed to {e}")),
            },
            pid: house.daemon.pid,
            generation: house.daemon.generation,
            socket: house.place.socket.display().to_string(),
            home: house.place.state.display().to_string(),
            sessions: u32::try_from(sessions.len()).unwrap_or(u32::MAX),
            connections: counts.connections,
            queued: counts.queued,
            panics: panics::count(),
        })
    }
}
