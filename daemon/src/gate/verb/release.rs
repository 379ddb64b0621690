//! RELEASE: ends a session and proves that nothing of it is left.

use std::time::Duration;

use posthouse_protocol::payload::{Release, ReleaseResult};

use super::{Answer, Caller, Verb, refuse};
use crate::principal::Right;
use crate::session::command::SessionsCommand;

/// Time a harness has to end by itself unless the caller says otherwise, in milliseconds.
const GRACE_MS: u64 = 5_000;
/// Longest grace, in milliseconds.
const GRACE_MAX_MS: u64 = 600_000;

impl Verb for Release {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        let grace = Duration::from_millis(self.grace_ms.unwrap_or(GRACE_MS).min(GRACE_MAX_MS));
        let outcome = async {
            // An agent may end its own session, as it may end its own process.
            if caller.principal.session() != Some(&self.name) {
                caller.require(Right::Release)?;
            }
            let (name, reason, by) = (self.name.clone(), self.reason, (*caller.principal).clone());
            let release = |reply| SessionsCommand::Release { name, reason, grace, by, reply };
            caller.ask_sessions(release).await?.map_err(refuse)
        };
        let outcome = outcome.await;
        Ok(ReleaseResult {
            reply_to: caller.id.clone(),
            success: outcome.is_ok(),
            name: self.name,
            code: outcome.as_ref().err().map(|why| why.code.to_string()),
            error: outcome.err().map(|why| why.message),
        })
    }
}
