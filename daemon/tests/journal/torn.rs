//! Loss of power in the middle of a write: whatever became of the end of the log, the journal opens with everything that
//! was reported before it, and with nothing by half.

use std::fs;
use std::path::Path;

use posthoused::journal::*;

use crate::build::*;

const HEADER: usize = 32;
const FRAME: usize = 24 + 4096;
const MESSAGES: u64 = 16;

/// What a torn write leaves behind the last whole frame.
#[derive(Clone, Copy, Debug)]
enum Tear {
    /// Nothing: the file ends there.
    Cut,
    /// Half of the next frame.
    Half,
    /// The next frame with some of its page wrong, and the rest as it was to be.
    Garbled,
    /// Zeros where the rest was to be.
    Zeros,
}

fn log_of(dir: &Path) -> std::path::PathBuf {
    dir.join(format!("{JOURNAL_FILE}-wal"))
}

/// Frames of the log that belong to its present round.
fn frames(log: &[u8]) -> usize {
    let salt = &log[16..24];
    log[HEADER..].chunks_exact(FRAME).take_while(|frame| &frame[8..16] == salt).count()
}

#[test]
fn a_log_torn_anywhere_opens_with_all_that_was_reported_before() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let read = || fs::read(log_of(dir.path())).unwrap();
    let mut reported = Vec::new();
    for n in 0..MESSAGES {
        commit(&journal.writer(), vec![accept(n), event("test.pair", "x")]).unwrap();
        reported.push(frames(&read()));
    }
    // As the disk is when the power goes: the writer still has it open.
    let database = fs::read(dir.path().join(JOURNAL_FILE)).unwrap();
    let log = read();
    let all = frames(&log);
    assert!(reported.is_sorted() && reported.last() == Some(&all), "{reported:?} of {all}");
    for whole in 0..all {
        for tear in [Tear::Cut, Tear::Half, Tear::Garbled, Tear::Zeros] {
            let torn = tempfile::tempdir().unwrap();
            fs::write(torn.path().join(JOURNAL_FILE), &database).unwrap();
            fs::write(log_of(torn.path()), tear_at(&log, whole, all, tear)).unwrap();
            let safe = reported.iter().filter(|frames| **frames <= whole).count() as u64;
            holds(torn.path(), safe, &format!("{tear:?} behind frame {whole} of {all}"));
        }
    }
}

fn tear_at(log: &[u8], whole: usize, all: usize, tear: Tear) -> Vec<u8> {
    let at = HEADER + whole * FRAME;
    let mut torn = log[..HEADER + all * FRAME].to_vec();
    match tear {
        Tear::Cut => torn.truncate(at),
        Tear::Half => torn.truncate(at + FRAME / 2),
        Tear::Garbled => torn[at + 24..at + 24 + 512].iter_mut().for_each(|byte| *byte ^= 0xa5),
        Tear::Zeros => torn[at..].fill(0),
    }
    torn
}

/// The journal opens, has the first `safe` messages whole and the others not at all, and takes new ones.
fn holds(dir: &Path, safe: u64, why: &str) {
    let journal = Journal::open(dir, Options::default()).unwrap_or_else(|e| panic!("{why}: {e}"));
    let reader = journal.reader().unwrap();
    for n in 0..MESSAGES {
        assert_eq!(reader.message(id(n)).unwrap().is_some(), n < safe, "{why}: message {n}");
    }
    let events = reader.events(OWNER, Seq(0), 1000, &EventFilter::default()).unwrap().rows;
    assert_eq!(events.len() as u64, 2 * safe, "{why}");
    assert_eq!(reader.unfinished(Seq(0), 1000).unwrap().rows.len() as u64, safe, "{why}");
    commit(&journal.writer(), vec![accept(MESSAGES)]).unwrap_or_else(|e| panic!("{why}: {e}"));
}
