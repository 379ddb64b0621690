//! Events by cursor, and documents.

use posthouse_protocol::ReceiptState;
use posthoused::journal::*;

use crate::build::*;

#[test]
fn a_cursor_reads_every_event_once() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    for n in 0..25 {
        commit(&journal.writer(), vec![accept(n), event("session.state", "session/bob")]).unwrap();
    }
    let reader = journal.reader().unwrap();
    let (mut cursor, mut seen) = (Seq(0), Vec::new());
    loop {
        let page = reader.events(OWNER, cursor, 7, &EventFilter::default()).unwrap();
        seen.extend(page.rows.iter().map(|event| event.seq.0));
        let Some(last) = page.rows.last() else { break };
        cursor = last.seq;
    }
    assert_eq!(seen, (1..=50).collect::<Vec<_>>());
}

#[test]
fn filters_narrow_by_kind_family_subject_and_owner() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let ops = vec![
        accept(1),
        event("session.state", "session/bob"),
        event("session.turn", "session/carol"),
        event("sessions", "x"),
        advance(1, "bob", ReceiptState::Delivered),
    ];
    commit(&journal.writer(), ops).unwrap();
    let reader = journal.reader().unwrap();
    let read = |kind: Option<&str>, subject: Option<Subject>| {
        let filter = EventFilter { kind: kind.map(str::to_owned), subject, within: None };
        let page = reader.events(OWNER, Seq(0), 100, &filter).unwrap();
        page.rows.into_iter().map(|event| event.seq.0).collect::<Vec<_>>()
    };
    assert_eq!(read(Some("session"), None), [2, 3]);
    assert_eq!(read(Some("session.turn"), None), [3]);
    assert_eq!(read(None, Some(Subject::Message(id(1)))), [1, 5]);
    assert_eq!(read(Some("session"), Some(Subject::Named("session/bob".into()))), [2]);
    assert!(reader.events(OWNER + 1, Seq(0), 10, &EventFilter::default()).unwrap().rows.is_empty());
}

#[test]
fn positions_go_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    commit(&journal.writer(), vec![accept(1), accept(2)]).unwrap();
    journal.close();
    let journal = open(dir.path());
    assert_eq!(*journal.writer().committed().borrow(), Seq(2));
    assert_eq!(commit(&journal.writer(), vec![accept(3)]).unwrap().first, Seq(3));
}

#[test]
fn readers_see_whole_commits_while_the_writer_writes() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let writer = journal.writer();
    let reader = journal.reader().unwrap();
    let pair = |n| vec![accept(2 * n), accept(2 * n + 1)];
    let last = 300;
    for n in 0..last {
        writer.submit(pair(n), Durability::Relaxed, Done::None).unwrap();
        let newest = MessageQuery { owner: OWNER, order: Order::Descending, limit: 1, ..Default::default() };
        if let Some(newest) = reader.messages(&newest).unwrap().rows.first() {
            assert_eq!(newest.seq.0 % 2, 0, "half of a submission was seen");
        }
    }
    commit(&writer, vec![event("test.end", "x")]).unwrap();
    assert!(reader.message(id(2 * last - 1)).unwrap().is_some());
}

#[test]
fn documents_are_replaced_and_removed_by_key() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let key = |kind, key: &str| DocumentKey { kind, owner: OWNER, key: key.into() };
    let put = |k, name, value: u32| {
        Op::Put(Document { key: key(k, name), value: DocumentValue::of(&value).unwrap() })
    };
    let ops = vec![
        put(DocumentKind::Session, "bob", 1),
        put(DocumentKind::Session, "alice", 2),
        put(DocumentKind::Name, "bob", 3),
        put(DocumentKind::Session, "bob", 4),
    ];
    commit(&journal.writer(), ops).unwrap();
    let read = |kind| {
        let all = journal.reader().unwrap().documents(kind).unwrap();
        all.into_iter().map(|d| (d.key.key.to_string(), d.value.parse::<u32>().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(read(DocumentKind::Session), [("alice".into(), 2), ("bob".into(), 4)]);
    commit(&journal.writer(), vec![Op::Delete(key(DocumentKind::Session, "bob"))]).unwrap();
    assert_eq!(read(DocumentKind::Session), [("alice".into(), 2)]);
    assert_eq!(read(DocumentKind::Name), [("bob".into(), 3)]);
}
