//! Who a process inside a session can be: that session's agent, and nobody else, whatever it tries.

use std::path::Path;

use posthouse_protocol::handshake::{PrincipalKind, Role};
use posthouse_protocol::payload::{Inbox, ListSessions, Release, Screen, SendInput, Spawn};
use posthouse_protocol::{ErrorCode, Hello};

use crate::house::{House, eventually};
use crate::peer::Peer;

/// Variables by which the process inside finds its task.
const SOCKET: &str = "GATE_TEST_SOCKET";
const REPORT: &str = "GATE_TEST_REPORT";

/// Not a test of its own: what the process inside a session does. Outside of one it has nothing to do.
#[test]
fn inside() {
    let (Some(socket), Some(report)) = (std::env::var_os(SOCKET), std::env::var_os(REPORT)) else { return };
    let found = try_everything(Path::new(&socket));
    let unfinished = Path::new(&report).with_extension("part");
    std::fs::write(&unfinished, found.join("\n")).unwrap();
    std::fs::rename(unfinished, report).unwrap();
}

fn try_everything(socket: &Path) -> Vec<String> {
    let refusal = |hello: &Hello| match Peer::try_hello(socket, hello) {
        Ok(_) => "welcome".to_owned(),
        Err(refused) => format!(
            "{} {} names-the-session={}",
            refused.code,
            refused.fatal,
            refused.message.contains("alice")
        ),
    };
    let operator = Hello { kind: Some(PrincipalKind::Operator), ..Hello::new("alice") };
    let person = Hello { entity_type: Some("user".into()), ..Hello::new("alice") };
    let own = Peer::hello(socket, &Hello::new("alice"));
    let welcome = own.welcome.clone().unwrap();
    let mut own = own;
    let forbidden = |outcome: Result<(), posthouse_protocol::Violation>| {
        outcome.err().map(|v| v.code).unwrap_or(ErrorCode::Internal)
    };
    vec![
        format!("operator: {}", refusal(&operator)),
        format!("person: {}", refusal(&person)),
        format!("another: {}", refusal(&Hello::new("bob"))),
        format!(
            "own: {} {:?} {}",
            welcome.principal.kind,
            welcome.principal.session,
            welcome.role == Role::Auxiliary
        ),
        format!("keys: {}", own.ask(&SendInput { name: "alice".into(), data: "x".into() }).success),
        format!(
            "release: {:?}",
            own.ask(&Release { name: "bystander".into(), reason: None, grace_ms: None }).code
        ),
        format!(
            "look: {}",
            forbidden(own.try_ask(&Screen { name: "bystander".into(), ansi: None }).map(drop))
        ),
        format!(
            "inbox: {}",
            forbidden(own.try_ask(&Inbox { agent: Some("bob".into()), ..Inbox::default() }).map(drop))
        ),
    ]
}

const EXPECTED: [&str; 8] = [
    "operator: FORBIDDEN true names-the-session=true",
    "person: FORBIDDEN true names-the-session=true",
    "another: FORBIDDEN true names-the-session=true",
    "own: agent Some(\"alice\") true",
    "keys: false",
    "release: Some(\"FORBIDDEN\")",
    "look: FORBIDDEN",
    "inbox: FORBIDDEN",
];

/// Runs this very program inside session `alice`, started by `how`, and reads what it found.
fn found_inside(how: &str) -> Vec<String> {
    let house = House::started(&[]);
    let report = house.home().join("report");
    let program = std::env::current_exe().unwrap();
    let inner = format!(
        "{SOCKET}={} {REPORT}={} {} --exact identity::inside --nocapture",
        house.socket().display(),
        report.display(),
        program.display()
    );
    let script = format!("{}; exec cat", how.replace("INNER", &inner));
    let mut operator = Peer::operator(&house.socket());
    for (name, command) in [("bystander", "exec cat"), ("alice", script.as_str())] {
        let spawn: Spawn = serde_json::from_value(serde_json::json!({
            "name": name, "harness": "generic", "args": ["sh", "-c", command],
        }))
        .unwrap();
        let spawned = operator.ask(&spawn);
        assert!(spawned.success, "{spawned:?}");
    }
    let text = eventually("the report", || std::fs::read_to_string(&report).ok());
    assert_eq!(operator.ask(&ListSessions::default()).sessions.len(), 2, "the bystander was not released");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_process_inside_a_session_is_its_agent() {
    assert_eq!(found_inside("env INNER"), EXPECTED);
}

#[test]
fn a_process_that_forks_away_and_sheds_its_environment_is_still_its_agent() {
    assert_eq!(found_inside("(setsid env -i INNER &) "), EXPECTED);
}
