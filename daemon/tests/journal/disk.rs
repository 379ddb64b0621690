//! A full disk is a named error to those who wrote, and nothing else: the writer goes on once there is room.

use std::process::{Command, Stdio};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use posthoused::journal::*;

use crate::build::*;

fn large(n: u64) -> Vec<Op> {
    let message = Message { payload: vec![b'x'; 50 << 10].into(), ..message(n) };
    vec![accept_as(message, &["bob"])]
}

/// Writes until it fails; the number of the message that failed, and why.
fn fill(journal: &Journal) -> (u64, WriteError) {
    for n in 0..1000 {
        if let Err(error) = commit(&journal.writer(), large(n)) {
            return (n, error);
        }
    }
    panic!("the disk never filled up");
}

#[test]
fn the_size_bound_fails_writes_until_history_is_pruned() {
    let dir = tempfile::tempdir().unwrap();
    let journal =
        Journal::open(dir.path(), Options { max_bytes: Some(4 << 20), ..Default::default() }).unwrap();
    let (failed, error) = fill(&journal);
    assert_eq!(error, WriteError::DiskFull);
    let reader = journal.reader().unwrap();
    assert_eq!(reader.message(id(failed)).unwrap(), None, "nothing of a failed write is there");
    assert!(reader.message(id(failed - 1)).unwrap().is_some());
    drop(reader);

    let ended = advance(0, "bob", posthouse_protocol::ReceiptState::Delivered);
    commit(&journal.writer(), vec![ended]).expect("small changes still fit");
    let later = NOW + 31 * 24 * 60 * 60 * 1000;
    commit(&journal.writer(), vec![Op::Prune { now_ms: later }]).unwrap();
    commit(&journal.writer(), large(failed)).expect("there is room again");
}

/// Set for the process whose files may not grow beyond a limit.
const DIR: &str = "JOURNAL_DISK_DIR";

/// Not a test by itself: runs under a file size limit that it lifts once it has been hit.
#[test]
fn limited() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let journal = open(dir.as_ref());
    let (failed, error) = fill(&journal);
    assert!(matches!(error, WriteError::Io(_) | WriteError::DiskFull), "{error:?}");
    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, hard, hard).unwrap();
    commit(&journal.writer(), large(failed)).expect("the same writer goes on");
    let reader = journal.reader().unwrap();
    for n in 0..=failed {
        assert!(reader.message(id(n)).unwrap().is_some(), "message {n}");
    }
    println!("recovered after {failed}");
}

#[test]
fn a_write_error_is_named_and_passes() {
    let dir = tempfile::tempdir().unwrap();
    // The shell sets the limit (in blocks of 512 bytes) and has the kernel fail the write instead of ending the process.
    let output = Command::new("sh")
        .args(["-c", r#"trap '' XFSZ; ulimit -S -f 4096; exec "$0" disk::limited --exact --nocapture"#])
        .arg(std::env::current_exe().unwrap())
        .env(DIR, dir.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("recovered after"), "{said}");
}
