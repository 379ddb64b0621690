//! LOGS: raw output of a session within its ring.

use posthouse_protocol::payload::Logs;

use super::{Answer, Caller, Verb, refuse};
use crate::session::command::SessionsCommand;

/// Most bytes of one answer: with base64 and its envelope it fits the smallest frame limit of a usual daemon.
const MOST: usize = 512 * 1024;

impl Verb for Logs {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        caller.require_view(&self.name)?;
        // Base64 makes four bytes of three.
        let fits = caller.outbox.max_frame().saturating_sub(super::ENVELOPE) / 4 * 3;
        let asked = self.limit.map_or(MOST, |n| usize::try_from(n).unwrap_or(MOST));
        let limit = asked.min(MOST).min(fits);
        let (name, after) = (self.name, self.after);
        caller
            .ask_sessions(|reply| SessionsCommand::Logs { name, after, limit, reply })
            .await?
            .map_err(refuse)
    }
}
