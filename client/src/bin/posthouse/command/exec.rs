//! `posthouse exec`: one task, done by whichever login or provider can do it, and its answer on standard output.

use std::io::{IsTerminal, Read};
use std::time::Duration;

use posthouse_client::ClientError;
use posthouse_protocol::Later;
use posthouse_protocol::payload::{Outcome, OutcomeResponse, Release, Spawn};
use tokio::signal::unix::{SignalKind, signal};

use super::launching::{Launching, usage};
use super::spawn;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::{escape, progress, when};

/// How long one look at the task may take.
const LOOK: Duration = Duration::from_secs(60);
/// How long a daemon that restarts may take to be there again.
const RESTART: Duration = Duration::from_secs(30);
const RESTART_PAUSE: Duration = Duration::from_millis(200);

/// Failure classes that only a person at the provider ends.
const NEED_A_LOGIN: [&str; 5] =
    ["relogin_required", "token_revoked", "invalid_key", "refresh_reused", "account_mismatch"];

/// Do one task without a terminal, and print the answer
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The harness runs in its own mode for scripts, as a session that is gone once the task is over. What fails \
    for want of a login or a quota goes on where the route says; what happens meanwhile is told on standard error. \
    Exit codes: 0 done, 1 failed, 3 a login is needed, 7 the time ran out.\n\nExamples:\n  \
    posthouse exec --harness codex 'what does this repository do?'\n  \
    posthouse exec --route night --timeout 2h --trust 'fix the build' > answer.txt\n  \
    git diff | posthouse exec --harness claude -"
)]
pub struct Args {
    /// The prompt; `-` reads it from standard input
    prompt: String,
    #[command(flatten)]
    launching: Launching,
    /// The session's name, by which it can be watched meanwhile [default: a new one]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Give up after this time, with exit code 7 [default: never]
    #[arg(long, value_name = "TIME", value_parser = when::duration)]
    timeout: Option<Duration>,
    /// Leave the session in the list when the task is over
    #[arg(long)]
    keep: bool,
    /// More arguments for the harness
    #[arg(last = true, value_name = "ARG")]
    args: Vec<String>,
}

/// Starts it, waits until it is over, and prints the answer.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    if args.launching.harness.is_none() && args.launching.route.is_none() {
        return Err(usage("choose a harness: give --harness or --route"));
    }
    let name =
        args.name.unwrap_or_else(|| format!("exec-{}", tail(&uuid::Uuid::new_v4().simple().to_string())));
    let request = Spawn {
        task: Some(prompt(args.prompt)?),
        args: args.args,
        one_shot: Later(Some(true)),
        ..args.launching.request(name.clone())?
    };
    // Before there is anything that would be left behind.
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut client = context.connect().await?;
    spawn::started(client.call_within(&request, LOOK).await?)?;
    drop(client);
    let what = format!("{} works", escape::line(&name));
    let ended = tokio::select! {
        outcome = progress::while_waiting(&what, over(context, &name)) => outcome,
        failure = late(args.timeout, &name) => Err(failure),
        _ = interrupted.recv() => Err(Failure::new(Exit::Failed, format!("finish {name}: interrupted"))),
        _ = terminated.recv() => Err(Failure::new(Exit::Failed, format!("finish {name}: terminated"))),
    };
    if !args.keep {
        release(context, &name).await;
    }
    let outcome = ended?;
    if context.json {
        context.print_json(&outcome)?;
    } else if let Some(answer) = &outcome.answer {
        context.print(&escape::block(answer))?;
        if outcome.cut {
            eprintln!("posthouse: the answer was longer; it was cut off");
        }
    }
    verdict(outcome)
}

fn tail(text: &str) -> &str {
    text.get(..8).unwrap_or(text)
}

fn prompt(given: String) -> Result<String, Failure> {
    if given != "-" {
        return Ok(given);
    }
    if std::io::stdin().is_terminal() {
        eprintln!("reading the prompt; end it with Ctrl-D");
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|e| usage(format!("read the prompt: {e}")))?;
    Ok(text)
}

/// Until the task is over, through restarts of the daemon; changes are told as they come.
async fn over(context: &Context, name: &str) -> Result<OutcomeResponse, Failure> {
    let mut known = None;
    let mut told = None;
    loop {
        let outcome = look(context, name, known.take()).await?;
        let news = outcome.trouble.as_ref().map(|trouble| escape::line(&trouble.message));
        if let Some(words) = news.as_ref().filter(|_| news != told) {
            eprintln!("posthouse: {words}");
        }
        told = news;
        if outcome.done.is_some() {
            return Ok(outcome);
        }
        if outcome.state == "parked" && outcome.until.is_none() {
            return Ok(outcome);
        }
        known = Some(outcome.known());
    }
}

/// One look, again and again while the daemon restarts.
async fn look(context: &Context, name: &str, known: Option<String>) -> Result<OutcomeResponse, Failure> {
    let wait_ms = u64::try_from(LOOK.as_millis()).ok();
    let request = Outcome { name: name.to_owned(), known, wait_ms };
    let until = tokio::time::Instant::now() + LOOK + RESTART;
    loop {
        let failure = match context.connect_running().await {
            Ok(mut client) => match client.call_within(&request, LOOK + RESTART).await {
                Ok(outcome) => return Ok(outcome),
                Err(error @ (ClientError::Refused { .. } | ClientError::Late { .. })) => {
                    return Err(error.into());
                }
                Err(error) => error.into(),
            },
            Err(failure) => failure,
        };
        if tokio::time::Instant::now() >= until {
            return Err(failure);
        }
        tokio::time::sleep(RESTART_PAUSE).await;
    }
}

async fn late(timeout: Option<Duration>, name: &str) -> Failure {
    match timeout {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
    Failure::new(Exit::TimedOut, format!("finish {name} within {:?}", timeout.unwrap_or_default()))
}

async fn release(context: &Context, name: &str) {
    let request = Release { name: name.to_owned(), reason: None, grace_ms: None };
    let released = async { Ok::<_, Failure>(context.connect_running().await?.call(&request).await?) };
    match released.await {
        Ok(result) if result.success => {}
        Ok(result) => {
            eprintln!("posthouse: {name} is left: {}", result.error.unwrap_or_default());
        }
        Err(failure) => eprintln!("posthouse: {name} is left: failed to {}", failure.message),
    }
}

/// Where the task was not done, why.
fn verdict(outcome: OutcomeResponse) -> Result<Exit, Failure> {
    if outcome.done == Some(true) {
        return Ok(Exit::Done);
    }
    let name = escape::line(&outcome.name);
    let how = outcome.how.map(|how| format!(" ({how})")).unwrap_or_default();
    let Some(trouble) = outcome.trouble else {
        return Err(Failure::new(Exit::Failed, format!("finish {name}: its harness failed{how}")));
    };
    let needs_login = NEED_A_LOGIN.contains(&trouble.class.as_str()) || outcome.state == "parked";
    let exit = if needs_login { Exit::NeedsLogin } else { Exit::Failed };
    let repair = trouble.repair.map(|repair| format!("; run: {repair}")).unwrap_or_default();
    Err(Failure::new(exit, format!("finish {name}: {}{how}{repair}", escape::line(&trouble.message))))
}
