//! `posthouse`: the command line of the Posthouse daemon. One file per verb in [`command`].

mod bridge;
mod command;
mod context;
mod escape;
mod exit;
mod login;
mod progress;
mod settings;
mod table;
mod terminal;
mod when;

use clap::Parser;

use crate::command::Command;
use crate::context::Context;
use crate::exit::Exit;

/// Owns your coding agents' sessions, carries their messages, and moves them when a login dies.
#[derive(Debug, Parser)]
#[command(name = "posthouse", version, arg_required_else_help = true, after_help = EXIT_CODES, max_term_width = 110)]
pub struct Cli {
    /// Print JSON, one document with a documented shape
    #[arg(long, global = true)]
    json: bool,
    /// The daemon's socket, instead of the one the environment leads to
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<std::path::PathBuf>,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done · 1 failed · 2 wrong usage or bad input
3 a credential needs a login · 4 no daemon · 5 not allowed
6 not delivered · 7 timed out · 8 uncertain whether it was delivered
9 a login ends soon and nothing renews it

POSTHOUSE_HOME=DIR keeps everything, the socket included, under one directory.";

fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    let context = Context::new(cli.json, cli.socket);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(cli.command.run(&context)),
        Err(e) => Err(exit::Failure::new(Exit::Failed, format!("start: {e}"))),
    };
    let exit = outcome.unwrap_or_else(|failure| context.report(&failure));
    std::process::ExitCode::from(exit.code())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        let cli = super::Cli::command();
        for verb in cli.get_subcommands().filter(|verb| verb.get_name() != "help") {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{} has no example", verb.get_name());
            let usage = format!("posthouse {}", verb.get_name());
            assert!(help.contains(&usage), "the example of {} is of something else", verb.get_name());
        }
    }
}
