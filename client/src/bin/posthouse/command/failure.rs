//! `posthouse failure`: what the daemon would make of observations and recordings.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use posthouse_client::launch;

use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Judge failures by the daemon's rules
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    posthouse failure classify --json < cases.jsonl\n  \
    posthouse failure replay --harness codex session.tui.raw")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Read observations from standard input, one JSON object a line, and print one JSON line for each:
    /// {id, class, action, failover, scope, until, evidence, corroborated}
    Classify,
    /// Play a recording of a harness and print one JSON line for each decision, `none` included: the fields of classify,
    /// with `at` (seconds from its start) and `decision` (none, wait, rotate, next_mount, park, surface)
    Replay {
        /// Whose it is: codex, claude, gemini, opencode, or a definition of yours
        #[arg(long, value_name = "H")]
        harness: String,
        /// A headless run (headless.json), a terminal (tui.raw with its timing beside it), or a structured channel
        /// (structured.jsonl)
        file: PathBuf,
    },
}

/// The rules are the daemon's, and so is the program that applies them; no daemon has to run for it.
pub fn run(_: &Context, args: Args) -> Result<Exit, Failure> {
    let program = launch::daemon_program();
    let mut command = Command::new(&program);
    match args.what {
        What::Classify => command.arg("classify"),
        What::Replay { harness, file } => command.arg("replay").arg("--harness").arg(harness).arg(file),
    };
    let status = command
        .stdin(Stdio::inherit())
        .status()
        .map_err(|e| Failure::new(Exit::NoDaemon, format!("run {}: {e}", program.display())))?;
    match status.code() {
        Some(0) => Ok(Exit::Done),
        Some(2) => Ok(Exit::Usage),
        _ => Ok(Exit::Failed),
    }
}
