//! `posthouse down`: the daemon ends; sessions go on unless told otherwise.

use std::time::Duration;

use posthouse_client::ClientError;
use posthouse_protocol::Later;
use posthouse_protocol::payload::{Shutdown, ShutdownResponse};

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::progress;

/// Stop the daemon and leave its sessions running
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  posthouse down                # sessions go on; `posthouse up` takes them back\n  \
                        posthouse down --release-all  # ends them first"
)]
pub struct Args {
    /// End every session first
    #[arg(long)]
    release_all: bool,
}

/// Stops the daemon and waits until it is gone.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    let mut client = match context.connect_running().await {
        Err(failure) if failure.exit == Exit::NoDaemon => {
            let nothing = ShutdownResponse::default();
            if context.json {
                context.print_json(&nothing)?
            } else {
                context.print("no daemon runs")?
            }
            return Ok(Exit::Done);
        }
        other => other?,
    };
    let request = Shutdown { release_all: args.release_all, restart: Later(None) };
    let ended = client.call_within(&request, Duration::from_secs(60));
    let done = progress::while_waiting("stopping the daemon", ended).await?;
    // The end of the stream is the end of the daemon's hold on its state directory.
    loop {
        match tokio::time::timeout(Duration::from_secs(20), client.next()).await {
            Ok(Ok(_)) => {}
            Ok(Err(ClientError::Closed { .. } | ClientError::Io(_) | ClientError::Framing(_))) => break,
            Ok(Err(e)) => return Err(e.into()),
            Err(_) => return Err(Failure::new(Exit::TimedOut, "see the daemon end within 20 s")),
        }
    }
    if context.json {
        context.print_json(&done)?;
    } else {
        let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        context.print(&format!(
            "daemon stopped; sessions left running: {}; released: {}",
            list(&done.left_running),
            list(&done.released)
        ))?;
    }
    Ok(Exit::Done)
}
