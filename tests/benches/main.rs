//! What Posthouse costs, beside what the same work costs without it: `cargo bench -p posthouse-tests`.
//!
//! Each workload is done by a baseline (a raw router on tokio, a bare terminal, a bare `fdatasync`), by Posthouse, and by
//! NATS and Redis where they are installed, in turn and several rounds long; the table has the medians. Ratios to the
//! baseline of the same run are what to read: absolute figures are this machine's, at that moment.
//!
//! `cargo bench -p posthouse-tests -- [WORDS] [--rounds N] [--quick] [--json]` measures the workloads whose titles contain
//! all the words. The exit code says only whether everything could be measured.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that can't measure has to say so"
)]

mod awake;
mod bare;
mod connection;
mod peer;
mod placed;
mod process;
mod program;
mod report;
mod router;
mod sessions;
mod stats;
mod workload;

use std::path::Path;
use std::process::Command;

use report::{Line, Section};
use workload::Workload;

/// Rounds unless told otherwise.
const ROUNDS: usize = 3;
/// The part of the usual effort that a quick run makes, in one round.
const QUICK: f64 = 0.1;

/// What the command line asks for.
#[derive(Debug)]
struct Wishes {
    words: Vec<String>,
    rounds: usize,
    share: f64,
    json: bool,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = |at: usize| Path::new(arguments.get(at).expect("a path"));
    match arguments.first().map(String::as_str) {
        Some("router") => router::serve(path(1)),
        Some("sink") => program::sink(path(1)),
        Some("flood") => program::flood(path(1), arguments[2].parse().expect("a number"), path(3)),
        Some("gorge") => program::gorge(arguments[1].parse().expect("a number"), &arguments[2]),
        Some("idle") => awake::idle(),
        Some("gulp") => program::gulp(arguments[1].parse().expect("a number")),
        _ => report(&wishes(&arguments)),
    }
}

fn wishes(arguments: &[String]) -> Wishes {
    let mut wishes = Wishes { words: Vec::new(), rounds: ROUNDS, share: 1.0, json: false };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--rounds" => {
                let rounds = arguments.next().and_then(|rounds| rounds.parse().ok());
                wishes.rounds = rounds.expect("--rounds N: a number of rounds");
            }
            "--quick" => (wishes.rounds, wishes.share) = (1, QUICK),
            "--json" => wishes.json = true,
            // What cargo adds.
            "--bench" => {}
            word => wishes.words.push(word.to_owned()),
        }
    }
    wishes
}

fn report(wishes: &Wishes) {
    build();
    let wanted = |workload: &Workload| wishes.words.iter().all(|word| workload.title.contains(word.as_str()));
    for workload in workload::all(wishes.share).into_iter().filter(wanted) {
        let section = measure(workload, wishes.rounds);
        if wishes.json {
            println!("{}", section.json());
        } else {
            println!("{}", section.table());
        }
    }
}

/// The programs that are measured, as they are released.
fn build() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--workspace", "--bins"]);
    // With `--profile dev` this only shows that everything can be measured.
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    assert!(command.status().is_ok_and(|status| status.success()), "the programs could not be built");
}

/// All contenders in turn, round after round.
fn measure(workload: Workload, rounds: usize) -> Section {
    let Workload { title, figures, mut contenders } = workload;
    let mut values: Vec<Vec<Vec<f64>>> = contenders.iter().map(|_| vec![Vec::new(); figures.len()]).collect();
    for round in 1..=rounds {
        for (contender, values) in contenders.iter_mut().zip(&mut values) {
            eprint!("\r\x1b[K{title}: {}, round {round} of {rounds}", contender.who);
            for (values, value) in values.iter_mut().zip((contender.measure)()) {
                values.push(value);
            }
        }
    }
    eprint!("\r\x1b[K");
    let lines = contenders.into_iter().zip(values).map(|(contender, values)| Line {
        who: contender.who,
        values: values.into_iter().filter(|v| !v.is_empty()).map(|mut v| stats::median(&mut v)).collect(),
        goals: contender.goals,
    });
    Section { title, lines: lines.collect(), figures }
}
