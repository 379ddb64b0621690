//! `posthouse man`: manual pages, one per verb.

use std::path::PathBuf;

use clap::CommandFactory;

use crate::exit::{Exit, Failure};

/// Write the manual pages into a directory
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  posthouse man ~/.local/share/man/man1")]
pub struct Args {
    /// Where to; it is made if need be
    dir: PathBuf,
}

/// Writes `posthouse.1` and a page per verb.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let failed = |e: std::io::Error| Failure::new(Exit::Failed, format!("write {}: {e}", args.dir.display()));
    std::fs::create_dir_all(&args.dir).map_err(failed)?;
    clap_mangen::generate_to(crate::Cli::command(), &args.dir).map_err(failed)?;
    Ok(Exit::Done)
}
