//! `posthouse spawn`: a new session.

use std::time::Duration;

use posthouse_protocol::code::Code;
use posthouse_protocol::payload::{RestartPolicy, Spawn, SpawnResult};
use posthouse_protocol::{ErrorCode, Later};

use super::launching::{Launching, usage};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::{escape, progress};

/// Start a session
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    posthouse spawn builder --harness codex --cwd ~/src/app --task 'fix the build'\n  \
    posthouse spawn builder --route 'codex@openai/work, codex@openai/personal, claude@anthropic/max'\n  \
    posthouse spawn shell --harness generic -- bash -l")]
pub struct Args {
    /// The session's name
    name: String,
    #[command(flatten)]
    launching: Launching,
    /// The first prompt
    #[arg(long, value_name = "T")]
    task: Option<String>,
    /// Start it again when its harness ends: on-failure (a code that is not 0, a signal, a holder that died), or always
    #[arg(long, value_name = "WHEN", value_parser = ["never", "on-failure", "always"], default_value = "never")]
    restart: String,
    /// A group it belongs to
    #[arg(long, value_name = "NAME")]
    team: Option<String>,
    /// Answer once it is ready for input, at the latest after this time
    #[arg(long, value_name = "TIME", value_parser = crate::when::duration, num_args = 0..=1, default_missing_value = "60s")]
    wait_ready: Option<Duration>,
    /// The command of a generic session, or more arguments for the harness
    #[arg(last = true, value_name = "CMD")]
    command: Vec<String>,
}

/// Starts it and prints its process.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    let mut launching = args.launching;
    if launching.harness.is_none() && launching.route.is_none() {
        if args.command.is_empty() {
            return Err(usage("choose a harness: give --harness, --route, or a command after --"));
        }
        launching.harness = Some("generic".to_owned());
    }
    let wait = args.wait_ready.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    let restart = RestartPolicy::from_word(&args.restart);
    let request = Spawn {
        task: args.task,
        team: args.team,
        args: args.command,
        wait_ready_ms: wait,
        restart: Later((restart != RestartPolicy::Never).then_some(restart)),
        ..launching.request(args.name)?
    };
    let mut client = context.connect().await?;
    let deadline = Duration::from_secs(60) + args.wait_ready.unwrap_or_default();
    let what = format!("starting {}", escape::line(&request.name));
    let result = progress::while_waiting(&what, client.call_within(&request, deadline)).await?;
    let result = started(result)?;
    if context.json {
        context.print_json(&result)?;
    } else {
        let pid = result.pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
        context.print(&format!("{} runs on {}{pid}", result.name, result.mount.unwrap_or_default()))?;
    }
    Ok(Exit::Done)
}

/// A session that did not start is a failure with the daemon's own reason.
pub fn started(result: SpawnResult) -> Result<SpawnResult, Failure> {
    if result.success {
        return Ok(result);
    }
    let code = result.code.as_deref().map(ErrorCode::from_word);
    let message = result.error.unwrap_or_else(|| "start it: the daemon gave no reason".to_owned());
    let exit = match code {
        Some(ErrorCode::Forbidden) => Exit::NotAllowed,
        _ => Exit::Failed,
    };
    Err(Failure { exit, code, message })
}
