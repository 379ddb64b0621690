//! Sessions that failed where nothing else was usable: is there a way by now?

use serde_json::json;

use super::Actor;
use crate::failover::command::Assignment;
use crate::failover::route::{Mount, Route};

impl Actor {
    /// A mount for a session that is stuck on `mount`: another one, or the same with a login or key that was made anew since
    /// the run was started.
    pub(super) async fn freed(
        &mut self,
        session: &str,
        route: &Route,
        mount: &Mount,
        run: &str,
    ) -> Option<Assignment> {
        let route = self.current(route);
        let pool = self.pool().await;
        let renewed = self.outdated(session, mount, &pool);
        let to = self.ledger.choose(session, &route, &pool, self.clock.now()).ok()?;
        if to == *mount && !renewed {
            self.ledger.left(session);
            return None;
        }
        let why = if to == *mount { "its login was made anew" } else { "it became usable" };
        let message = format!("{session} was stuck on {mount} and goes on with {to}: {why}");
        let data = json!({
            "message": message, "move": "free", "mount": mount.to_string(), "to": to.to_string(), "run": run,
        });
        self.journal_decision(session, &data).await;
        self.leave(session).await;
        let assigned = self.assign(session, &route, to, None).await;
        assigned.inspect_err(|why| tracing::error!(session, "failed to {why}")).ok()
    }
}
