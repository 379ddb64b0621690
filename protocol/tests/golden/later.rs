//! Messages with the fields that came after the first version.

use posthouse_protocol::Later;
use posthouse_protocol::payload::{
    Crash, CredentialInfo, CredentialResponse, Inbox, ListSessionsResponse, LoginInfo, RestartPolicy,
    Restarts, SessionInfo, Shutdown, Spawn,
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
    let plain: CredentialInfo = serde_json::from_str(
        r#"{"provider": "openai", "alias": "work", "kind": "home", "state": "valid", "generation": 1}"#,
    )
    .unwrap();
    let login = LoginInfo {
        account: Some("a…@example.org".into()),
        plan: Some("plus".into()),
        expires_at: Some(1_795_311_296_312),
        renewable: true,
        host: Some("laptop-7".into()),
    };
    let told = CredentialInfo {
        login: Later(Some(login)),
        verified_by: Later(Some("probe".into())),
        ..plain.clone()
    };
    let spawn: Spawn = serde_json::from_str(r#"{"name": "bob"}"#).unwrap();
    vec![
        named("one task", Spawn { one_shot: Later(Some(true)), ..spawn.clone() }),
        named("kept going", Spawn { restart: Later(Some(RestartPolicy::Always)), ..spawn }),
        named("one is kept going", ListSessionsResponse { sessions: vec![session(), kept, session()] }),
        named(
            "what a login says",
            CredentialResponse { credentials: vec![plain.clone(), told, plain], message: None, more: None },
        ),
        named(
            "a wait",
            Inbox {
                wait_ms: Later(Some(30_000)),
                except: Later(Some(vec!["0192-m".into()])),
                ..Inbox::default()
            },
        ),
        named("a restart", Shutdown { release_all: false, restart: Later(Some(true)) }),
    ]
}
