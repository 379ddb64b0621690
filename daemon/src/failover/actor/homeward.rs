//! Going back: a session that runs on a fallback returns between turns to what its route prefers.

use jiff::Timestamp;
use serde_json::json;

use super::{Actor, wait};
use crate::failover::command::Homeward;
use crate::failover::ledger;
use crate::failover::route::{Mount, Route};
use crate::failover::stagger::stagger;

impl Actor {
    pub(super) async fn homeward(&mut self, session: &str, route: &Route, mount: &Mount) -> Homeward {
        let route = self.current(route);
        let pool = self.pool().await;
        let now = self.clock.now();
        match self.ledger.homeward(session, &route, mount, &pool, now) {
            ledger::Homeward::Stay => Homeward::Stay,
            ledger::Homeward::At(at) => Homeward::Later(stagger(session, wait(at, now))),
            ledger::Homeward::Now(to) => {
                let message = self.why_back(session, mount, &to, now);
                let data = json!({
                    "message": message,
                    "move": "restore",
                    "mount": mount.to_string(),
                    "to": to.to_string(),
                });
                self.journal_decision(session, &data).await;
                self.ledger.goes_back(session, message.clone());
                Homeward::Now(message)
            }
        }
    }

    fn why_back(&self, session: &str, from: &Mount, to: &Mount, now: Timestamp) -> String {
        let back = format!("{to} is usable again and the route prefers it to {from}; going back to it");
        match self.ledger.last(session).filter(|told| told.decision.reason.mount == *to) {
            Some(told) => {
                let since = now.duration_since(told.at);
                let minutes = since.as_mins();
                format!("{back}, {minutes} min after {}", told.failure.class.phrase())
            }
            None => back,
        }
    }
}
