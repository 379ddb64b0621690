//! What a durable acknowledgement costs here. Prints its figures (`--nocapture`); it fails only if nothing moves.

use std::fs::File;
use std::io::Write;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use posthouse_protocol::ReceiptState;
use posthoused::journal::*;

use crate::build::*;

/// In debug builds this only checks that the bench works.
const MESSAGES: u64 = if cfg!(debug_assertions) { 3_200 } else { 320_000 };
const ROUND_TRIPS: u64 = if cfg!(debug_assertions) { 50 } else { 2_000 };

/// Messages of one turn of post, which submits them together.
const TURN: u64 = 32;

#[test]
fn acknowledgements_per_second() {
    for (in_flight, deliver) in [(256, false), (256, true), (1024, false)] {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path());
        let writer = journal.writer();
        let (done, outcomes) = mpsc::channel();
        let started = Instant::now();
        let (mut sent, mut acknowledged) = (0, 0);
        while acknowledged < MESSAGES {
            while sent < MESSAGES && sent - acknowledged < in_flight {
                let turn = sent..sent + TURN;
                let done = done.clone();
                let done = Done::notify(move |outcome| done.send(outcome).unwrap());
                writer.submit(turn.map(accept).collect(), Durability::Durable, done).unwrap();
                sent += TURN;
            }
            outcomes.recv_timeout(Duration::from_secs(30)).unwrap().unwrap();
            if deliver {
                let turn = acknowledged..acknowledged + TURN;
                let delivered = turn.map(|n| advance(n, "bob", ReceiptState::Delivered)).collect();
                writer.submit(delivered, Durability::Relaxed, Done::None).unwrap();
            }
            acknowledged += TURN;
        }
        let rate = MESSAGES as f64 / started.elapsed().as_secs_f64();
        let cost = writer_cpu().as_secs_f64() * 1e6 / MESSAGES as f64;
        println!(
            "durable acks, {in_flight} in flight, deliver {deliver}: {rate:.0}/s, writer's CPU {cost:.2} µs each"
        );
        journal.close();
    }
}

#[test]
fn one_in_flight_against_a_bare_fdatasync() {
    let dir = tempfile::tempdir().unwrap();
    let mut raw = File::create(dir.path().join("raw")).unwrap();
    let journal = open(dir.path());
    let writer = journal.writer();
    let (mut bare, mut acks) = (Vec::new(), Vec::new());
    for n in 0..ROUND_TRIPS {
        let started = Instant::now();
        raw.write_all(&[0; 300]).unwrap();
        raw.sync_data().unwrap();
        bare.push(started.elapsed());
        let started = Instant::now();
        commit(&writer, vec![accept(n)]).unwrap();
        acks.push(started.elapsed());
    }
    bare.sort();
    acks.sort();
    let at = |sorted: &[Duration], part: f64| sorted[(sorted.len() as f64 * part) as usize];
    for part in [0.5, 0.99] {
        let (bare, ack) = (at(&bare, part), at(&acks, part));
        let ratio = ack.as_secs_f64() / bare.as_secs_f64();
        println!("one in flight, p{}: {ack:?}, bare fdatasync {bare:?}, ratio {ratio:.2}", part * 100.0);
    }
}

/// Time that the writer's thread has spent on a CPU, which other load on the machine hardly changes.
fn writer_cpu() -> Duration {
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        if std::fs::read_to_string(task.join("comm")).unwrap().trim() == "journal-writer" {
            let stat = std::fs::read_to_string(task.join("schedstat")).unwrap();
            return Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap());
        }
    }
    Duration::ZERO
}
