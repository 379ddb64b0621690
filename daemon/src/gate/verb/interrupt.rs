//! INTERRUPT: stops the turn that a session is in.

use posthouse_protocol::payload::{Interrupt, InterruptResponse};

use super::{Answer, Caller, Verb, refuse};
use crate::principal::Right;
use crate::session::command::SessionsCommand;

impl Verb for Interrupt {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        caller.require(Right::Keys)?;
        let name = self.name.clone();
        caller.ask_sessions(|reply| SessionsCommand::Interrupt { name, reply }).await?.map_err(refuse)?;
        Ok(InterruptResponse { name: self.name })
    }
}
