//! The MCP bridge: a server on standard input and output that gives agents and editors Posthouse's messages and sessions.
//!
//! Every call opens a connection of its own to the daemon, shakes hands, and closes it: a daemon that is absent, restarts
//! or is exchanged for another version is noticed by the call that meets it and by no other, and there is nothing to be
//! reconnected. The bridge starts, lists its tools and answers without a daemon; each call then says what is wrong and
//! what mends it. Inside of a session the daemon knows the bridge by its process for that session's agent, whatever it
//! says; in an editor it is an auxiliary of the name it was given.

mod link;
mod tool;

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::model::{Implementation, ServerCapabilities, ServerConfig};
use rmcp::service::ServerInitializeError;
use rmcp::{ServerHandler, ServiceExt as _, tool_handler};

use crate::context::Context;
use crate::exit::{Exit, Failure};
use link::Link;

/// What an agent is told of the server as a whole.
const INSTRUCTIONS: &str = "Posthouse carries messages between coding agents, people and programs on this host, and owns \
the agents' sessions. Send to a name with `send`; every message ends in a receipt that says what is proven about it. \
Messages for you arrive in your own input; `inbox` lists them, and `wait_for_message` takes the next one without its being \
typed. Answer with `reply`, giving the message's id. An error says what failed and the command that mends it.";

/// The server.
#[derive(Debug, Clone)]
struct Bridge {
    link: Link,
    tools: ToolRouter<Self>,
}

#[tool_handler(router = self.tools)]
impl ServerHandler for Bridge {
    fn get_info(&self) -> ServerConfig {
        let mut config = ServerConfig::new(ServerCapabilities::builder().enable_tools().build());
        config.server_info = Implementation::new("posthouse", env!("CARGO_PKG_VERSION"));
        config.instructions = Some(INSTRUCTIONS.to_owned());
        config
    }
}

/// Serves until the client closes its side. Standard output carries MCP and nothing else.
pub async fn serve(context: &Context, name: Option<String>) -> Result<Exit, Failure> {
    let link = Link::new(context, name)?;
    let bridge = Bridge { link, tools: Bridge::messages() + Bridge::sessions() + Bridge::accounts() };
    let failed = |e: String| Failure::new(Exit::Failed, format!("serve MCP: {e}"));
    match bridge.serve(rmcp::transport::stdio()).await {
        Ok(running) => running.waiting().await.map_err(|e| failed(e.to_string()))?,
        // A client that went away before it said anything is no failure.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(Exit::Done),
        Err(e) => return Err(failed(e.to_string())),
    };
    Ok(Exit::Done)
}
