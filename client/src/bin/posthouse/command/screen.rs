//! `posthouse screen`: what a session shows now.

use std::io::Write;

use posthouse_protocol::payload::Screen;

use crate::context::Context;
use crate::escape;
use crate::exit::{Exit, Failure};

/// Print what a session's terminal shows
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  posthouse screen builder")]
pub struct Args {
    /// The session
    name: String,
    /// With colours, as escape sequences
    #[arg(long)]
    ansi: bool,
}

/// Asks and prints.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    let mut client = context.connect().await?;
    let answer = client.call(&Screen { name: args.name, ansi: args.ansi.then_some(true) }).await?;
    if context.json {
        context.print_json(&answer)?;
    } else if let Some(ansi) = answer.ansi {
        let mut out = std::io::stdout().lock();
        out.write_all(&ansi.0)?;
        out.write_all(b"\x1b[0m\n")?;
    } else {
        let rows: Vec<String> = answer.rows.iter().map(|row| escape::line(row)).collect();
        context.print(rows.join("\n").trim_end())?;
    }
    Ok(Exit::Done)
}
