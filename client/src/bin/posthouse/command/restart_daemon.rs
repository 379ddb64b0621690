//! `posthouse restart-daemon`: the daemon runs its program anew, as after an upgrade.

use std::time::{Duration, Instant};

use posthouse_client::ClientError;
use posthouse_protocol::Later;
use posthouse_protocol::payload::{Shutdown, Status, StatusResponse};

use crate::context::Context;
use crate::exit::{Exit, Failure};

/// How long the new daemon may take to answer.
const LIMIT: Duration = Duration::from_secs(30);

/// Have the daemon run its program anew; sessions and queued messages stay
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cargo install --path daemon && posthouse restart-daemon")]
pub struct Args {}

/// Restarts it and waits until the new one answers.
pub async fn run(context: &Context, _: Args) -> Result<Exit, Failure> {
    let mut client = context.connect_running().await?;
    let before = client.welcome().daemon.generation;
    client.call_within(&Shutdown { release_all: false, restart: Later(Some(true)) }, LIMIT).await?;
    let begun = Instant::now();
    loop {
        match tokio::time::timeout(LIMIT, client.next()).await {
            Ok(Ok(_)) => {}
            Ok(Err(ClientError::Closed { .. } | ClientError::Io(_) | ClientError::Framing(_))) => break,
            Ok(Err(e)) => return Err(e.into()),
            Err(_) => return Err(Failure::new(Exit::TimedOut, "see the daemon end in time")),
        }
    }
    // The socket stays open over the restart: the next connection waits for the new daemon.
    let mut client = context.connect_running().await?;
    let after = client.welcome().daemon.generation;
    let status: StatusResponse = client.call(&Status {}).await?;
    if after <= before {
        let message = format!("restart the daemon: it is still the same one (generation {before})");
        return Err(Failure::new(Exit::Failed, message));
    }
    if context.json {
        context.print_json(&status)?;
    } else {
        context.print(&format!(
            "posthoused {} took over after {:.1} s (pid {}, {} sessions)",
            status.version,
            begun.elapsed().as_secs_f32(),
            status.pid,
            status.sessions
        ))?;
    }
    Ok(Exit::Done)
}
