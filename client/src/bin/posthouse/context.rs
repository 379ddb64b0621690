//! What every command needs: how to print, and how to reach the daemon.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use posthouse_client::{Client, ClientError, Options, identity, launch};
use posthouse_protocol::place;
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::table::Paint;

/// How this invocation prints and connects.
#[derive(Debug)]
pub struct Context {
    /// Print JSON.
    pub json: bool,
    socket: Option<PathBuf>,
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Context {
    /// From the global flags.
    pub fn new(json: bool, socket: Option<PathBuf>) -> Self {
        Self { json, socket }
    }

    /// Connects, starting the daemon if none runs and this is not a session.
    pub async fn connect(&self) -> Result<Client, Failure> {
        let options = self.options()?;
        let waiting = || eprintln!("starting posthoused …");
        let inside = identity::inside(variable).is_some();
        Ok(launch::connect_or_start(&options, inside, waiting).await?)
    }

    /// Connects to a daemon that runs already.
    pub async fn connect_running(&self) -> Result<Client, Failure> {
        Ok(Client::connect(&self.options()?).await?)
    }

    /// How a command connects: beside the user's or session's own name, handed nothing by itself.
    pub fn options(&self) -> Result<Options, Failure> {
        let found = self.socket.clone().or_else(|| place::socket(|name| std::env::var_os(name)));
        let socket = found.ok_or(ClientError::NoPlace)?;
        let user = identity::inside(variable).is_none();
        Ok(Options::command(socket, &identity::name(variable), user))
    }

    /// Prints one JSON document on standard output.
    pub fn print_json<T: Serialize>(&self, value: &T) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(|e| Failure::new(Exit::Failed, e.to_string()))?;
        self.print(&text)
    }

    /// Prints one line or block on standard output. A reader that went away is not an error.
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        match writeln!(out, "{text}").and_then(|()| out.flush()) {
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
            other => Ok(other?),
        }
    }

    /// Colours for standard output: only on a terminal, and not with NO_COLOR.
    pub fn paint(&self) -> Paint {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Paint { on: wanted && !self.json && std::io::stdout().is_terminal() }
    }

    /// Tells the user of a failure on standard error.
    pub fn report(&self, failure: &Failure) -> Exit {
        if self.json {
            #[derive(Serialize)]
            struct Document<'a> {
                error: Told<'a>,
            }
            #[derive(Serialize)]
            struct Told<'a> {
                code: Option<String>,
                message: &'a str,
                exit: u8,
            }
            let error = Told {
                code: failure.code.map(|code| code.to_string()),
                message: &failure.message,
                exit: failure.exit.code(),
            };
            eprintln!("{}", serde_json::to_string(&Document { error }).unwrap_or_default());
        } else {
            // What the daemon refuses with is a sentence of its own.
            let before = if failure.code.is_some() { "" } else { "failed to " };
            eprintln!("posthouse: {before}{}", crate::escape::block(&failure.message));
        }
        failure.exit
    }
}
