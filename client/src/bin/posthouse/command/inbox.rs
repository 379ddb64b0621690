//! `posthouse inbox`: messages kept for a name.

use std::time::Duration;

use posthouse_protocol::Later;
use posthouse_protocol::payload::{Inbox, InboxMessage};

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::table::{Tone, cell, render};
use crate::{escape, when};

/// Show the messages kept for you
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  posthouse inbox --unread\n  posthouse inbox --unread --take   # read them and have them marked as delivered\n  posthouse inbox --unread --wait 10m --take\n  posthouse inbox --of builder"
)]
pub struct Args {
    /// Another name's inbox
    #[arg(long, value_name = "NAME")]
    of: Option<String>,
    /// Only what has not been delivered
    #[arg(long)]
    unread: bool,
    /// Only from this sender
    #[arg(long, value_name = "NAME")]
    from: Option<String>,
    /// Only of this channel
    #[arg(long, value_name = "#CHANNEL")]
    channel: Option<String>,
    /// Most messages
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    /// Wait until there is one, but no longer than this (10 min at most)
    #[arg(long, value_name = "TIME", value_parser = when::duration)]
    wait: Option<Duration>,
    /// Take the undelivered ones that are shown: they count as delivered to you
    #[arg(long, conflicts_with = "of")]
    take: bool,
    /// Whole texts instead of a line each
    #[arg(long)]
    full: bool,
}

/// Asks and prints; with `--take`, claims and acknowledges what it printed.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    let mut client = context.connect().await?;
    let request = Inbox {
        agent: args.of,
        limit: Some(args.limit),
        unread_only: args.unread.then_some(true),
        from: args.from,
        channel: args.channel,
        wait_ms: Later(args.wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))),
        except: Later(None),
    };
    let deadline = Duration::from_secs(30) + args.wait.unwrap_or_default();
    let answer = client.call_within(&request, deadline).await?;
    if context.json {
        context.print_json(&answer)?;
    } else if args.full {
        for message in &answer.messages {
            let head = format!(
                "{} {} {} ({})",
                message.id,
                when::clock(message.timestamp),
                message.from,
                message.state
            );
            context.print(&context.paint().tone(Tone::Head, &escape::line(&head)))?;
            context.print(&format!("{}\n", escape::block(&message.body)))?;
        }
    } else if answer.messages.is_empty() {
        context.print("no messages")?;
    } else {
        let rows: Vec<_> = answer.messages.iter().map(row).collect();
        context.print(&render(context.paint(), &["WHEN", "FROM", "STATE", "MESSAGE"], &rows))?;
        if answer.truncated {
            context.print("older messages were left out; ask for more with --limit")?;
        }
    }
    if args.take {
        for message in answer.messages.iter().filter(|message| !message.state.is_terminal(false)) {
            let claim = client.take(&message.id).await?;
            if !claim.claimed {
                eprintln!("posthouse: {} was not taken: {}", message.id, claim.reason.unwrap_or_default());
            }
        }
    }
    Ok(Exit::Done)
}

fn row(message: &InboxMessage) -> Vec<crate::table::Cell> {
    let tone = if message.state.is_terminal(false) { Tone::Dim } else { Tone::Warn };
    let from = match &message.channel {
        Some(channel) => format!("{} {channel}", message.from),
        None => message.from.clone(),
    };
    let reason = message.reason.as_deref().map(|r| format!(": {r}")).unwrap_or_default();
    vec![
        cell(when::clock(message.timestamp)),
        cell(escape::line(&from)),
        (tone, escape::brief(&format!("{}{reason}", message.state), 40)),
        cell(escape::brief(&message.body, 80)),
    ]
}
