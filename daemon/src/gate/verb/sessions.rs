//! LIST_SESSIONS: sessions with everything known of them.

use posthouse_protocol::payload::{ListSessions, ListSessionsResponse};

use super::{Answer, Caller, Verb, fit};
use crate::session::command::SessionsCommand;

impl Verb for ListSessions {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        let sessions = caller.ask_sessions(|reply| SessionsCommand::List { name: self.name, reply }).await?;
        Ok(ListSessionsResponse { sessions: fit(sessions, caller.outbox.max_frame()).0 })
    }
}
