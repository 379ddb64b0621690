//! Who gets which name, and what resuming brings back.

use posthouse_protocol::handshake::Role;
use posthouse_protocol::payload::{AgentReady, Error};
use posthouse_protocol::{ErrorCode, FrameType, Hello, Violation};

use super::world::World;
use crate::principal::Kind;

fn agent(session: &str) -> Kind {
    Kind::Agent { session: session.into(), run: "r".into(), allow: vec![] }
}

#[test]
fn a_name_has_one_primary() {
    let mut w = World::new();
    w.client("alice");
    let refused = w.enter(World::hello("alice")).unwrap_err();
    assert_eq!((refused.code, refused.fatal), (ErrorCode::NameTaken, false));
    let aux = w.auxiliary("alice");
    let bob = w.client("bob");
    w.send(bob, "m", "alice", "for the primary");
    assert!(w.bodies(aux).is_empty());
}

#[test]
fn illegal_names_are_refused() {
    let mut w = World::new();
    for name in ["", "a b", "#x", "_router", "../x"] {
        assert_eq!(w.enter(World::hello(name)).unwrap_err().code, ErrorCode::BadName, "{name:?}");
    }
}

#[test]
fn the_resume_token_takes_the_name_over_without_a_fight() {
    let mut w = World::new();
    let (old, welcome) = w.enter(World::hello("alice")).unwrap();
    let token = welcome.resume_token.unwrap();
    let bob = w.client("bob");
    w.send(bob, "m", "alice", "unacknowledged");
    w.received(old);
    let (new, again) = w.resume("alice", &token).unwrap();
    assert_eq!((&again.session_id, again.resume_token.as_ref()), (&welcome.session_id, Some(&token)));
    let last = w.received(old);
    let kinds: Vec<_> = last.iter().map(|f| f.header.kind).collect();
    assert_eq!(kinds, [FrameType::Error, FrameType::Bye]);
    let error: Error = last[0].body.decode().unwrap();
    assert!(error.fatal && error.code == ErrorCode::DuplicateConnection);
    assert_eq!(w.ended, [old]);
    assert_eq!(w.bodies(new), ["unacknowledged"]);
    assert_eq!(w.resume("alice", "a guess").unwrap_err().code, ErrorCode::NameTaken);
}

#[test]
fn a_resume_token_outlives_the_daemon_and_is_not_in_the_journal() {
    let mut w = World::new();
    let (_, welcome) = w.enter(World::hello("alice")).unwrap();
    let token = welcome.resume_token.unwrap();
    w.advance(100);
    assert!(w.journal.documents.values().all(|d| !d.value.as_str().contains(&token)));
    w.crash(0);
    let (conn, again) = w.resume("alice", &token).unwrap();
    assert_eq!(again.session_id, welcome.session_id);
    assert!(w.received_of(conn, FrameType::Error).is_empty());
}

#[test]
fn newcomers_are_journaled_together_or_with_what_is_accepted() {
    let mut w = World::new();
    w.prompt = false;
    let alice = w.client("alice");
    w.client("bob");
    assert_eq!(w.journal.waiting(), 0);
    w.advance(100);
    assert_eq!(w.journal.waiting(), 1);
    w.client("cat");
    w.send(alice, "m", "cat", "acknowledged, so cat is known");
    w.commit_all();
    let mut known: Vec<_> = w.journal.documents.keys().map(|key| key.key.to_string()).collect();
    known.sort();
    assert_eq!(known, ["alice", "bob", "cat"]);
    w.advance(100);
    assert_eq!(w.journal.waiting(), 0, "nobody is journaled twice");
}

#[test]
fn a_newcomer_whom_the_journal_could_not_take_is_journaled_later() {
    let mut w = World::new();
    w.prompt = false;
    let (_, welcome) = w.enter(World::hello("alice")).unwrap();
    w.advance(100);
    w.fail_commit();
    w.advance(1000);
    w.commit_all();
    w.crash(0);
    assert!(
        w.resume("alice", &welcome.resume_token.unwrap())
            .is_ok_and(|(_, again)| again.session_id == welcome.session_id)
    );
}

#[test]
fn an_unknown_token_is_told_before_a_fresh_welcome() {
    let mut w = World::new();
    let (conn, welcome) = w.resume("alice", "stale").unwrap();
    assert_ne!(welcome.resume_token.as_deref(), Some("stale"));
    let error = w.error(conn).1;
    assert_eq!((error.code, error.fatal), (ErrorCode::ResumeTooOld, false));
}

