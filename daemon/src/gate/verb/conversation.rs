//! CONVERSATION: what was said in a session, as its harness records it.

use posthouse_protocol::payload::Conversation;

use super::{Answer, Caller, ENVELOPE, Verb, refuse};
use crate::session::command::SessionsCommand;

impl Verb for Conversation {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        caller.require_view(&self.name)?;
        // JSON may write a character of one byte as six.
        let limit = caller.outbox.max_frame().saturating_sub(ENVELOPE) / 6;
        caller
            .ask_sessions(|reply| SessionsCommand::Conversation { request: self, limit, reply })
            .await?
            .map_err(refuse)
    }
}
