//! `posthouse token`: prints a key, for programs that take one from a command.

use std::io::Write;
use std::time::Duration;

use posthouse_protocol::payload::{Token, TokenResponse};
use tokio::time::{Instant, sleep, timeout_at};

use crate::context::Context;
use crate::exit::{Exit, Failure};

/// How long a program that waits for a key is kept waiting at most.
const PATIENCE: Duration = Duration::from_secs(4);
/// The same for a harness, which has the provider asked about its key meanwhile: its definition allows some more.
const PATIENCE_FOR_RUN: Duration = Duration::from_secs(10);
/// How soon a daemon that was not there is tried again.
const AGAIN: Duration = Duration::from_millis(250);
/// Printed where there is no key for a run. Harnesses send their request without a key if they get none, or with an
/// empty one; this one is refused by every provider, and seen in its answer.
const NO_KEY: &str = "posthouse-has-no-key";

/// Print a key, and nothing else
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    posthouse token openai/key                 # for a gateway or a script of yours\n  \
    posthouse token --format header            # inside a session: the key that its run is on\n  \
    posthouse token --for-run                  # how harnesses ask: always prints something")]
pub struct Args {
    /// provider/alias [default inside a session: what its run is on]
    name: Option<String>,
    /// raw: the key; header: an Authorization header; json: `{credential, token}`
    #[arg(long, value_parser = ["raw", "json", "header"], default_value = "raw")]
    format: String,
    /// As the key helper of a harness in a session: waits for a daemon that restarts, and prints a key that no provider
    /// takes where there is none, so that the harness fails in a way that is understood
    #[arg(long, conflicts_with_all = ["name", "format"])]
    for_run: bool,
}

/// Prints it. Without a key nothing is printed on standard output: an empty key would be sent as one. Starts no daemon.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    if args.for_run {
        return for_run(context).await;
    }
    let within = Instant::now() + PATIENCE;
    let answer = ask(context, args.name, within).await?;
    let format = if context.json { "json" } else { args.format.as_str() };
    match format {
        "json" => context.print_json(&answer)?,
        "header" => context.print(&format!("Authorization: Bearer {}", answer.token))?,
        _ => line(&answer.token)?,
    }
    Ok(Exit::Done)
}

async fn for_run(context: &Context) -> Result<Exit, Failure> {
    let within = Instant::now() + PATIENCE_FOR_RUN;
    let key = loop {
        match ask(context, None, within).await {
            Err(failure) if failure.exit == Exit::NoDaemon && Instant::now() + AGAIN < within => {
                sleep(AGAIN).await;
            }
            outcome => break outcome,
        }
    };
    match key {
        Ok(answer) => line(&answer.token)?,
        Err(failure) => {
            context.report(&failure);
            line(NO_KEY)?;
        }
    }
    Ok(Exit::Done)
}

async fn ask(
    context: &Context,
    credential: Option<String>,
    within: Instant,
) -> Result<TokenResponse, Failure> {
    let asked = async {
        let mut client = context.connect_running().await?;
        let left = within.saturating_duration_since(Instant::now());
        Ok::<_, Failure>(client.call_within(&Token { credential }, left).await?)
    };
    let late = |_| Failure::new(Exit::TimedOut, "get a key: the daemon did not answer in time");
    timeout_at(within, asked).await.map_err(late)?
}

/// Exactly the key and a line end, for a program that reads it.
fn line(key: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    Ok(writeln!(out, "{key}").and_then(|()| out.flush())?)
}
