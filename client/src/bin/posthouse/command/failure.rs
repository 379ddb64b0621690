//! `posthouse failure`: what the daemon would make of observations and recordings, and what it could make nothing of.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use posthouse_client::launch;
use posthouse_protocol::payload::{FailureInfo, Failures};

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::table::{cell, render};
use crate::{escape, when};

/// Judge failures by the daemon's rules
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    posthouse failure classify --json < cases.jsonl\n  \
    posthouse failure replay --harness codex session.tui.raw\n  \
    posthouse failure show 019 | posthouse failure classify")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Read observations from standard input, one JSON object a line, and print one JSON line for each:
    /// {id, class, action, failover, scope, until, evidence, corroborated}
    Classify,
    /// Play a recording of a harness and print one JSON line for each decision, `none` included: the fields of classify,
    /// with `at` (seconds from its start) and `decision` (none, wait, rotate, next_mount, park, surface)
    Replay {
        /// Whose it is: codex, claude, gemini, opencode, or a definition of yours
        #[arg(long, value_name = "H")]
        harness: String,
        /// A headless run (headless.json), a terminal (tui.raw with its timing beside it), or a structured channel
        /// (structured.jsonl)
        file: PathBuf,
    },
    /// List the failures that no rule knew: kept without secrets, to be shown to whoever can make a rule of them
    Ls,
    /// One of them, as a line that `classify` reads
    Show {
        /// Its id, or the beginning of it
        id: String,
    },
}

/// Runs it.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    match args.what {
        What::Ls => list(context).await,
        What::Show { id } => show(context, id).await,
        what => judge(what),
    }
}

/// The rules are the daemon's, and so is the program that applies them; no daemon has to run for it.
fn judge(what: What) -> Result<Exit, Failure> {
    let program = launch::daemon_program();
    let mut command = Command::new(&program);
    match what {
        What::Classify => command.arg("classify"),
        What::Replay { harness, file } => command.arg("replay").arg("--harness").arg(harness).arg(file),
        What::Ls | What::Show { .. } => return Ok(Exit::Usage),
    };
    let status = command
        .stdin(Stdio::inherit())
        .status()
        .map_err(|e| Failure::new(Exit::NoDaemon, format!("run {}: {e}", program.display())))?;
    match status.code() {
        Some(0) => Ok(Exit::Done),
        Some(2) => Ok(Exit::Usage),
        _ => Ok(Exit::Failed),
    }
}

async fn list(context: &Context) -> Result<Exit, Failure> {
    let mut client = context.connect().await?;
    let answer = client.call(&Failures::default()).await?;
    if context.json {
        context.print_json(&answer)?;
        return Ok(Exit::Done);
    }
    if answer.failures.is_empty() {
        context.print("no failure was seen that no rule knew")?;
        return Ok(Exit::Done);
    }
    let row = |one: &FailureInfo| {
        let version = one.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
        let exit = one.exit.map(|code| format!(", exit {code}")).unwrap_or_default();
        vec![
            cell(escape::line(&one.id)),
            cell(when::ago(one.at, when::now_ms()) + " ago"),
            cell(escape::line(&format!("{}{version}", one.harness))),
            cell(escape::line(&format!("{}{exit}", one.channel))),
            cell(one.count.to_string()),
            cell(escape::line(&one.seen)),
        ]
    };
    let rows: Vec<_> = answer.failures.iter().map(row).collect();
    context.print(&render(
        context.paint(),
        &["ID", "LAST SEEN", "HARNESS", "SEEN BY", "TIMES", "SAID"],
        &rows,
    ))?;
    Ok(Exit::Done)
}

/// Always JSON: it is meant to be read by `classify`.
async fn show(context: &Context, id: String) -> Result<Exit, Failure> {
    let mut client = context.connect().await?;
    let answer = client.call(&Failures { id: Some(id) }).await?;
    context.print_json(&answer.case)?;
    Ok(Exit::Done)
}
