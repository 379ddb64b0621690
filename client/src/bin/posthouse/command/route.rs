//! `posthouse route explain`: why a session runs where it runs.

use posthouse_protocol::payload::RouteExplain;

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::table::{Tone, cell, render};
use crate::{escape, when};

/// Explain where a session runs and why
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  posthouse route explain builder\n  posthouse route explain builder --failure quota_reset"
)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The reasoning behind the last move, or behind a supposed failure
    Explain {
        /// The session
        name: String,
        /// A failure class to suppose
        #[arg(long, value_name = "CLASS")]
        failure: Option<String>,
    },
}

/// Asks and prints.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    let What::Explain { name, failure } = args.what;
    let mut client = context.connect().await?;
    let answer = client.call(&RouteExplain { name, failure }).await?;
    if context.json {
        context.print_json(&answer)?;
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = answer
        .mounts
        .iter()
        .map(|mount| {
            let state = match (mount.current, mount.usable) {
                (true, _) => (Tone::Good, "runs here"),
                (false, true) => (Tone::Plain, "usable"),
                (false, false) => (Tone::Warn, "not now"),
            };
            let until =
                mount.until.as_deref().map(|u| format!(" until {}", when::local(u))).unwrap_or_default();
            vec![
                cell(escape::line(&mount.mount)),
                (state.0, state.1.to_owned()),
                cell(escape::line(&mount.reason) + &until),
            ]
        })
        .collect();
    context.print(&render(context.paint(), &["MOUNT", "STATE", "WHY"], &rows))?;
    for line in &answer.lines {
        context.print(&escape::line(line))?;
    }
    Ok(Exit::Done)
}
