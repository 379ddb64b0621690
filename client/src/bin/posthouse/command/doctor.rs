//! `posthouse doctor`: what is wrong on this host, and the command that mends it. The daemon looks at what only it can
//! see; what only the client sees is in the files below.

mod environment;
mod prove;
mod reach;

use posthouse_protocol::payload::{Check, Diagnose, DiagnoseResponse};

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::table::Tone;
use crate::{escape, progress};

/// Look for what is wrong on this host
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  posthouse doctor\n  posthouse doctor --prove     # kills a private daemon, and shows that nothing is lost"
)]
pub struct Args {
    /// Show on this host that a killed daemon loses nothing: with a private daemon, in some seconds
    #[arg(long)]
    prove: bool,
}

/// Looks around, and has the daemon do so; starts none. Exit code 1 if a check failed.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    if args.prove {
        return prove::run(context).await;
    }
    let options = context.options()?;
    let mut checks = vec![environment::look(|name| std::env::var_os(name))];
    let mut more = None;
    match context.connect_running().await {
        Ok(mut client) => {
            checks.push(reach::version(&client.welcome().daemon.version));
            let looking = client.call(&Diagnose {});
            let found: DiagnoseResponse = progress::while_waiting("looking around", looking).await?;
            checks.extend(found.checks);
            more = found.more;
        }
        Err(failure) => checks.push(reach::unreached(&options.socket, &failure)),
    }
    let report = DiagnoseResponse { checks, more };
    let failed = report.checks.iter().any(|check| check.outcome == "failed");
    if context.json {
        context.print_json(&report)?;
    } else {
        print(context, &report.checks)?;
    }
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

fn print(context: &Context, checks: &[Check]) -> Result<(), Failure> {
    let paint = context.paint();
    for check in checks {
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
    Ok(())
}

fn check(name: &str, outcome: &str, detail: String, fix: Option<String>) -> Check {
    Check { name: name.to_owned(), outcome: outcome.to_owned(), detail, fix }
}
