//! `posthouse release`: a session ends with all it started.

use std::time::Duration;

use posthouse_protocol::ErrorCode;
use posthouse_protocol::payload::Release;

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::{escape, progress};

/// End a session and everything it started
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  posthouse release builder --reason 'work is merged'")]
pub struct Args {
    /// The session
    name: String,
    /// Why, for the events
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Time it has to end by itself
    #[arg(long, value_name = "TIME", value_parser = crate::when::duration, default_value = "5s")]
    grace: Duration,
}

/// Ends it and waits for the proof that nothing of it is left.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    let mut client = context.connect().await?;
    let grace_ms = u64::try_from(args.grace.as_millis()).unwrap_or(u64::MAX);
    let request = Release { name: args.name, reason: args.reason, grace_ms: Some(grace_ms) };
    let what = format!("ending {}", escape::line(&request.name));
    let ended = client.call_within(&request, args.grace + Duration::from_secs(30));
    let result = progress::while_waiting(&what, ended).await?;
    if !result.success {
        let code = result.code.as_deref().map(<ErrorCode as posthouse_protocol::code::Code>::from_word);
        let exit = if code == Some(ErrorCode::Forbidden) { Exit::NotAllowed } else { Exit::Failed };
        let message = result.error.unwrap_or_else(|| "end it: the daemon gave no reason".to_owned());
        return Err(Failure { exit, code, message });
    }
    if context.json {
        context.print_json(&result)?
    } else {
        context.print(&format!("{} is gone", result.name))?
    }
    Ok(Exit::Done)
}
