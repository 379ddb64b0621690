//! `posthouse completions`: completion scripts for shells.

use clap::CommandFactory;

use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  posthouse completions bash > ~/.local/share/bash-completion/completions/posthouse"
)]
pub struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

/// Prints it.
pub fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::Cli::command(), "posthouse", &mut script);
    context.print(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Exit::Done)
}
