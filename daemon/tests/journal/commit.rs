//! Committing: order, atomicity, and refusals that change nothing.

use std::sync::mpsc;
use std::time::Duration;

use posthouse_protocol::{Evidence, ReceiptState};
use posthoused::journal::*;

use crate::build::*;

const SOON: Duration = Duration::from_secs(30);

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
        let (submitted, seq) = outcomes.recv_timeout(SOON).unwrap();
        assert_eq!((submitted, seq.0), (n, n as i64 + 1));
    }
}

#[test]
fn an_ending_is_final() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let writer = journal.writer();
    commit(&writer, vec![accept(1)]).unwrap();
    commit(&writer, vec![advance(1, "bob", ReceiptState::Uncertain)]).unwrap();

    let again = commit(&writer, vec![advance(1, "bob", ReceiptState::Delivered)]).unwrap();
    assert_eq!(again.refused, [Refused::Ended { op: 0, state: ReceiptState::Uncertain }]);
    assert!(again.last < again.first, "no event is written for what did not happen");
    let receipts = journal.reader().unwrap().receipts(id(1)).unwrap().unwrap();
    assert_eq!(receipts.deliveries[0].state, ReceiptState::Uncertain);
}

#[test]
fn delivered_is_a_step_when_an_answer_is_expected() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let writer = journal.writer();
    let question = Message { expects_answer: true, ..message(1) };
    commit(&writer, vec![accept_as(question, &["bob"])]).unwrap();
    let state = |journal: &Journal| {
        let receipts = journal.reader().unwrap().receipts(id(1)).unwrap().unwrap();
        (receipts.deliveries[0].state, receipts.deliveries[0].ended)
    };
    commit(&writer, vec![advance(1, "bob", ReceiptState::Delivered)]).unwrap();
    assert_eq!(state(&journal), (ReceiptState::Delivered, false));
    commit(&writer, vec![advance(1, "bob", ReceiptState::Answered)]).unwrap();
    assert_eq!(state(&journal), (ReceiptState::Answered, true));
}

#[test]
fn a_step_for_nobody_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let outcome = commit(&journal.writer(), vec![advance(9, "bob", ReceiptState::Queued)]).unwrap();
    assert_eq!(outcome.refused, [Refused::NoDelivery { op: 0 }]);
}

#[test]
fn one_bad_submission_fails_alone() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let writer = journal.writer();
    let (done, outcomes) = mpsc::channel();
    let submit = |ops: Vec<Op>| {
        let done = done.clone();
        let done = Done::notify(move |outcome| done.send(outcome).unwrap());
        writer.submit(ops, Durability::Durable, done).unwrap();
    };
    // The first commit holds the writer while the others queue up into one batch.
    submit((0..500).map(accept).collect());
    submit(vec![accept(1000)]);
    let twice = accept_as(message(1001), &["bob", "bob"]);
    submit(vec![event("test.never", "x"), twice]);
    submit(vec![accept(1002)]);

    let all: Vec<Outcome> = (0..4).map(|_| outcomes.recv_timeout(SOON).unwrap()).collect();
    assert!(matches!(all[2], Err(WriteError::Refused(_))), "{:?}", all[2]);
    assert_eq!(all[1].as_ref().unwrap().first, Seq(501));
    assert_eq!(
        all[3].as_ref().unwrap().first,
        Seq(502),
        "positions of a rolled back batch are given out again"
    );
    let reader = journal.reader().unwrap();
    assert_eq!(reader.message(id(1001)).unwrap(), None);
    let never = EventFilter { kind: Some("test.never".into()), ..EventFilter::default() };
    assert!(
        reader.events(OWNER, Seq(0), 10, &never).unwrap().rows.is_empty(),
        "all of a submission or nothing"
    );
}

#[test]
fn a_receipt_carries_its_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let step = Advance {
        message: id(1),
        owner: OWNER,
        recipient: "bob".into(),
        state: ReceiptState::Submitted,
        reason: Some("typed".into()),
        evidence: Some(Evidence::StatusOsc),
        attempt: 2,
        run: Some("run-1".into()),
        cause: Some(Seq(1)),
        actor: Some("session/bob".into()),
        at_ms: NOW + 7,
    };
    let committed = commit(&journal.writer(), vec![accept(1), Op::Advance(step.clone())]).unwrap();
    assert_eq!((committed.first, committed.last), (Seq(1), Seq(2)));

    let reader = journal.reader().unwrap();
    let delivery = &reader.receipts(id(1)).unwrap().unwrap().deliveries[0];
    assert_eq!((delivery.evidence, delivery.attempt, delivery.updated_ms), (step.evidence, 2, NOW + 7));
    assert_eq!((delivery.reason.as_deref(), delivery.run.as_deref()), (Some("typed"), Some("run-1")));
    let events = reader.events(OWNER, Seq(1), 10, &EventFilter::default()).unwrap().rows;
    assert_eq!(events[0].what.cause, Some(Seq(1)));
    assert_eq!(
        events[0].what.data.as_str(),
        r#"{"to":"bob","state":"submitted","attempt":2,"evidence":"status-osc","reason":"typed","run":"run-1"}"#
    );
}

#[test]
fn a_full_queue_refuses_at_once_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let writer = journal.writer();
    let huge = |n| {
        let message = Message { payload: vec![0; 40 << 20].into(), ..message(n) };
        vec![accept_as(message, &["bob"])]
    };
    let (hold, held) = mpsc::channel::<()>();
    let (done, outcomes) = mpsc::channel();
    // The writer's thread waits in this completion, so that what follows stays queued.
    let wait = Done::notify(move |_| held.recv().unwrap());
    writer.submit(vec![accept(0)], Durability::Durable, wait).unwrap();
    let first = Done::notify(move |outcome| done.send(outcome).unwrap());
    writer.submit(huge(1), Durability::Relaxed, first).unwrap();
    let refused = writer.submit(huge(2), Durability::Relaxed, Done::notify(|_| panic!("was not queued")));
    assert!(matches!(refused, Err(SubmitError::Full { .. })), "{refused:?}");
    hold.send(()).unwrap();
    outcomes.recv_timeout(SOON).unwrap().unwrap();
    writer.submit(huge(3), Durability::Relaxed, Done::None).expect("room again");
}

#[test]
fn closing_commits_what_is_queued() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let writer = journal.writer();
    for n in 0..100 {
        writer.submit(vec![accept(n)], Durability::Relaxed, Done::None).unwrap();
    }
    journal.close();
    assert_eq!(writer.submit(vec![accept(100)], Durability::Relaxed, Done::None), Err(SubmitError::Closed));
    let journal = open(dir.path());
    assert!(journal.reader().unwrap().message(id(99)).unwrap().is_some());
}

#[tokio::test]
async fn tasks_commit_and_ask_without_blocking() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut committed = journal.writer().committed();
    journal.writer().commit(vec![accept(1)]).await.unwrap();
    assert_eq!(*committed.borrow_and_update(), Seq(1));
    let found = journal.desk().ask(|reader| reader.message(id(1))).await.unwrap();
    assert_eq!(found.unwrap().message, message(1));
}
