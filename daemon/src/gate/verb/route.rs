//! ROUTE: reads or changes routes that have names.

use posthouse_protocol::payload::{Route, RouteResponse};

use super::{Answer, Caller, Verb, refuse};
use crate::failover::command::FailoverCommand;
use crate::principal::{Kind, Right};
use crate::session::command::SessionsCommand;

impl Verb for Route {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        let looks_only = matches!(self, Self::List);
        if !(looks_only && caller.principal.kind == Kind::Observer) {
            caller.require(Right::Credentials)?;
        }
        if let Self::Allow { session } = self {
            let name = session.clone();
            caller.ask_sessions(|reply| SessionsCommand::Allow { name, reply }).await?.map_err(refuse)?;
            let message = format!("{session} may go on where it is billed by use");
            return Ok(RouteResponse { routes: Vec::new(), message: Some(message) });
        }
        let actor = caller.principal.name.clone();
        caller.ask_failover(|reply| FailoverCommand::Routes { request: self, actor, reply }).await
    }
}
