//! SCREEN: the current screen of a session.

use posthouse_protocol::payload::Screen;

use super::{Answer, Caller, Verb, refuse};
use crate::session::command::SessionsCommand;

impl Verb for Screen {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        caller.require_view(&self.name)?;
        let (name, ansi) = (self.name, self.ansi.unwrap_or(false));
        caller.ask_sessions(|reply| SessionsCommand::Screen { name, ansi, reply }).await?.map_err(refuse)
    }
}
