//! `posthouse failure classify`: what the daemon would make of an observation.

use std::process::{Command, Stdio};

use posthouse_client::launch;

use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Classify failures
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  posthouse failure classify --json < cases.jsonl")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Read observations from standard input, one JSON object a line, and print one JSON line for each:
    /// {id, class, action, failover, scope, until, evidence, corroborated}
    Classify,
}

/// The rules are the daemon's, and so is the program that applies them; no daemon has to run for it.
pub fn run(_: &Context, args: Args) -> Result<Exit, Failure> {
    let What::Classify = args.what;
    let program = launch::daemon_program();
    let status = Command::new(&program)
        .arg("classify")
        .stdin(Stdio::inherit())
        .status()
        .map_err(|e| Failure::new(Exit::NoDaemon, format!("run {}: {e}", program.display())))?;
    match status.code() {
        Some(0) => Ok(Exit::Done),
        Some(2) => Ok(Exit::Usage),
        _ => Ok(Exit::Failed),
    }
}
