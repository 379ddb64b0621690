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
