//! Requests: what they answer, to whom, and in which bounds.

use posthouse_protocol::Later;
use posthouse_protocol::handshake::PrincipalKind;
use posthouse_protocol::payload::{
    Attach, Credential, Diagnose, Events, Health, Inbox, ListAgents, ListConnectedAgents, ListSessions,
    ListWorkers, Logs, MessagesQuery, Metrics, Receipts, Release, RemoveAgent, RouteExplain, Screen,
    SendInput, Shutdown, Spawn, Status,
};
use posthouse_protocol::{ErrorCode, FrameType, Header, Hello, ReceiptState, limits};

use crate::house::House;
use crate::peer::Peer;

fn name() -> String {
    "nobody".to_owned()
}

fn spawn(name: &str) -> Spawn {
    serde_json::from_value(serde_json::json!({
        "name": name, "harness": "generic", "args": ["sh", "-c", "printf started; exec cat"],
    }))
    .unwrap()
}

#[test]
fn every_request_is_answered_in_both_encodings() {
    let house = House::started(&[]);
    for encoding in [posthouse_protocol::Encoding::Json, posthouse_protocol::Encoding::Bincode] {
        let mut hello = Hello::new(format!("asker-{encoding}"));
        (hello.kind, hello.encodings) = (Some(PrincipalKind::Operator), vec![encoding]);
        let mut peer = Peer::hello(&house.socket(), &hello);
        let status = peer.ask(&Status {});
        assert_eq!(
            (status.pid, status.panics, status.storage.can_write),
            (house.pid().as_raw().unsigned_abs(), 0, true)
        );
        assert!(peer.ask(&ListAgents::default()).agents.iter().any(|agent| agent.name == hello.agent));
        assert!(
            peer.ask(&ListConnectedAgents::default()).agents.iter().any(|agent| agent.name == hello.agent)
        );
        assert!(!peer.ask(&RemoveAgent { name: name(), remove_messages: None }).removed);
        assert_eq!(peer.ask(&Health::default()).health_score, 100);
        assert!(peer.ask(&Metrics::default()).system.heap_used > 0);
        assert!(peer.ask(&Inbox::default()).messages.is_empty());
        assert!(peer.ask(&MessagesQuery::default()).messages.is_empty());
        assert!(!peer.ask(&Events::default()).events.is_empty());
        assert!(peer.ask(&ListSessions::default()).sessions.is_empty());
        assert!(peer.ask(&ListWorkers {}).workers.is_empty());
        assert!(peer.ask(&Credential::List).credentials.is_empty());
        assert!(peer.ask(&Diagnose {}).checks.iter().any(|check| check.name == "journal"));
        let screen = Screen { name: name(), ansi: None };
        assert_eq!(peer.refused(&screen), ErrorCode::NoSuchSession);
        assert_eq!(peer.refused(&Logs { name: name(), after: None, limit: None }), ErrorCode::NoSuchSession);
        assert_eq!(peer.refused(&RouteExplain { name: name(), failure: None }), ErrorCode::NoSuchSession);
        let attach = Attach { name: name(), size: None, read_only: None, after: None, scrollback: None };
        assert_eq!(peer.refused(&attach), ErrorCode::NoSuchSession);
        assert_eq!(
            peer.refused(&Receipts { message: Some(name()), client_id: None }),
            ErrorCode::NoSuchMessage
        );
        assert_eq!(peer.refused(&Receipts::default()), ErrorCode::BadRequest);
        let released = peer.ask(&Release { name: name(), reason: None, grace_ms: None });
        assert_eq!((released.success, released.code.as_deref()), (false, Some("NO_SUCH_SESSION")));
        assert!(!peer.ask(&SendInput { name: name(), data: "x".into() }).success);
        assert!(!peer.ask(&Spawn { harness: Some("nothing".into()), ..spawn("x") }).success);
    }
}

