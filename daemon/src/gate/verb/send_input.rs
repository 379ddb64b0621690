//! SEND_INPUT: raw keys for a session, as a person would type them.

use posthouse_protocol::payload::{SendInput, SendInputResult};

use super::{Answer, Caller, Verb, refuse};
use crate::principal::Right;
use crate::session::command::SessionsCommand;

impl Verb for SendInput {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        let outcome = async {
            caller.require(Right::Keys)?;
            let (name, data) = (self.name.clone(), self.data.into_bytes());
            caller.ask_sessions(|reply| SessionsCommand::Keys { name, data, reply }).await?.map_err(refuse)
        };
        let error = outcome.await.err().map(|violation| violation.message);
        Ok(SendInputResult { reply_to: caller.id.clone(), success: error.is_none(), name: self.name, error })
    }
}
