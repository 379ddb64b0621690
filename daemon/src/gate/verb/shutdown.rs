//! SHUTDOWN: ends the daemon; sessions go on unless they are to be released.

use posthouse_protocol::payload::Shutdown;

use super::{Answer, Caller, Verb};
use crate::principal::Right;
use crate::session::command::SessionsCommand;

impl Verb for Shutdown {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        caller.require(Right::Administer)?;
        let release_all = self.release_all;
        caller.ask_sessions(|reply| SessionsCommand::Shutdown { release_all, reply }).await
    }

    /// The answer is in the outbox by now, and connections are closed only after they wrote what waits.
    async fn after(caller: Caller) {
        caller.house.shutdown.send_replace(true);
    }
}
