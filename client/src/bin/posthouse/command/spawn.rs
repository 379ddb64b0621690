//! `posthouse spawn`: a new session.

use std::path::PathBuf;
use std::time::Duration;

use posthouse_protocol::code::Code;
use posthouse_protocol::payload::{EnvVar, RestartPolicy, Spawn};
use posthouse_protocol::{ErrorCode, Later};

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
    /// The harness: codex, claude, gemini, opencode, generic, or a definition of yours [default: the route's first,
    /// else generic where a command is given]
    #[arg(long, value_name = "H")]
    harness: Option<String>,
    /// Mounts in order of preference: `harness@provider/alias[:model]`, separated by commas; or the name of a route
    #[arg(long, value_name = "R")]
    route: Option<String>,
    /// Whether it may go from a subscription to a key that is billed by use [default: as the route says, else ask]
    #[arg(long, value_parser = ["ask", "allow"], requires = "route")]
    cost: Option<String>,
    /// Where it works [default: here]
    #[arg(long, value_name = "D")]
    cwd: Option<PathBuf>,
    /// The first prompt
    #[arg(long, value_name = "T")]
    task: Option<String>,
    /// The model to ask for
    #[arg(long, value_name = "M")]
    model: Option<String>,
    /// Your word that the folder may be trusted
    #[arg(long)]
    trust: bool,
    /// A variable for the harness, as NAME=VALUE, or NAME to pass on your own
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Rights for the agent inside, beyond messages
    #[arg(long, value_parser = ["spawn", "release", "credentials"])]
    allow: Vec<String>,
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
    let usage = |message: String| Failure::new(Exit::Usage, message);
    let here = std::env::current_dir()?;
    let cwd = args.cwd.map_or_else(|| here.clone(), |dir| here.join(dir));
    let cwd = cwd
        .to_str()
        .ok_or_else(|| usage(format!("use {}: the path is not UTF-8", cwd.display())))?
        .to_owned();
    let harness = match (args.harness, &args.route) {
        (None, None) if args.command.is_empty() => {
            return Err(usage("choose a harness: give --harness, --route, or a command after --".to_owned()));
        }
        (None, None) => Some("generic".to_owned()),
        (harness, _) => harness,
    };
    let env = args.env.iter().map(|text| variable(text)).collect::<Result<Vec<_>, _>>().map_err(usage)?;
    let wait = args.wait_ready.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    let restart = RestartPolicy::from_word(&args.restart);
    let request = Spawn {
        task: args.task,
        team: args.team,
        cwd: Some(cwd),
        model: args.model,
        harness,
        route: match (args.route, args.cost) {
            (Some(route), Some(cost)) => Some(format!("{route}, cost={cost}")),
            (route, _) => route,
        },
        args: args.command,
        env,
        trust: args.trust.then_some(true),
        allow: args.allow,
        wait_ready_ms: wait,
        restart: Later((restart != RestartPolicy::Never).then_some(restart)),
        ..Spawn::new(args.name)
    };
    let mut client = context.connect().await?;
    let deadline = Duration::from_secs(60) + args.wait_ready.unwrap_or_default();
    let what = format!("starting {}", escape::line(&request.name));
    let result = progress::while_waiting(&what, client.call_within(&request, deadline)).await?;
    if !result.success {
        let code = result.code.as_deref().map(ErrorCode::from_word);
        let message = result.error.unwrap_or_else(|| "start it: the daemon gave no reason".to_owned());
        let exit = if code == Some(ErrorCode::Forbidden) { Exit::NotAllowed } else { Exit::Failed };
        return Err(Failure { exit, code, message });
    }
    if context.json {
        context.print_json(&result)?;
    } else {
        let pid = result.pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
        context.print(&format!("{} runs on {}{pid}", result.name, result.mount.unwrap_or_default()))?;
    }
    Ok(Exit::Done)
}

fn variable(text: &str) -> Result<EnvVar, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, value.to_owned()),
        None => (text, std::env::var(text).map_err(|e| format!("pass on {text}: {e}"))?),
    };
    if name.is_empty() {
        return Err(format!("set {text:?}: a variable has a name"));
    }
    Ok(EnvVar { name: name.to_owned(), value })
}
