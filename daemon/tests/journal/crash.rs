//! SIGKILL in the middle of writing: what a completion has reported is there afterwards, and nothing is there by half.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use posthoused::journal::*;

use crate::build::*;

/// Set for the process that is to be killed: where it writes, and from which message on.
const DIR: &str = "JOURNAL_CRASH_DIR";
const FROM: &str = "JOURNAL_CRASH_FROM";

/// Not a test by itself: the process that is killed. Reports each committed message on its standard output.
#[test]
fn victim() {
    let (Ok(dir), Ok(from)) = (std::env::var(DIR), std::env::var(FROM)) else { return };
    let journal = open(dir.as_ref());
    let writer = journal.writer();
    let from: u64 = from.parse().unwrap();
    for n in from.. {
        let durability = if n % 3 == 0 { Durability::Durable } else { Durability::Relaxed };
        let done = move |outcome: Outcome| {
            outcome.unwrap();
            writeln!(std::io::stdout(), "committed {n}").unwrap();
        };
        let ops = vec![accept(n), event("test.pair", "x")];
        while writer.submit(ops.clone(), durability, Done::notify(done)).is_err() {
            std::thread::yield_now();
        }
    }
}

#[test]
fn what_was_reported_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut reported = BTreeSet::new();
    for round in 0..4 {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["crash::victim", "--exact", "--nocapture"])
            .env(DIR, dir.path())
            .env(FROM, (round * 1_000_000).to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        let mut note = |line: String| {
            // The test harness's own words may share the first line.
            let number = line.rsplit_once("committed ").and_then(|(_, n)| n.parse::<u64>().ok());
            number.is_some_and(|n| reported.insert(n))
        };
        let mut seen = 0;
        while seen < 300 * (round + 1) {
            seen += u64::from(note(lines.next().expect("the victim goes on").unwrap()));
        }
        victim.kill().unwrap();
        for line in lines.map_while(Result::ok) {
            // The last line may have been cut off by the kill; the pipe then ends without a line feed.
            note(line);
        }
        victim.wait().unwrap();

        let journal = open(dir.path());
        let reader = journal.reader().unwrap();
        for n in &reported {
            assert!(reader.message(id(*n)).unwrap().is_some(), "message {n} was reported and is gone");
        }
        let (mut after, mut accepted, mut pairs) = (Seq(0), 0, 0);
        loop {
            let page = reader.events(OWNER, after, 1000, &EventFilter::default()).unwrap();
            for event in &page.rows {
                match event.what.kind.as_str() {
                    "accepted" => accepted += 1,
                    _ => pairs += 1,
                }
                assert_eq!(event.seq.0, after.0 + 1, "positions have no gaps");
                after = event.seq;
            }
            if page.rows.is_empty() {
                break;
            }
        }
        assert_eq!(accepted, pairs, "half of a submission is there");
    }
}
