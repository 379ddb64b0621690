//! A client id is one message for 24 hours, over restarts too.

use posthoused::journal::*;

use crate::build::*;

#[test]
fn a_repeat_is_told_what_its_first_became() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let writer = journal.writer();
    commit(&writer, vec![accept(1)]).unwrap();

    let repeat = || accept_as(Message { id: id(2), accepted_ms: NOW + 1, ..message(1) }, &["bob"]);
    let outcome = commit(&writer, vec![repeat(), accept(3)]).unwrap();
    assert_eq!(outcome.refused, [Refused::Duplicate { op: 0, first: id(1) }]);
    journal.close();

    let journal = open(dir.path());
    let outcome = commit(&journal.writer(), vec![repeat()]).unwrap();
    assert_eq!(outcome.refused, [Refused::Duplicate { op: 0, first: id(1) }]);
    let reader = journal.reader().unwrap();
    assert_eq!(reader.message(id(2)).unwrap(), None);
    assert_eq!(reader.by_client_id(OWNER, "alice", "c1").unwrap(), Some(id(1)));
    assert!(reader.message(id(3)).unwrap().is_some(), "the rest of the submission stands");
}

#[test]
fn the_key_is_the_senders_own() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let as_carol = Message { sender: "carol".into(), id: id(2), ..message(1) };
    let as_other_user = Message { owner: OWNER + 1, id: id(3), ..message(1) };
    let without = Message { client_id: None, id: id(4), ..message(1) };
    let again_without = Message { id: id(5), ..without.clone() };
    let all = [message(1), as_carol, as_other_user, without, again_without];
    let ops = all.into_iter().map(|m| accept_as(m, &["bob"])).collect();
    assert_eq!(commit(&journal.writer(), ops).unwrap().refused, []);
}

#[test]
fn after_a_day_the_id_may_be_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let writer = journal.writer();
    let at = |n, accepted_ms| accept_as(Message { id: id(n), accepted_ms, ..message(1) }, &["bob"]);
    commit(&writer, vec![at(1, NOW)]).unwrap();
    let early = commit(&writer, vec![at(2, NOW + DEDUPE_MS - 1)]).unwrap();
    assert_eq!(early.refused, [Refused::Duplicate { op: 0, first: id(1) }]);
    assert_eq!(commit(&writer, vec![at(3, NOW + DEDUPE_MS)]).unwrap().refused, []);
    let late = commit(&writer, vec![at(4, NOW + DEDUPE_MS + 1)]).unwrap();
    assert_eq!(late.refused, [Refused::Duplicate { op: 0, first: id(3) }]);
}

/// Client ids move from memory to their table in bulk; none may fall between.
#[test]
fn every_id_of_thousands_is_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let repeats = |journal: &Journal| {
        let ops =
            (0..5000).map(|n| accept_as(Message { id: id(n + 10_000), ..message(n) }, &["bob"])).collect();
        commit(&journal.writer(), ops).unwrap().refused.len()
    };
    for n in 0..5000 {
        journal.writer().submit(vec![accept(n)], Durability::Relaxed, Done::None).unwrap();
    }
    assert_eq!(repeats(&journal), 5000);
    journal.close();
    journal = open(dir.path());
    assert_eq!(repeats(&journal), 5000);
    let reader = journal.reader().unwrap();
    for n in [0, 2047, 2048, 4999] {
        assert_eq!(reader.by_client_id(OWNER, "alice", &format!("c{n}")).unwrap(), Some(id(n)));
    }
}

#[test]
fn an_id_outlives_its_message_within_the_day() {
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention { message_age_ms: 1000, ..Default::default() };
    let journal = Journal::open(dir.path(), Options { retention, max_bytes: None }).unwrap();
    let ended = advance(1, "bob", posthouse_protocol::ReceiptState::Delivered);
    commit(&journal.writer(), vec![accept(1), ended]).unwrap();
    commit(&journal.writer(), vec![Op::Prune { now_ms: NOW + 2000 }]).unwrap();
    assert_eq!(journal.reader().unwrap().message(id(1)).unwrap(), None);
    journal.close();
    let repeat = accept_as(Message { id: id(2), accepted_ms: NOW + 3000, ..message(1) }, &["bob"]);
    let outcome = commit(&open(dir.path()).writer(), vec![repeat]).unwrap();
    assert_eq!(outcome.refused, [Refused::Duplicate { op: 0, first: id(1) }]);
}
