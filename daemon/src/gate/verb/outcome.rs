//! OUTCOME: what became of a one-shot session's task, once it is over or something has changed.

use std::time::Duration;

use posthouse_protocol::payload::{Outcome, OutcomeResponse, SessionInfo};
use posthouse_protocol::{ErrorCode, Violation};
use tokio::time::{Instant, timeout_at};

use super::{Answer, Caller, Verb, refuse};
use crate::session::command::SessionsCommand;

/// No answer takes longer, whatever is asked for.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

impl Verb for Outcome {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        caller.require_view(&self.name)?;
        let name = self.name.clone();
        let watching = caller.ask_sessions(|reply| SessionsCommand::Watch { name, reply }).await?;
        let mut watched = watching.map_err(refuse)?;
        let wait = self.wait_ms.map_or(Duration::ZERO, Duration::from_millis).min(LONGEST_WAIT);
        let until = Instant::now() + wait;
        loop {
            let info = watched.borrow_and_update().clone().ok_or_else(|| gone(&self.name))?;
            let over = matches!(info.state.as_str(), "exited" | "failed");
            let mut answer = so_far(info);
            let is_news = over || self.known.as_ref() != Some(&answer.known());
            if is_news || Instant::now() >= until {
                if over {
                    let name = self.name;
                    let asked = caller.ask_sessions(|reply| SessionsCommand::Outcome { name, reply }).await?;
                    let outcome = asked.map_err(refuse)?;
                    answer.done = Some(outcome.as_ref().is_some_and(|outcome| outcome.done));
                    answer.cut = outcome.as_ref().is_some_and(|outcome| outcome.cut);
                    answer.answer = outcome.and_then(|outcome| outcome.answer);
                }
                return Ok(answer);
            }
            if let Ok(Err(_)) = timeout_at(until, watched.changed()).await {
                return Err(gone(&self.name));
            }
        }
    }
}

fn so_far(info: SessionInfo) -> OutcomeResponse {
    let SessionInfo { name, state, mount, exit, until, trouble, conversation, .. } = info;
    OutcomeResponse {
        name,
        state,
        mount,
        done: None,
        answer: None,
        cut: false,
        how: exit,
        until,
        trouble,
        conversation,
    }
}

fn gone(name: &str) -> Violation {
    Violation::warning(
        ErrorCode::NoSuchSession,
        format!("failed to wait for {name}: the session was released meanwhile"),
    )
}
