//! FAILURES: what harnesses said that no rule knew.

use posthouse_protocol::payload::{Failures, FailuresResponse};
use posthouse_protocol::{ErrorCode, Json, Violation};

use super::{Answer, Caller, Verb};
use crate::failover::drift::shelf::Shelf;
use crate::principal::Right;

impl Verb for Failures {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        caller.require(Right::Administer)?;
        let shelf = Shelf::of(&caller.house.place.state);
        let kept = tokio::task::spawn_blocking(move || shelf.list()).await.unwrap_or_default();
        let Some(id) = self.id else {
            return Ok(FailuresResponse {
                failures: kept.iter().map(|one| one.info()).collect(),
                case: None,
            });
        };
        let mut named = kept.iter().filter(|one| !id.is_empty() && one.id.starts_with(&id));
        match (named.next(), named.next()) {
            (Some(one), None) => {
                Ok(FailuresResponse { failures: vec![one.info()], case: Some(Json::of(one)) })
            }
            (found, _) => {
                let why = if found.is_some() { "several are called" } else { "none is called" };
                let message =
                    format!("failed to find the failure: {why} {id}; list them with: posthouse failure ls");
                Err(Violation::warning(ErrorCode::NotFound, message))
            }
        }
    }
}
