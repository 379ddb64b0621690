//! History is bounded by age, rows and bytes; what has not ended is never lost to it.

use posthouse_protocol::ReceiptState;
use posthoused::journal::*;

use crate::build::*;

/// How far a bound may be overshot: pruning rides on batches and goes in steps.
const SLACK: u64 = 600;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn open_with(dir: &tempfile::TempDir, retention: Retention) -> Journal {
    Journal::open(dir.path(), Options { retention, max_bytes: None }).unwrap()
}

fn count_events(journal: &Journal) -> u64 {
    let (reader, mut count, mut after) = (journal.reader().unwrap(), 0, Seq(0));
    loop {
        let page = reader.events(OWNER, after, 1000, &EventFilter::default()).unwrap();
        count += page.rows.len() as u64;
        let Some(last) = page.rows.last() else { return count };
        after = last.seq;
    }
}

#[test]
fn events_are_bounded_by_rows_and_the_newest_stay() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open_with(&dir, Retention { event_rows: 1000, ..Default::default() });
    for _ in 0..50 {
        let ops = (0..100).map(|_| event("test.tick", "x")).collect();
        commit(&journal.writer(), ops).unwrap();
    }
    let kept = count_events(&journal);
    assert!((1000..1000 + SLACK).contains(&kept), "{kept} events");
    let oldest = journal.reader().unwrap().oldest_event().unwrap().unwrap();
    assert_eq!(oldest.0 as u64, 5000 - kept + 1);
}

#[test]
fn old_history_goes_and_positions_do_not_begin_again() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open_with(&dir, Retention::default());
    let ops = vec![accept(1), accept(2), advance(1, "bob", ReceiptState::Delivered)];
    commit(&journal.writer(), ops).unwrap();
    commit(&journal.writer(), vec![Op::Prune { now_ms: NOW + 29 * DAY_MS }]).unwrap();
    assert_eq!(count_events(&journal), 3);

    commit(&journal.writer(), vec![Op::Prune { now_ms: NOW + 31 * DAY_MS }]).unwrap();
    let reader = journal.reader().unwrap();
    assert_eq!(reader.receipts(id(1)).unwrap(), None, "ended and old");
    assert!(reader.message(id(2)).unwrap().is_some(), "not ended");
    assert_eq!(reader.by_client_id(OWNER, "alice", "c1").unwrap(), None, "a day has passed");
    assert_eq!(count_events(&journal), 1);
    journal.close();
    let journal = open_with(&dir, Retention::default());
    assert_eq!(commit(&journal.writer(), vec![event("test.next", "x")]).unwrap().first, Seq(4));
}

#[test]
fn receipts_are_bounded_by_rows_and_open_ones_stay() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open_with(&dir, Retention { receipt_rows: 500, ..Default::default() });
    let writer = journal.writer();
    for n in 0..3000 {
        let mut ops = vec![accept(n)];
        if n % 10 != 0 {
            ops.push(advance(n, "bob", ReceiptState::Delivered));
        }
        writer.submit(ops, Durability::Relaxed, Done::None).unwrap();
    }
    commit(&writer, vec![Op::Prune { now_ms: NOW }]).unwrap();
    let reader = journal.reader().unwrap();
    for n in (0..3000).step_by(10) {
        assert!(reader.message(id(n)).unwrap().is_some(), "open message {n} was lost");
    }
    let kept = (0..3000).filter(|n| reader.receipts(id(*n)).unwrap().is_some()).count() as u64;
    assert!((500..500 + SLACK).contains(&kept), "{kept} receipts");
    assert!(reader.message(id(2999)).unwrap().is_some(), "the newest stay");
}

#[test]
fn bytes_are_bounded_and_the_file_stops_growing() {
    const KEEP: u64 = 8 << 20;
    let dir = tempfile::tempdir().unwrap();
    let journal = open_with(&dir, Retention { bytes: KEEP, ..Default::default() });
    let big = |n| Message { payload: vec![0; 100 << 10].into(), ..message(n) };
    for n in 0..400 {
        let ops = vec![accept_as(big(n), &["bob"]), advance(n, "bob", ReceiptState::Delivered)];
        commit(&journal.writer(), ops).unwrap();
    }
    let reader = journal.reader().unwrap();
    let kept = (0..400).filter(|n| reader.message(id(*n)).unwrap().is_some()).count() as u64;
    let bytes = kept * (100 << 10);
    assert!(bytes > KEEP / 4 && bytes < KEEP + (8 << 20), "{kept} messages of 100 KiB");
    drop(reader);
    journal.close();
    let file = std::fs::metadata(dir.path().join(JOURNAL_FILE)).unwrap().len();
    assert!(file < 3 * KEEP, "{file} bytes");
}
