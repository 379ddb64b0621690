//! Everything at once for a while, and what came of it: `cargo run -p posthouse-tests --bin soak -- --minutes 10`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use posthouse_tests::soak::{Options, run};

/// Run sessions, traffic, deaths and failovers for a while, and reckon up what was lost
#[derive(Debug, Parser)]
struct Args {
    /// How long there is traffic
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// How many stand-in sessions
    #[arg(long, default_value_t = 100)]
    sessions: usize,
    /// What everything is chosen by
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let Args { minutes, sessions, seed } = Args::parse();
    println!("{sessions} sessions for {minutes} min, seed {seed}");
    let time = Duration::from_secs_f64(minutes.clamp(0.1, 60.0 * 24.0) * 60.0);
    let outcome = run(Options { time, sessions: sessions.max(1), seed }).await;
    println!("{outcome}");
    let faults = outcome.faults();
    for fault in &faults {
        eprintln!("{fault}");
    }
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