#[test]
fn people_may_connect_many_times_and_see_everything() {
    let mut w = World::new();
    let (one, two) = (w.person("ann"), w.person("ann"));
    let bob = w.client("bob");
    w.received(bob);
    w.send(bob, "m", "ann", "hello");
    let first = w.take_first(one, FrameType::Deliver);
    assert_eq!(w.bodies(two), ["hello"]);
    w.ack(one, &first);
    w.ack(two, &first);
    assert_eq!(w.receipts(bob), ["ann accepted", "ann delivered."]);
    w.leave(one);
    w.send(bob, "m2", "ann", "still here");
    assert_eq!(w.bodies(two), ["still here"]);
    assert_eq!(w.enter(World::hello("ann")).unwrap_err().code, ErrorCode::NameTaken);
}

#[test]
fn an_agent_inside_its_session_is_an_auxiliary() {
    let mut w = World::new();
    w.session("worker");
    let (conn, welcome) = w.enter_as(World::hello("worker"), agent("worker")).unwrap();
    assert_eq!((welcome.role, welcome.resume_token), (Role::Auxiliary, None));
    let bob = w.client("bob");
    w.send(bob, "m", "worker", "typed");
    assert!(w.bodies(conn).is_empty());
    assert_eq!(w.injected().len(), 1);
    assert_eq!(w.enter(World::hello("worker")).unwrap_err().code, ErrorCode::NameTaken);
    let observer = w.enter_as(World::hello("watcher"), Kind::Observer).unwrap();
    assert_eq!(observer.1.role, Role::Auxiliary);
    w.send(observer.0, "m", "bob", "psst");
    assert_eq!(w.error(observer.0).1.code, ErrorCode::Forbidden);
}

#[test]
fn arrivals_are_told_to_those_who_expect_it() {
    let mut w = World::new();
    let sdk = w.client("sdk");
    let mut own = Hello::new("own");
    own.versions = Some(posthouse_protocol::handshake::VersionRange::OURS);
    let own = w.enter(own).unwrap().0;
    let aux = w.auxiliary("sdk");
    w.client("late");
    w.session("worker");
    let names: Vec<String> = w
        .received_of(sdk, FrameType::AgentReady)
        .iter()
        .map(|f| f.body.decode::<AgentReady>().unwrap().name)
        .collect();
    assert_eq!(names, ["own", "late", "worker"]);
    assert!(w.received(own).is_empty() && w.received(aux).is_empty());
}

#[test]
fn a_cut_client_learns_why_at_its_next_hello() {
    let mut w = World::new();
    let conn = w.client("slow");
    w.cut(conn, Violation::fatal(ErrorCode::SlowConsumer, "it did not read for 10 s"));
    assert_eq!(w.journal.events[0].kind.as_str(), "connection.cut");
    let conn = w.client("slow");
    let error = w.error(conn).1;
    assert_eq!((error.code, error.fatal), (ErrorCode::SlowConsumer, false));
    assert!(error.message.ends_with("it did not read for 10 s"));
    w.leave(conn);
    let conn = w.client("slow");
    assert!(w.received(conn).is_empty(), "told once");
}

#[test]
fn names_are_listed_counted_and_removed() {
    let mut w = World::new();
    let (a, b) = (w.client("alice"), w.client("bob"));
    w.session("worker");
    w.leave(b);
    w.send(a, "m", "bob", "waits");
    let names =
        |w: &World, connected| w.core.agents(connected).into_iter().map(|a| a.name).collect::<Vec<_>>();
    assert_eq!(names(&w, false), ["alice", "bob", "worker"]);
    assert_eq!(names(&w, true), ["alice", "worker"]);
    let counts = w.core.counts();
    assert_eq!((counts.connections, counts.reachable, counts.queued), (1, 2, 1));
    assert_eq!(w.core.remove("alice").unwrap_err().code, ErrorCode::Forbidden);
    assert_eq!(w.core.remove("nobody"), Ok(false));
    assert_eq!(w.core.remove("bob"), Ok(true));
    w.turn();
    assert_eq!(w.receipts(a), ["bob accepted", "bob queued", "bob failed."]);
    w.crash(0);
    assert_eq!(names(&w, false), ["alice", "worker"]);
}
