//! LIST_WORKERS: sessions in the words of Agent Relay.

use posthouse_protocol::payload::{ListWorkers, ListWorkersResult, SessionInfo, WorkerInfo};

use super::{Answer, Caller, Verb, fit};
use crate::session::command::SessionsCommand;

impl Verb for ListWorkers {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        let sessions = caller.ask_sessions(|reply| SessionsCommand::List { name: None, reply }).await?;
        let workers = sessions.into_iter().map(worker).collect();
        let (workers, _) = fit(workers, caller.outbox.max_frame());
        Ok(ListWorkersResult { reply_to: caller.id.clone(), workers, error: None })
    }
}

fn worker(session: SessionInfo) -> WorkerInfo {
    WorkerInfo {
        name: session.name,
        cli: session.harness,
        task: session.task.unwrap_or_default(),
        team: session.team,
        spawner_name: Some(session.spawned_by),
        spawned_at: session.spawned_at,
        pid: session.pid,
        model: session.model,
    }
}
