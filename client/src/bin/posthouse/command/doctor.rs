//! `posthouse doctor`: what is wrong on this host, and the command that mends it.

use posthouse_protocol::payload::{Check, Diagnose, DiagnoseResponse};

use crate::context::Context;
use crate::escape;
use crate::exit::{Exit, Failure};
use crate::table::Tone;

/// Look for what is wrong on this host
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  posthouse doctor")]
pub struct Args {}

/// Asks the daemon to look around; without one, says why there is none. Exit code 1 if a check failed.
pub async fn run(context: &Context, _: Args) -> Result<Exit, Failure> {
    let report = match context.connect().await {
        Ok(mut client) => client.call(&Diagnose {}).await?,
        Err(failure) => DiagnoseResponse {
            checks: vec![Check {
                name: "daemon".to_owned(),
                outcome: "failed".to_owned(),
                detail: format!("failed to {}", failure.message),
                fix: Some("posthouse up".to_owned()),
            }],
            more: None,
        },
    };
    let failed = report.checks.iter().any(|check| check.outcome == "failed");
    if context.json {
        context.print_json(&report)?;
    } else {
        let paint = context.paint();
        for check in &report.checks {
            let tone = match check.outcome.as_str() {
                "ok" => Tone::Good,
                "warning" => Tone::Warn,
                _ => Tone::Bad,
            };
            let outcome = paint.tone(tone, &format!("{:<8}", check.outcome));
            context.print(&format!("{outcome} {}: {}", check.name, escape::line(&check.detail)))?;
            if let Some(fix) = &check.fix {
                context.print(&format!("         fix: {}", escape::line(fix)))?;
            }
        }
    }
    Ok(if failed { Exit::Failed } else { Exit::Done })
}
