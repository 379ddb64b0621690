//! The daemon as the bridge reaches it: a connection for each call, and a plain reason where there is none.

use std::time::Duration;

use posthouse_client::{Client, ClientError, Options, identity};
use posthouse_protocol::{ErrorCode, Name, Request};

use crate::context::Context;
use crate::exit::{Exit, Failure};

/// How long the daemon may take to shake hands, so that no call is left without an answer.
const HANDSHAKE: Duration = Duration::from_millis(250);

/// What went wrong, what it means, and the command that mends it: the text of a tool's error.
pub type Trouble = String;

/// How the daemon is reached.
#[derive(Debug, Clone)]
pub struct Link {
    options: Options,
    /// Whether this is a session, into whose input its messages are typed.
    pub inside: bool,
}

impl Link {
    /// As the session this process runs in, or under a name.
    pub fn new(context: &Context, name: Option<String>) -> Result<Self, Failure> {
        let mut options = context.options()?;
        // Inside of a session there is one name to go by, and the daemon knows it.
        let inside = identity::inside(|name| std::env::var(name).ok()).is_some();
        if let Some(name) = name.filter(|_| !inside) {
            let name = Name::parse(&name).map_err(|e| Failure::new(Exit::Usage, e.to_string()))?;
            name.as_str().clone_into(&mut options.hello.agent);
        }
        options.hello.program = Some(concat!("posthouse mcp ", env!("CARGO_PKG_VERSION")).to_owned());
        Ok(Self { options, inside })
    }

    /// A connection that has shaken hands.
    pub async fn connect(&self) -> Result<Client, Trouble> {
        match tokio::time::timeout(HANDSHAKE, Client::connect(&self.options)).await {
            Ok(connected) => connected.map_err(|error| self.unwelcome(error)),
            Err(_) => Err(
                "the Posthouse daemon does not answer right now; it may be starting. Try again in a moment; \
                           if it stays like this, look with: posthouse doctor"
                    .to_owned(),
            ),
        }
    }

    /// Why there is no connection. Who was not told that this is a session says the wrong name.
    fn unwelcome(&self, error: ClientError) -> Trouble {
        match error {
            ClientError::Refused { code: ErrorCode::Forbidden, message } if !self.inside => format!(
                "{message}. The harness hides the environment from its MCP servers; its settings have to hand this one \
                 POSTHOUSE_RUN and POSTHOUSE_SESSION"
            ),
            other => trouble(other),
        }
    }

    /// Asks one thing.
    pub async fn ask<R: Request>(&self, request: &R) -> Result<R::Response, Trouble> {
        self.connect().await?.call(request).await.map_err(trouble)
    }
}

/// An error as an agent reads it.
pub fn trouble(error: ClientError) -> Trouble {
    match error {
        ClientError::NotRunning { .. } | ClientError::NoPlace => {
            "no Posthouse daemon runs; a person can start it with: posthouse up".to_owned()
        }
        ClientError::Refused { code: ErrorCode::VersionGap, message } => {
            format!("{message}. After an upgrade run: posthouse restart-daemon")
        }
        ClientError::Refused { code: ErrorCode::Forbidden, message } => {
            format!("{message}. Rights are given when a session is spawned: posthouse spawn --allow")
        }
        ClientError::Refused { code, message } => format!("{code}: {message}"),
        ClientError::Closed { .. } => {
            "the daemon ended during the call, so nobody knows whether it was done; look before you repeat it"
                .to_owned()
        }
        other => format!("failed to {other}"),
    }
}
