//! `posthouse mcp`: Posthouse for programs that speak the Model Context Protocol.

mod install;

use crate::bridge;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Posthouse as an MCP server on standard input and output
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(
    after_help = "Examples:\n  posthouse mcp install claude   # has the editor or harness start it\n  \
                        posthouse mcp --name zed       # what it then starts"
)]
pub struct Args {
    /// The name to go by [default: the session's own inside of one, else $POSTHOUSE_NAME or the login name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Tell claude of messages by events of its channels; it takes them if it was started with
    /// `--dangerously-load-development-channels server:posthouse`
    #[arg(long)]
    channel: bool,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Install(install::Args),
}

/// Does it.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    match args.what {
        Some(What::Install(args)) => install::run(context, &args),
        None => bridge::serve(context, args.name, args.channel).await,
    }
}
