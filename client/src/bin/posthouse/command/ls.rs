//! `posthouse ls`: the sessions, and what troubles them.

use posthouse_protocol::payload::{ListSessions, Restarts, SessionInfo};

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::table::{Cell, Tone, cell, render};
use crate::{escape, when};

/// List sessions
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  posthouse ls --json | jq -r '.sessions[] | \"\\(.name) \\(.state)\"'")]
pub struct Args {
    /// Only this one
    name: Option<String>,
}

/// Asks and prints.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    let mut client = context.connect().await?;
    let answer = client.call(&ListSessions { name: args.name }).await?;
    if context.json {
        context.print_json(&answer)?;
        return Ok(Exit::Done);
    }
    if answer.sessions.is_empty() {
        context.print("no sessions; start one with: posthouse spawn NAME --harness codex")?;
        return Ok(Exit::Done);
    }
    let paint = context.paint();
    let now = when::now_ms();
    let rows: Vec<Vec<Cell>> = answer.sessions.iter().map(|session| row(session, now)).collect();
    let head = ["NAME", "STATE", "SINCE", "PID", "MOUNT", "QUEUED", "WORKS IN"];
    context.print(&render(paint, &head, &rows))?;
    for session in &answer.sessions {
        for line in notes(session) {
            context.print(&paint.tone(Tone::Warn, &line))?;
        }
    }
    Ok(Exit::Done)
}

fn row(session: &SessionInfo, now: u64) -> Vec<Cell> {
    let tone = match session.state.as_str() {
        "ready" | "busy" | "running" => Tone::Good,
        "blocked" | "parked" | "moving" | "restarting" | "starting" | "ending" => Tone::Warn,
        "failed" => Tone::Bad,
        _ => Tone::Dim,
    };
    vec![
        cell(escape::line(&session.name)),
        (tone, escape::line(&session.state)),
        cell(when::ago(session.state_since, now)),
        cell(session.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string())),
        cell(escape::line(&session.mount)),
        cell(session.queued.to_string()),
        cell(escape::line(&session.cwd)),
    ]
}

/// What a person should know of a session beyond its row.
fn notes(session: &SessionInfo) -> Vec<String> {
    let name = escape::line(&session.name);
    let mut lines = Vec::new();
    if let Some(blocked) = &session.blocked {
        let message =
            blocked.message.as_deref().map(|m| format!(" ({})", escape::line(m))).unwrap_or_default();
        lines.push(format!("{name}: waits for a person: {}{message}; posthouse attach {name}", blocked.kind));
    }
    if let Some(until) = &session.until {
        lines.push(format!("{name}: parked until {}", when::local(until)));
    }
    if let Some(restarts) = session.restarts.as_ref()
        && let (Some(at), Some(last)) = (restarts.next_at, &restarts.last)
    {
        let (how, at) = (escape::line(&last.how), when::clock(at));
        let Restarts { attempts, budget, .. } = restarts;
        lines.push(format!("{name}: ended ({how}); it is started again at {at}, {attempts} of {budget}"));
    }
    if let Some(exit) =
        session.exit.as_deref().filter(|_| matches!(session.state.as_str(), "exited" | "failed"))
    {
        lines.push(format!("{name}: {}", escape::line(exit)));
    }
    if let Some(trouble) = &session.trouble {
        lines.push(format!("{name}: {}", escape::line(&trouble.message)));
        if let Some(repair) = &trouble.repair {
            lines.push(format!("{name}: to repair it: {}", escape::line(repair)));
        }
    }
    lines
}
