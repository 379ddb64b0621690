//! DIAGNOSE: what only the daemon can see of its host's health, one file per thing looked at. The client adds what only
//! it can see.

mod clock;
mod confines;
mod credentials;
mod descriptors;
mod disk;
mod finding;
mod harnesses;
mod journal;
mod keys;
mod place;
mod roots;

use std::path::PathBuf;

use posthouse_protocol::Json;
use posthouse_protocol::payload::{Credential, CredentialInfo, Diagnose, DiagnoseResponse};

use self::finding::Finding;
use super::{Answer, Caller, Verb};
use crate::panics;
use crate::post::command::PostQuery;

impl Verb for Diagnose {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        let house = &caller.house;
        let counts = caller.ask_post(|reply| PostQuery::Counts { reply }).await?;
        let known = known_credentials(caller).await;
        let mut checks = vec![
            daemon(caller).of("daemon"),
            place::socket(&house.place).of("socket"),
            place::state(&house.place).of("directories"),
            journal::look(house).await.of("journal"),
            disk::look(&house.place.state).of("disk"),
            descriptors::look(&house.limits).of("descriptors"),
            confines::look(house.confines.force()).of("confines"),
            panics().of("panics"),
            clock::look(house.http.skew().as_ref()).of("clock"),
            roots::look(&house.http).of("tls"),
        ];
        checks.extend(harnesses::look(&house.catalog, &known).await);
        let user = std::env::var_os("HOME").map(PathBuf::from);
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        checks.extend(keys::look(&house.catalog, &known, user.as_deref(), is_set));
        checks.extend(credentials::look(&house.catalog, &known, house.place.uid));
        let more = serde_json::json!({
            "socket": house.place.socket, "state": house.place.state,
            "connections": counts.connections, "queued": counts.queued,
        });
        Ok(DiagnoseResponse { checks, more: Some(Json::from(more)) })
    }
}

/// Every credential that there is; none where the room does not answer, which its own log tells.
async fn known_credentials(caller: &Caller) -> Vec<CredentialInfo> {
    caller.ask_credentials(Credential::List).await.map(|answer| answer.credentials).unwrap_or_default()
}

fn daemon(caller: &Caller) -> Finding {
    let daemon = &caller.house.daemon;
    Finding::Good(format!(
        "version {}, pid {}, start {} on this state directory",
        daemon.version, daemon.pid, daemon.generation
    ))
}

fn panics() -> Finding {
    match panics::count() {
        0 => Finding::Good("none since the start".to_owned()),
        n => Finding::doubt(format!("{n} tasks failed unexpectedly; the log says where"), None),
    }
}
