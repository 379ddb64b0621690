//! `posthouse interrupt`: stops what a session is doing.

use posthouse_protocol::payload::Interrupt;

use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Stop the turn that a session is in
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  posthouse interrupt builder")]
pub struct Args {
    /// The session
    name: String,
}

/// Has the harness's own keys for it pressed.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    let mut client = context.connect().await?;
    let answer = client.call(&Interrupt { name: args.name }).await?;
    if context.json {
        context.print_json(&answer)?;
    } else {
        context.print(&format!("{} was told to stop", answer.name))?;
    }
    Ok(Exit::Done)
}
