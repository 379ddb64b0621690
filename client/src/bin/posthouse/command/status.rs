//! `posthouse status`: how the daemon is.

mod check;

use posthouse_protocol::payload::Status;

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::table::{Tone, cell, render};

/// Show how the daemon is
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  posthouse status --json\n  posthouse status --check")]
pub struct Args {
    /// Ask every provider about its logins and keys now, and show those
    #[arg(long)]
    check: bool,
}

/// Asks and prints. Does not start a daemon: exit code 4 says that none runs.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    if args.check {
        return check::run(context).await;
    }
    let mut client = context.connect_running().await?;
    let status = client.call(&Status {}).await?;
    if context.json {
        context.print_json(&status)?;
        return Ok(Exit::Done);
    }
    let journal = match (&status.storage.error, status.storage.can_write) {
        (None, true) => (Tone::Good, status.storage.driver.clone()),
        (error, _) => (Tone::Bad, error.clone().unwrap_or_else(|| "read-only".to_owned())),
    };
    let rows = vec![
        vec![
            cell("daemon"),
            cell(format!("{} (pid {}, generation {})", status.version, status.pid, status.generation)),
        ],
        vec![cell("up"), cell(crate::when::ago(0, status.uptime))],
        vec![cell("socket"), cell(status.socket)],
        vec![cell("state"), cell(status.home)],
        vec![cell("journal"), journal],
        vec![cell("sessions"), cell(status.sessions.to_string())],
        vec![
            cell("names"),
            cell(format!("{} reachable, {} connections", status.agent_count, status.connections)),
        ],
        vec![cell("waiting"), cell(format!("{} messages", status.queued))],
    ];
    context.print(&render(context.paint(), &["WHAT", "STATE"], &rows))?;
    Ok(Exit::Done)
}
