//! Inboxes, recovery, and queries by what a message is.

use posthouse_protocol::ReceiptState;
use posthoused::journal::*;

use crate::build::*;

/// Alice's message `n` as sent by `sender` to `target`.
fn from(n: u64, sender: &str, target: &str) -> Message {
    Message { sender: sender.into(), target: target.into(), ..message(n) }
}

fn ids(page: &Page<Open>) -> Vec<MessageId> {
    page.rows.iter().map(|open| open.stored.message.id).collect()
}

fn all(limit: usize) -> InboxQuery {
    InboxQuery { owner: OWNER, recipient: "bob".into(), limit, ..Default::default() }
}

#[test]
fn an_inbox_is_its_recipients_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let ops = vec![
        accept_as(from(5, "alice", "bob"), &["bob"]),
        accept_as(from(4, "carol", "#ops"), &["bob", "dave"]),
        accept_as(from(3, "alice", "dave"), &["dave"]),
        accept_as(from(2, "carol", "bob"), &["bob"]),
        advance(4, "bob", ReceiptState::Delivered),
    ];
    commit(&journal.writer(), ops).unwrap();
    let reader = journal.reader().unwrap();
    assert_eq!(ids(&reader.inbox(&all(9)).unwrap()), [id(5), id(4), id(2)]);
    let unread = InboxQuery { unread_only: true, ..all(9) };
    assert_eq!(ids(&reader.inbox(&unread).unwrap()), [id(5), id(2)]);
    let carols = InboxQuery { from: Some("carol".into()), ..all(9) };
    assert_eq!(ids(&reader.inbox(&carols).unwrap()), [id(4), id(2)]);
    let channel = InboxQuery { channel: Some("#ops".into()), ..all(9) };
    assert_eq!(ids(&reader.inbox(&channel).unwrap()), [id(4)]);
    let first = reader.inbox(&all(2)).unwrap();
    assert_eq!((ids(&first), first.more), (vec![id(5), id(4)], true));
    let rest = reader.inbox(&InboxQuery { after: Some(first.rows[1].stored.seq), ..all(2) }).unwrap();
    assert_eq!((ids(&rest), rest.more), (vec![id(2)], false));
    let others = InboxQuery { owner: OWNER + 1, ..all(9) };
    assert!(reader.inbox(&others).unwrap().rows.is_empty());
}

/// The table of inboxes lags behind; a reader must not see where it ends.
#[test]
fn a_long_inbox_has_no_seam() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let writer = journal.writer();
    let recipients = ["bob", "carol"];
    for n in 0..5000 {
        let name = recipients[n as usize % 2];
        writer
            .submit(vec![accept_as(from(n, "alice", name), &[name])], Durability::Relaxed, Done::None)
            .unwrap();
    }
    commit(&writer, vec![accept_as(from(5000, "alice", "bob"), &["bob"])]).unwrap();
    let reader = journal.reader().unwrap();
    let expected: Vec<_> = (0..=5000).step_by(2).map(id).collect();
    for order in [Order::Ascending, Order::Descending] {
        for unread_only in [false, true] {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = reader.inbox(&InboxQuery { order, unread_only, after, ..all(700) }).unwrap();
                found.extend(ids(&page));
                after = page.rows.last().map(|open| open.stored.seq);
                if !page.more {
                    break;
                }
            }
            if order == Order::Descending {
                found.reverse();
            }
            assert_eq!(found.len(), expected.len(), "{order:?}, unread only: {unread_only}");
            assert!(found == expected);
        }
    }
}

#[test]
fn a_page_is_bounded_by_bytes_too() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let big = |n| accept_as(Message { payload: vec![0; 1 << 20].into(), ..message(n) }, &["bob"]);
    commit(&journal.writer(), (0..6).map(big).collect()).unwrap();
    let page = journal.reader().unwrap().inbox(&all(100)).unwrap();
    assert_eq!((page.rows.len(), page.more), (4, true));
}

#[test]
fn a_new_daemon_finds_what_has_not_ended() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let writer = journal.writer();
    commit(&writer, (0..50).map(accept).collect()).unwrap();
    commit(&writer, vec![accept_as(from(50, "carol", "*"), &["bob", "dave"])]).unwrap();
    let ended = (0..50).filter(|n| n % 5 != 0);
    commit(&writer, ended.map(|n| advance(n, "bob", ReceiptState::Delivered)).collect()).unwrap();
    commit(&writer, vec![advance(5, "bob", ReceiptState::Written)]).unwrap();
    // A page never ends between two recipients of a message, or the cursor would pass over the second.
    commit(&writer, vec![accept_as(from(51, "carol", "*"), &["bob", "dave", "erin"])]).unwrap();
    journal.close();

    let journal = open(dir.path());
    let reader = journal.reader().unwrap();
    let (mut found, mut after) = (Vec::new(), Seq(0));
    loop {
        let page = reader.unfinished(after, 1).unwrap();
        found.extend(page.rows.iter().map(|o| (o.delivery.message, o.delivery.recipient.to_string())));
        match page.rows.last() {
            Some(last) if page.more => after = last.delivery.seq,
            _ => break,
        }
    }
    let mut expected: Vec<_> = (0..50).step_by(5).map(|n| (id(n), "bob".to_owned())).collect();
    for (n, recipient) in [(50, "bob"), (50, "dave"), (51, "bob"), (51, "dave"), (51, "erin")] {
        expected.push((id(n), recipient.into()));
    }
    assert_eq!(found, expected);

    let totals = reader.open_totals().unwrap();
    let totals: Vec<_> = totals.iter().map(|t| (&*t.recipient, t.messages, t.bytes, t.oldest)).collect();
    assert_eq!(totals, [("bob", 12, 12 * 256, Seq(1)), ("dave", 2, 512, Seq(51)), ("erin", 1, 256, Seq(93))]);
}

#[test]
fn messages_are_found_by_what_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let threaded = Message { thread: Some("t".into()), accepted_ms: NOW + 10, ..from(3, "carol", "#ops") };
    let ops = vec![
        accept_as(from(1, "alice", "bob"), &["bob"]),
        accept_as(from(2, "carol", "bob"), &["bob"]),
        accept_as(threaded, &["bob", "dave"]),
    ];
    commit(&journal.writer(), ops).unwrap();
    let reader = journal.reader().unwrap();
    let read = |query: MessageQuery| {
        let page = reader.messages(&MessageQuery { owner: OWNER, limit: 10, ..query }).unwrap();
        page.rows.into_iter().map(|stored| stored.message.id).collect::<Vec<_>>()
    };
    let any = MessageQuery::default;
    assert_eq!(read(any()), [id(1), id(2), id(3)]);
    assert_eq!(read(MessageQuery { order: Order::Descending, ..any() }), [id(3), id(2), id(1)]);
    assert_eq!(read(MessageQuery { from: Some("carol".into()), ..any() }), [id(2), id(3)]);
    assert_eq!(read(MessageQuery { to: Some("dave".into()), ..any() }), [id(3)]);
    assert_eq!(read(MessageQuery { to: Some("#ops".into()), ..any() }), [id(3)]);
    assert_eq!(read(MessageQuery { thread: Some("t".into()), ..any() }), [id(3)]);
    assert_eq!(read(MessageQuery { since_ms: Some(NOW + 10), ..any() }), [id(3)]);
    assert_eq!(read(MessageQuery { beyond: Some(Seq(1)), ..any() }), [id(2), id(3)]);
}
