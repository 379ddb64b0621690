//! The verbs. Each file holds a verb's arguments, its request and what it prints.

mod acp;
mod attach;
mod completions;
mod credential;
mod doctor;
mod down;
mod events;
mod exec;
mod failure;
mod inbox;
mod interrupt;
mod launching;
mod login;
mod logs;
mod ls;
mod man;
mod mcp;
mod reconnect;
mod release;
mod restart_daemon;
mod route;
mod screen;
mod send;
mod spawn;
mod status;
mod token;
mod up;
mod wait;

use crate::context::Context;
use crate::exit::{Exit, Failure};

/// What the user wants done.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Up(up::Args),
    Down(down::Args),
    RestartDaemon(restart_daemon::Args),
    Status(status::Args),
    Doctor(doctor::Args),
    Spawn(spawn::Args),
    Exec(exec::Args),
    Ls(ls::Args),
    Send(send::Args),
    Inbox(inbox::Args),
    Attach(attach::Args),
    Screen(screen::Args),
    Logs(logs::Args),
    Events(events::Args),
    Interrupt(interrupt::Args),
    Release(release::Args),
    Credential(credential::Args),
    Login(login::Args),
    Reconnect(reconnect::Args),
    Token(token::Args),
    Wait(wait::Args),
    Route(route::Args),
    Failure(failure::Args),
    Mcp(mcp::Args),
    Acp(acp::Args),
    Completions(completions::Args),
    Man(man::Args),
}

impl Command {
    /// Does it.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Up(args) => up::run(context, args).await,
            Self::Down(args) => down::run(context, args).await,
            Self::RestartDaemon(args) => restart_daemon::run(context, args).await,
            Self::Status(args) => status::run(context, args).await,
            Self::Doctor(args) => doctor::run(context, args).await,
            Self::Spawn(args) => spawn::run(context, args).await,
            Self::Exec(args) => exec::run(context, args).await,
            Self::Ls(args) => ls::run(context, args).await,
            Self::Send(args) => send::run(context, args).await,
            Self::Inbox(args) => inbox::run(context, args).await,
            Self::Attach(args) => attach::run(context, args).await,
            Self::Screen(args) => screen::run(context, args).await,
            Self::Logs(args) => logs::run(context, args).await,
            Self::Events(args) => events::run(context, args).await,
            Self::Interrupt(args) => interrupt::run(context, args).await,
            Self::Release(args) => release::run(context, args).await,
            Self::Credential(args) => credential::run(context, args).await,
            Self::Login(args) => login::run(context, args).await,
            Self::Reconnect(args) => reconnect::run(context, args).await,
            Self::Token(args) => token::run(context, args).await,
            Self::Wait(args) => wait::run(context, args).await,
            Self::Route(args) => route::run(context, args).await,
            Self::Acp(args) => acp::run(context, args).await,
            Self::Mcp(args) => mcp::run(context, args).await,
            Self::Failure(args) => failure::run(context, args).await,
            Self::Completions(args) => completions::run(context, &args),
            Self::Man(args) => man::run(&args),
        }
    }
}
