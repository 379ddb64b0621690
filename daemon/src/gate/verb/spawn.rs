//! SPAWN: starts a session.

use posthouse_protocol::payload::{Spawn, SpawnResult};
use posthouse_protocol::{ErrorCode, Violation};

use super::{Answer, Caller, Verb, refuse};
use crate::failover::command::FailoverCommand;
use crate::failover::route::{Cost, Route};
use crate::principal::Right;
use crate::session::command::{SessionsCommand, Started};

impl Verb for Spawn {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        let name = self.name.clone();
        let outcome = async {
            caller.require(Right::Spawn)?;
            let there = caller.ask_sessions(|reply| SessionsCommand::List { name: None, reply }).await?.len();
            let most = caller.house.limits.sessions as usize;
            if there >= most {
                let message = format!("{most} sessions exist already; release one, or raise limits.sessions");
                return Err(Violation::warning(ErrorCode::LimitExceeded, message));
            }
            let mut spawn = self;
            if let Some((name, cost)) = spawn.route.as_deref().and_then(Route::reference) {
                let name = name.to_owned();
                let route = caller.ask_failover(|reply| FailoverCommand::Named { name, reply }).await?;
                let route = if cost == Cost::Allow { route.with_cost(cost) } else { route };
                spawn.route = Some(route.to_string());
            }
            let (spawn, by) = (Box::new(spawn), (*caller.principal).clone());
            caller.ask_sessions(|reply| SessionsCommand::Spawn { spawn, by, reply }).await?.map_err(refuse)
        };
        let reply_to = caller.id.clone();
        Ok(match outcome.await {
            Ok(started) => {
                let spawned = match started {
                    Started::Runs(spawned) => Some(spawned),
                    Started::Parked => None,
                };
                SpawnResult {
                    reply_to,
                    success: true,
                    name,
                    pid: spawned.as_ref().map(|spawned| spawned.pid),
                    error: None,
                    mount: spawned.as_ref().map(|spawned| spawned.mount.clone()),
                    run: spawned.map(|spawned| spawned.run),
                    code: None,
                }
            }
            Err(why) => SpawnResult {
                reply_to,
                success: false,
                name,
                pid: None,
                error: Some(why.message),
                mount: None,
                run: None,
                code: Some(why.code.to_string()),
            },
        })
    }
}
