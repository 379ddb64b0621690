//! Small builders, so that a test says only what matters to it.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use posthouse_protocol::{ReceiptState, When};
use posthoused::journal::*;
use uuid::Uuid;

pub const OWNER: u32 = 1000;

/// The wall clock of these tests, Unix milliseconds.
pub const NOW: u64 = 1_790_000_000_000;

pub fn open(dir: &Path) -> Journal {
    Journal::open(dir, Options::default()).expect("open the journal")
}

/// A message of Alice's whose id and client id follow from `n`.
pub fn message(n: u64) -> Message {
    Message {
        id: id(n),
        owner: OWNER,
        sender: Arc::from("alice"),
        target: Arc::from("bob"),
        kind: 10,
        client_id: Some(format!("c{n}").into()),
        thread: None,
        reply_to: None,
        when: When::Idle,
        deadline_ms: None,
        expects_answer: false,
        encoding: 1,
        payload: Bytes::from(vec![b'x'; 256]),
        meta: Bytes::new(),
        accepted_ms: NOW,
    }
}

pub fn id(n: u64) -> MessageId {
    MessageId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | u128::from(n)))
}

pub fn to(recipient: &str) -> NewDelivery {
    NewDelivery { owner: OWNER, recipient: recipient.into(), state: ReceiptState::Accepted, reason: None }
}

pub fn accept(n: u64) -> Op {
    accept_as(message(n), &["bob"])
}

pub fn accept_as(message: Message, recipients: &[&str]) -> Op {
    Op::Accept { message: Box::new(message), recipients: recipients.iter().map(|r| to(r)).collect() }
}

pub fn advance(n: u64, recipient: &str, state: ReceiptState) -> Op {
    Op::Advance(Advance {
        message: id(n),
        owner: OWNER,
        recipient: recipient.into(),
        state,
        reason: None,
        evidence: None,
        attempt: 1,
        run: None,
        cause: None,
        actor: None,
        at_ms: NOW + 1,
    })
}

pub fn event(kind: &'static str, subject: &str) -> Op {
    Op::Event(NewEvent {
        owner: OWNER,
        kind: EventKind::new(kind),
        subject: Subject::Named(subject.into()),
        cause: None,
        actor: None,
        data: EventData::empty(),
        at_ms: NOW,
    })
}

/// Submits and waits for the commit.
pub fn commit(writer: &Writer, ops: Vec<Op>) -> Outcome {
    let (done, committed) = mpsc::channel();
    writer
        .submit(ops, Durability::Durable, Done::notify(move |outcome| done.send(outcome).unwrap()))
        .expect("room in the queue");
    committed.recv_timeout(Duration::from_secs(30)).expect("the writer answers")
}
