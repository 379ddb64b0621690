//! `posthouse up`: a daemon runs, and says where.

use posthouse_protocol::payload::Status;

use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Start the daemon if none runs
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  posthouse up")]
pub struct Args {}

/// Starts the daemon if need be.
pub async fn run(context: &Context, _: Args) -> Result<Exit, Failure> {
    let mut client = context.connect().await?;
    let status = client.call(&Status {}).await?;
    if context.json {
        context.print_json(&status)?;
    } else {
        context.print(&format!(
            "posthoused {} runs (pid {}, {} sessions) at {}",
            status.version, status.pid, status.sessions, status.socket
        ))?;
    }
    Ok(Exit::Done)
}
