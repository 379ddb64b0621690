//! `posthouse acp`: a session as an agent of the Agent Client Protocol, for Zed and other editors, on standard input
//! and output.
//!
//! [`agent`] takes the editor's requests and [`telling`] tells it what goes on; [`turn`] decides when a prompt has ended.
//! [`rpc`] reads and writes JSON-RPC, [`content`] puts what was said into the protocol's words, and [`daemon`] keeps the
//! connection.

mod agent;
mod content;
mod daemon;
mod rpc;
mod telling;
mod turn;

use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Let an editor work with a session, over the Agent Client Protocol
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    posthouse acp builder                    # the session `builder`, which runs\n  \
    posthouse acp helper --harness claude    # starts it where the editor works, if there is none\n\n\
    In Zed's settings:\n  \
    \"agent_servers\": {\"builder\": {\"command\": \"posthouse\", \"args\": [\"acp\", \"builder\"]}}")]
pub struct Args {
    /// The session
    name: String,
    /// Start it on this harness if there is none of that name
    #[arg(long, value_name = "H")]
    harness: Option<String>,
    /// Start it on this route if there is none of that name
    #[arg(long, value_name = "R")]
    route: Option<String>,
    /// Your word that the editor's folder may be trusted, if it is started
    #[arg(long)]
    trust: bool,
}

/// Serves one editor until it closes standard input.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    agent::Agent::new(context, args).serve().await?;
    Ok(Exit::Done)
}
