//! Telling which runs a process belongs to, whatever it does about its parents and environment.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use posthoused::holder::ancestry::{Lineages, runs_of};
use posthoused::holder::run::{RUN_MARK, RunId};
use support::Yard;
use uuid::Uuid;

/// The tests may themselves run inside of a session.
fn around() -> Vec<RunId> {
    runs_of(std::process::id()).unwrap()
}

fn within(run: RunId) -> Vec<RunId> {
    [vec![run], around()].concat()
}

#[tokio::test]
async fn a_runs_processes_belong_to_it_daemonised_and_scrubbed_or_not() {
    let yard = Yard::new();
    let spec = yard.shell(
        "trap '' HUP; echo pid=$$; (setsid env -i PATH=$PATH sh -c 'echo pid=$$; sleep 1000; true' &); read x",
    );
    let mut held = yard.start(&spec).await;
    let found = loop {
        let text = held.text();
        let found: Vec<u32> =
            text.lines().filter_map(|line| line.strip_prefix("pid=")?.trim_end().parse().ok()).collect();
        if found.len() == 2 && text.ends_with('\n') {
            break found;
        }
        held.next().await;
    };
    let mut cache = Lineages::default();
    for pid in found {
        assert_eq!(runs_of(pid).unwrap(), within(spec.run));
        assert_eq!(*cache.runs_of(pid).unwrap(), within(spec.run));
        assert_eq!(*cache.runs_of(pid).unwrap(), within(spec.run), "the second answer is the first");
    }
    let holder = held.link.handle.identity().holder_pid;
    assert_eq!(runs_of(holder).unwrap(), within(spec.run), "a holder speaks for nobody but its run");
    held.finish().await;
    support::until_dead(holder).await;
    assert!(runs_of(holder).is_err());
}

#[test]
fn a_mark_counts_in_the_process_and_in_its_ancestors() {
    let run = RunId::new(Uuid::now_v7());
    let mut child = Command::new("sh")
        .args(["-c", "env -i /bin/sh -c 'echo $$; read x'; true"])
        .env(RUN_MARK, run.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let grandchild: u32 = line.trim().parse().unwrap();
    assert_eq!(runs_of(child.id()).unwrap(), within(run));
    assert_eq!(runs_of(grandchild).unwrap(), within(run), "its parent has the mark that it lacks");
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[test]
fn a_mark_that_is_no_run_id_marks_nothing() {
    let mut child = Command::new("sleep").arg("1000").env(RUN_MARK, "not-a-run").spawn().unwrap();
    assert_eq!(runs_of(child.id()).unwrap(), around());
    child.kill().unwrap();
    child.wait().unwrap();
}
