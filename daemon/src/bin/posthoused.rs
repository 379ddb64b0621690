//! The daemon's program. Without arguments it runs in the foreground.

use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use posthoused::daemon::{self, DaemonError, Options};
use posthoused::failover::cases::classify_cases;
use posthoused::harness::catalog::Catalog;
use posthoused::paths::Paths;
use posthoused::replay::{self, ReplayError};

/// Owns coding-agent sessions and carries messages between agents, people and editors.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "\
Exit codes: 0 ended as asked; 1 failed; 2 wrong usage or configuration; 3 another daemon is there already.

Example: POSTHOUSE_HOME=/tmp/trial posthoused --set log.filter=debug"
)]
struct Arguments {
    /// Reads this configuration file in place of the user's
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sets one value, over every file and variable
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    settings: Vec<String>,
    /// What to log, as in `info` or `posthoused::gate=debug`
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Leaves the terminal it was started from
    #[arg(long)]
    background: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Reads failure cases as JSON lines and writes one verdict per line; no daemon is involved
    Classify,
    /// Plays a recording of a harness and writes one line per decision; no daemon is involved
    Replay {
        /// Whose it is
        #[arg(long)]
        harness: String,
        /// The recording
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::Classify) => classify(),
        Some(Command::Replay { harness, file }) => replay(&harness, &file),
        None => run(arguments),
    }
}

fn run(arguments: Arguments) -> ExitCode {
    let mut settings = arguments.settings;
    settings.extend(arguments.log.map(|filter| format!("log.filter={filter}")));
    match daemon::run(Options { config: arguments.config, settings, background: arguments.background }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("posthoused: failed to {}", in_full(&error));
            ExitCode::from(error.exit_code())
        }
    }
}

fn classify() -> ExitCode {
    let (input, output) = (BufReader::new(io::stdin().lock()), io::stdout().lock());
    match classify_cases(input, output, Timestamp::now(), &TimeZone::system()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("posthoused: failed to classify: {error}");
            ExitCode::FAILURE
        }
    }
}

fn replay(harness: &str, file: &Path) -> ExitCode {
    let outcome = Catalog::builtin().map_err(ReplayError::from).and_then(|catalog| {
        let dirs = Paths::from_env(|name| std::env::var_os(name)).map(|paths| paths.definitions());
        let (catalog, _) = catalog.with_dirs(&dirs.unwrap_or_default());
        replay::replay(&catalog, harness, file, io::stdout().lock(), Timestamp::now(), &TimeZone::system())
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the decisions has seen enough.
        Err(ReplayError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error @ ReplayError::Output(_)) => {
            eprintln!("posthoused: failed to {error}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("posthoused: failed to {error}");
            ExitCode::from(2)
        }
    }
}

/// An error with what led to it.
fn in_full(error: &DaemonError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
