//! DIAGNOSE: what only the daemon can see of its host's health. The client adds its own checks.

use posthouse_protocol::Json;
use posthouse_protocol::payload::{Check, Diagnose, DiagnoseResponse};

use super::{Answer, Caller, Verb};
use crate::panics;
use crate::post::command::PostQuery;

/// Descriptors that a session and its holder's link need, with a margin.
const DESCRIPTORS_PER_SESSION: u64 = 4;

impl Verb for Diagnose {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        let house = &caller.house;
        let counts = caller.ask_post(|reply| PostQuery::Counts { reply }).await?;
        let read = house.desk.ask(|reader| reader.oldest_event()).await;
        let checks = vec![
            check(
                "daemon",
                Ok(format!(
                    "version {}, pid {}, start {} on this state directory",
                    house.daemon.version, house.daemon.pid, house.daemon.generation
                )),
            ),
            check(
                "journal",
                read.map(|_| "readable".to_owned())
                    .map_err(|e| (format!("failed to {e}"), Some("posthouse logs --daemon".to_owned()))),
            ),
            check(
                "panics",
                match panics::count() {
                    0 => Ok("none since the start".to_owned()),
                    n => Err((format!("{n} tasks failed unexpectedly; the log says where"), None)),
                },
            ),
            check(
                "descriptors",
                descriptors(
                    u64::from(house.limits.connections)
                        + DESCRIPTORS_PER_SESSION * u64::from(house.limits.sessions),
                ),
            ),
        ];
        let more = serde_json::json!({
            "socket": house.place.socket, "state": house.place.state,
            "connections": counts.connections, "queued": counts.queued,
        });
        Ok(DiagnoseResponse { checks, more: Some(Json::from(more)) })
    }
}

fn descriptors(wanted: u64) -> Result<String, (String, Option<String>)> {
    use nix::sys::resource::{Resource, getrlimit};
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, _)) if soft >= wanted => Ok(format!("{soft} allowed")),
        Ok((soft, hard)) => Err((
            format!("{soft} allowed, {wanted} needed if every limit is used up"),
            Some(format!("raise the hard limit ({hard}), as LimitNOFILE={wanted} in the unit")),
        )),
        Err(e) => Err((format!("failed to ask for the limit: {e}"), None)),
    }
}

fn check(name: &str, outcome: Result<String, (String, Option<String>)>) -> Check {
    let (outcome, detail, fix) = match outcome {
        Ok(detail) => ("ok", detail, None),
        Err((detail, fix)) => ("warning", detail, fix),
    };
    Check { name: name.to_owned(), outcome: outcome.to_owned(), detail, fix }
}