#[test]
fn rights_are_those_of_the_principal() {
    let house = House::started(&[]);
    let hello = |kind| Hello { kind: Some(kind), ..Hello::new(format!("x-{kind}")) };
    let mut client = Peer::hello(&house.socket(), &hello(PrincipalKind::Agent));
    let mut observer = Peer::hello(&house.socket(), &hello(PrincipalKind::Observer));
    let mut operator = Peer::operator(&house.socket());
    assert!(operator.ask(&spawn("bob")).success);

    assert_eq!(client.refused(&Shutdown { release_all: false, restart: Later(None) }), ErrorCode::Forbidden);
    assert_eq!(
        client.refused(&Inbox { agent: Some("bob".into()), ..Inbox::default() }),
        ErrorCode::Forbidden
    );
    assert_eq!(
        client.refused(&Events { subject: Some("bob".into()), ..Events::default() }),
        ErrorCode::Forbidden
    );
    assert!(client.ask(&Events::default()).events.is_empty(), "others' events are not a client's");
    assert!(!client.ask(&SendInput { name: "bob".into(), data: "x".into() }).success);
    assert_eq!(client.ask(&Screen { name: "bob".into(), ansi: None }).name, "bob");

    assert_eq!(observer.refused(&Shutdown { release_all: true, restart: Later(None) }), ErrorCode::Forbidden);
    assert!(!observer.ask(&spawn("eve")).success);
    assert!(!observer.ask(&Release { name: "bob".into(), reason: None, grace_ms: None }).success);
    assert!(!observer.ask(&Events::default()).events.is_empty());
    assert!(observer.ask(&Credential::List).credentials.is_empty());
    assert_eq!(observer.refused(&Credential::Remove { name: "a/b".into() }), ErrorCode::Forbidden);
    observer.send_text("o-1", "bob", "hello");
    let refused = observer.wait_for(FrameType::Error);
    assert_eq!(refused.header.id, "o-1");

    assert_eq!(operator.ask(&ListSessions::default()).sessions.len(), 1);
}

#[test]
fn a_message_is_found_by_inbox_query_and_receipts() {
    let house = House::started(&[]);
    let mut bob = Peer::named(&house.socket(), "bob");
    bob.send(Header::new(FrameType::Bye, "b", 1), &posthouse_protocol::payload::Bye {});
    bob.wait_for(FrameType::Bye);

    let mut alice = Peer::named(&house.socket(), "alice");
    let mut hello = Hello::new("carol");
    hello.capabilities.receipts = Some(true);
    let mut carol = Peer::hello(&house.socket(), &hello);
    for n in 0..3 {
        carol.send_text(&format!("c-{n}"), "bob", &format!("body {n}"));
    }
    let queued = |frame: &posthouse_protocol::Frame| {
        frame.body.decode::<posthouse_protocol::Receipt>().is_ok_and(|receipt| receipt.client_id == "c-2")
    };
    while !queued(&carol.wait_for(FrameType::Receipt)) {}

    let mut operator = Peer::operator(&house.socket());
    let inbox = operator.ask(&Inbox { agent: Some("bob".into()), limit: Some(2), ..Inbox::default() });
    let bodies: Vec<&str> = inbox.messages.iter().map(|message| message.body.as_str()).collect();
    assert_eq!((bodies, inbox.truncated), (vec!["body 1", "body 2"], true));

    assert_eq!(carol.ask(&MessagesQuery::default()).messages.len(), 3);
    assert_eq!(alice.ask(&MessagesQuery::default()).messages.len(), 0);
    let ours =
        MessagesQuery { to: Some("bob".into()), order: Some("asc".into()), ..MessagesQuery::default() };
    let first = carol.ask(&ours).messages.remove(0);
    assert_eq!((first.body.as_str(), first.to.as_str(), first.is_broadcast), ("body 0", "bob", Some(false)));

    let steps = carol.ask(&Receipts { message: None, client_id: Some("c-0".into()) }).receipts;
    assert_eq!(steps.first().unwrap().state, ReceiptState::Accepted);
    assert!(steps.iter().all(|step| step.recipient == "bob" && step.message == first.id));
    let strangers = Receipts { message: Some(first.id.clone()), client_id: None };
    assert_eq!(alice.refused(&strangers), ErrorCode::NoSuchMessage);
    assert_eq!(operator.ask(&strangers).receipts, steps);
}

