//! `posthouse mcp`: Posthouse for programs that speak the Model Context Protocol.

mod install;

use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Posthouse as an MCP server
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  posthouse mcp install claude")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Install(install::Args),
}

/// Does it.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    match args.what {
        What::Install(args) => install::run(context, &args),
    }
}
