//! Messages with the fields that came after the first version.

use posthouse_protocol::Later;
use posthouse_protocol::payload::{
    Crash, ListSessionsResponse, RestartPolicy, Restarts, SessionInfo, Shutdown, Spawn,
};

use crate::sample::{Sample, TEXT, named};
use crate::session::session;

pub fn samples() -> Vec<Sample> {
    let restarts = Restarts {
        policy: RestartPolicy::OnFailure,
        attempts: 2,
        budget: 5,
        next_at: Some(1_795_311_298_000),
        last: Some(Crash {
            at: 1_795_311_297_000,
            how: "signal 9".into(),
            screen: vec![TEXT.into(), String::new()],
        }),
    };
    let kept = SessionInfo { restarts: Later(Some(restarts)), ..session() };
    let spawn: Spawn = serde_json::from_str(r#"{"name": "bob"}"#).unwrap();
    vec![
        named("kept going", Spawn { restart: Later(Some(RestartPolicy::Always)), ..spawn }),
        named("one is kept going", ListSessionsResponse { sessions: vec![session(), kept, session()] }),
        named("a restart", Shutdown { release_all: false, restart: Later(Some(true)) }),
    ]
}