#[test]
fn answers_never_exceed_a_frame() {
    let house = House::started(&["limits.max_frame_bytes=65536"]);
    let mut bob = Peer::named(&house.socket(), "bob");
    bob.send(Header::new(FrameType::Bye, "b", 1), &posthouse_protocol::payload::Bye {});
    bob.wait_for(FrameType::Bye);
    let mut alice = Peer::named(&house.socket(), "alice");
    let body = "\u{1F980}\"\\".repeat(1_000);
    for n in 0..40 {
        alice.send_text(&format!("a-{n}"), "bob", &body);
    }
    alice.ask(&Status {});
    let limit = usize::try_from(alice.welcome.as_ref().unwrap().server.max_frame_bytes).unwrap();
    assert!(limit < limits::MAX_FRAME);
    let mut operator = Peer::operator(&house.socket());
    let inbox = crate::house::eventually("the messages", || {
        let all = Inbox { agent: Some("bob".into()), limit: Some(500), ..Inbox::default() };
        Some(operator.ask(&all)).filter(|inbox| inbox.truncated)
    });
    let size = serde_json::to_vec(&inbox).unwrap().len();
    assert!(size <= limit && size > limit / 2, "{size} bytes of {limit}");
}

#[test]
fn a_follower_sees_every_event_once_and_in_order() {
    let house = House::started(&[]);
    let mut follower = Peer::operator(&house.socket());
    let kinds = vec!["session.".to_owned()];
    let seen = follower.ask(&Events { kinds, follow: Some(true), ..Events::default() });
    assert!(seen.events.is_empty());
    let mut operator = Peer::operator(&house.socket());
    for name in ["one", "two", "three"] {
        assert!(operator.ask(&spawn(name)).success);
    }
    let mut last = 0;
    let mut started = Vec::new();
    while started.len() < 3 {
        let event: posthouse_protocol::payload::Event =
            follower.wait_for(FrameType::Event).body.decode().unwrap();
        assert!(event.seq > last && event.kind.starts_with("session."), "{event:?}");
        last = event.seq;
        if event.kind == "session.started" {
            started.push(event.subject);
        }
    }
    assert_eq!(started, ["one", "two", "three"]);
}

#[test]
fn a_view_begins_with_its_answer_and_shows_what_is_typed() {
    let house = House::started(&[]);
    let mut operator = Peer::operator(&house.socket());
    assert!(operator.ask(&spawn("bob")).success);
    let attach = Attach { name: "bob".into(), size: None, read_only: None, after: None, scrollback: None };
    let answer = operator.ask(&attach);
    assert_eq!(answer.name, "bob");
    let input =
        posthouse_protocol::payload::Input { name: "bob".into(), data: b"typed-here\r".to_vec().into() };
    operator.send(Header::new(FrameType::Input, "i", 1), &input);
    let mut shown = Vec::new();
    while !String::from_utf8_lossy(&shown).contains("typed-here") {
        let output: posthouse_protocol::payload::Output =
            operator.wait_for(FrameType::Output).body.decode().unwrap();
        shown.extend(output.data.0);
    }
}

#[test]
fn events_are_read_page_by_page_and_from_either_end() {
    let house = House::started(&[]);
    let mut operator = Peer::operator(&house.socket());
    for name in ["one", "two", "three"] {
        assert!(operator.ask(&spawn(name)).success);
    }
    let kinds = || vec!["session.started".to_owned(), "nothing.".to_owned()];
    let subjects = |events: &[posthouse_protocol::payload::Event]| {
        events.iter().map(|event| event.subject.clone()).collect::<Vec<_>>()
    };
    let (mut cursor, mut seen) = (None, Vec::new());
    loop {
        let page =
            operator.ask(&Events { after: cursor, limit: Some(1), kinds: kinds(), ..Events::default() });
        if page.events.is_empty() {
            break;
        }
        seen.extend(subjects(&page.events));
        cursor = Some(page.next);
    }
    assert_eq!(seen, ["one", "two", "three"]);
    let tail = Events { limit: Some(2), kinds: kinds(), tail: Some(true), ..Events::default() };
    assert_eq!(subjects(&operator.ask(&tail).events), ["two", "three"]);
    let about = Events { subject: Some("two".into()), kinds: kinds(), ..Events::default() };
    assert_eq!(subjects(&operator.ask(&about).events), ["two"]);
}
