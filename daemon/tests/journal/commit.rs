//! Committing: order, atomicity, refusals that change nothing.

use std::sync::mpsc;
use std::time::Duration;

use posthouse_protocol::ReceiptState;
use posthoused::journal::*;

use crate::build::*;

#[test]
fn what_is_committed_is_read_back_whole() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let sent = Message {
        thread: Some("t1".into()),
        reply_to: Some("m0".into()),
        deadline_ms: Some(NOW + 5000),
        expects_answer: true,
        meta: bytes::Bytes::from_static(b"meta"),
        ..message(1)
    };
    let committed = commit(&journal.writer(), vec![accept_as(sent.clone(), &["bob", "carol"])]).unwrap();
    assert_eq!(committed, Committed { first: Seq(1), last: Seq(1), refused: vec![] });

    let reader = journal.reader().unwrap();
    assert_eq!(reader.message(id(1)).unwrap(), Some(Stored { seq: Seq(1), message: sent }));
    let receipts = reader.receipts(id(1)).unwrap().unwrap();
    let names: Vec<_> = receipts.deliveries.iter().map(|d| (&*d.recipient, d.state, d.ended)).collect();
    assert_eq!(names, [("bob", ReceiptState::Accepted, false), ("carol", ReceiptState::Accepted, false)]);
}

#[test]
fn completions_come_in_the_order_of_submission() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let (done, outcomes) = mpsc::channel();
    for n in 0..2000 {
        let done = done.clone();
        let done = Done::notify(move |outcome| done.send((n, outcome.unwrap().first)).unwrap());
        journal.writer().submit(vec![accept(n)], Durability::Durable, done).unwrap();
    }
    for n in 0..2000 {
        let (submitted, seq) = outcomes.recv_timeout(Duration::from_secs(30)).unwrap();
        assert_eq!((submitted, seq.0), (n, n as i64 + 1));
    }
}
