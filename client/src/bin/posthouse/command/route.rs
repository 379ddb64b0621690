//! `posthouse route`: routes that have names, and why a session runs where it runs.

use posthouse_protocol::payload::{Route, RouteExplain, RouteResponse};

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::table::{Tone, cell, render};
use crate::{escape, when};

/// Name routes, and explain where a session runs and why
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    posthouse route set night 'codex@openai/work, codex@openai/personal, claude@anthropic/max'\n  \
    posthouse spawn builder --route night\n  \
    posthouse route explain builder --failure quota_reset")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Make a route with a name, or change it: its sessions follow from their next move on
    Set {
        /// Its name
        name: String,
        /// Mounts in order of preference, as in codex@openai/work; left out, they stay as they are
        #[arg(num_args = 0..)]
        mounts: Vec<String>,
        /// Whether it may lead from a subscription to a key that is billed by use
        #[arg(long, value_parser = ["ask", "allow"])]
        cost: Option<String>,
    },
    /// List the routes that have names
    Ls,
    /// Forget a route on which no session runs
    Rm {
        /// Its name
        name: String,
    },
    /// Let one session go on where it is billed by use
    Allow {
        /// The session
        session: String,
    },
    /// The reasoning behind the last move, or behind a supposed failure
    Explain {
        /// The session
        name: String,
        /// A failure class to suppose
        #[arg(long, value_name = "CLASS")]
        failure: Option<String>,
    },
}

/// Asks and prints.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    let request = match args.what {
        What::Explain { name, failure } => return explain(context, name, failure).await,
        What::Set { name, mounts, cost } => {
            let mounts = (!mounts.is_empty()).then(|| mounts.join(", "));
            Route::Set { name, mounts, cost }
        }
        What::Ls => Route::List,
        What::Rm { name } => Route::Remove { name },
        What::Allow { session } => Route::Allow { session },
    };
    let lists = matches!(request, Route::List);
    let mut client = context.connect().await?;
    let answer = client.call(&request).await?;
    if context.json {
        context.print_json(&answer)?;
        return Ok(Exit::Done);
    }
    if let Some(message) = &answer.message {
        context.print(&escape::line(message))?;
    }
    if lists {
        list(context, &answer)?;
    }
    Ok(Exit::Done)
}

fn list(context: &Context, answer: &RouteResponse) -> Result<(), Failure> {
    if answer.routes.is_empty() {
        return context.print("no routes; make one with: posthouse route set night 'codex@openai/work, …'");
    }
    let row = |route: &posthouse_protocol::payload::RouteInfo| {
        vec![
            cell(escape::line(&route.name)),
            cell(route.mounts.join(", ")),
            cell(route.cost.clone()),
            cell(route.sessions.join(", ")),
        ]
    };
    let rows: Vec<_> = answer.routes.iter().map(row).collect();
    context.print(&render(context.paint(), &["ROUTE", "MOUNTS", "COST", "SESSIONS"], &rows))
}

async fn explain(context: &Context, name: String, failure: Option<String>) -> Result<Exit, Failure> {
    let mut client = context.connect().await?;
    let answer = client.call(&RouteExplain { name, failure }).await?;
    if context.json {
        context.print_json(&answer)?;
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = answer
        .mounts
        .iter()
        .map(|mount| {
            let state = match (mount.current, mount.usable) {
                (true, _) => (Tone::Good, "runs here"),
                (false, true) => (Tone::Plain, "usable"),
                (false, false) => (Tone::Warn, "not now"),
            };
            let until =
                mount.until.as_deref().map(|u| format!(" until {}", when::local(u))).unwrap_or_default();
            vec![
                cell(escape::line(&mount.mount)),
                (state.0, state.1.to_owned()),
                cell(escape::line(&mount.reason) + &until),
            ]
        })
        .collect();
    context.print(&render(context.paint(), &["MOUNT", "STATE", "WHY"], &rows))?;
    for line in &answer.lines {
        context.print(&escape::line(line))?;
    }
    Ok(Exit::Done)
}
