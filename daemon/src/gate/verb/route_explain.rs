//! ROUTE_EXPLAIN: why a session runs where it runs.

use posthouse_protocol::payload::RouteExplain;

use super::{Answer, Caller, Verb, refuse};
use crate::session::command::SessionsCommand;

impl Verb for RouteExplain {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        caller.require_view(&self.name)?;
        let (name, failure) = (self.name, self.failure);
        caller.ask_sessions(|reply| SessionsCommand::Explain { name, failure, reply }).await?.map_err(refuse)
    }
}
