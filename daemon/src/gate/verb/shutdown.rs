//! SHUTDOWN: ends the daemon, or has it run its program anew; sessions go on unless they are to be released.

use posthouse_protocol::payload::Shutdown;
use posthouse_protocol::{ErrorCode, Violation};

use super::{Answer, Caller, Verb};
use crate::principal::Right;
use crate::renewal;
use crate::session::command::SessionsCommand;

impl Verb for Shutdown {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        caller.require(Right::Administer)?;
        let release_all = self.release_all;
        if self.restart.0 == Some(true) {
            if release_all {
                let message = "sessions that are released do not outlive a restart: ask for one or the other";
                return Err(Violation::warning(ErrorCode::BadRequest, message));
            }
            let checked = renewal::check(&caller.house.place.program).await;
            let refused = |why| Violation::warning(ErrorCode::Internal, format!("failed to {why}"));
            tracing::info!(next = checked.map_err(refused)?, "the program is run anew");
            caller.house.shutdown.send_modify(|down| down.again = true);
        }
        caller.ask_sessions(|reply| SessionsCommand::Shutdown { release_all, reply }).await
    }

    /// The answer is in the outbox by now, and connections are closed only after they wrote what waits.
    async fn after(caller: Caller) {
        caller.house.shutdown.send_modify(|down| down.wanted = true);
    }
}
