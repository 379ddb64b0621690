//! The MCP bridge: a server on standard input and output that gives agents and editors Posthouse's messages and sessions.
//!
//! Every call opens a connection of its own to the daemon, shakes hands, and closes it: a daemon that is absent, restarts
//! or is exchanged for another version is noticed by the call that meets it and by no other, and there is nothing to be
//! reconnected. The bridge starts, lists its tools and answers without a daemon; each call then says what is wrong and
//! what mends it. Inside of a session the daemon knows the bridge by its process for that session's agent, whatever it
//! says; in an editor it is an auxiliary of the name it was given.

mod call;
mod doorbell;
mod icon;
mod input;
mod link;
mod news;
mod page;
mod prompt;
mod resource;
mod schema;
mod subscription;
mod tool;
mod watching;
mod way;

use std::borrow::Cow;

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::model::{
    CompleteRequestParams, CompleteResult, CompletionInfo, ExperimentalCapabilities, GetPromptRequestParams,
    GetPromptResponse, Implementation, JsonObject, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ProtocolVersion, ReadResourceRequestParams,
    ReadResourceResponse, Reference, ServerCapabilities, ServerConfig, SubscribeRequestParams,
    SubscriptionFilter, UnsubscribeRequestParams,
};
use rmcp::service::{NotificationContext, RequestContext, ServerInitializeError, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt as _, tool_handler};

use crate::context::Context;
use crate::exit::{Exit, Failure};
use call::Call;
use input::Input;
use link::Link;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

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
    subscriptions: mpsc::Sender<subscription::Order>,
    client_left: CancellationToken,
    /// Rings for messages by claude's channels, which only the era that shakes hands has.
    rings: bool,
}

#[tool_handler(router = self.tools)]
impl ServerHandler for Bridge {
    fn get_info(&self) -> ServerConfig {
        let mut can = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_prompts()
            .enable_completions()
            .build();
        if self.rings {
            let channel = [(doorbell::CAPABILITY.to_owned(), JsonObject::new())];
            can.experimental = Some(ExperimentalCapabilities::from(channel));
        }
        let mut config = ServerConfig::new(can);
        config.server_info = Implementation::new("posthouse", env!("CARGO_PKG_VERSION"))
            .with_title("Posthouse")
            .with_description("Messages between coding agents, people and programs, and the agents' sessions")
            .with_icons(vec![icon::icon()]);
        config.instructions = Some(INSTRUCTIONS.to_owned());
        config
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        let newest =
            if self.rings { ProtocolVersion::LATEST_WITH_INITIALIZE } else { ProtocolVersion::LATEST };
        ProtocolVersion::known_up_to(&newest).into()
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        if self.rings {
            tokio::spawn(doorbell::ring(self.link.clone(), context.peer));
        }
    }

    async fn list_tools(
        &self,
        page: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        page::only_one(page)?;
        Ok(ListToolsResult::with_all_items(self.tools.list_all()))
    }

    async fn list_resources(
        &self,
        page: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(self.resources(page::wanted(page)?).await)
    }

    async fn list_resource_templates(
        &self,
        page: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        page::only_one(page)?;
        Ok(Self::resource_templates())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        Ok(self.resource(&request.uri).await?.into())
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        resource::known(&request.uri)?;
        self.order(subscription::Order::Add(context.peer, request.uri)).await
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.order(subscription::Order::Remove(request.uri)).await
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        let uris = requested.resource_subscriptions.iter().flatten();
        let known = uris.filter(|uri| resource::known(uri).is_ok()).take(subscription::MOST).cloned();
        Some(SubscriptionFilter::builder().resource_subscriptions(known).build())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let uris = context.accepted().resource_subscriptions.clone().unwrap_or_default();
        let (told, mut changed) = mpsc::channel(watching::QUEUE);
        let mut watching = JoinSet::new();
        watching.spawn(watching::watch(self.link.clone(), uris, told));
        loop {
            tokio::select! {
                () = context.cancelled() => return Ok(()),
                uri = changed.recv() => {
                    let Some(uri) = uri else { return Ok(()) };
                    if context.sink().notify_resource_updated(uri).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn list_prompts(
        &self,
        page: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        page::only_one(page)?;
        Ok(prompt::list())
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        Ok(prompt::get(&request.name, request.arguments.as_ref())?.into())
    }

    /// Names of sessions, where one is asked for.
    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let wants_name = match &request.r#ref {
            Reference::Resource(place) => [resource::SESSION, resource::SCREEN].contains(&place.uri.as_str()),
            Reference::Prompt(of) => of.name == prompt::HAND_OVER && request.argument.name == "to",
            _ => false,
        };
        if !wants_name {
            return Ok(CompleteResult::default());
        }
        let mut names = self.session_names().await;
        names.retain(|name| name.starts_with(&request.argument.value));
        let all = names.len();
        names.truncate(CompletionInfo::MAX_VALUES);
        let info =
            CompletionInfo::with_pagination(names, u32::try_from(all).ok(), all > CompletionInfo::MAX_VALUES);
        Ok(CompleteResult::new(info.map_err(|why| ErrorData::internal_error(why, None))?))
    }
}

impl Bridge {
    fn call(&self, context: RequestContext<RoleServer>) -> Call {
        Call::new(context, self.client_left.clone())
    }

    async fn order(&self, order: subscription::Order) -> Result<(), ErrorData> {
        let sent = self.subscriptions.send(order).await;
        sent.map_err(|_| ErrorData::internal_error("nobody keeps subscriptions any more", None))
    }
}

/// Serves until the client closes its side. Standard output carries MCP and nothing else.
pub async fn serve(context: &Context, name: Option<String>, channel: bool) -> Result<Exit, Failure> {
    let link = Link::new(context, name)?;
    let rings = channel && !link.inside;
    let mut tools = Bridge::sending()
        + Bridge::receiving()
        + Bridge::channels()
        + Bridge::sessions()
        + Bridge::accounts();
    schema::make_portable(&mut tools);
    let client_left = CancellationToken::new();
    let (stdin, stdout) = rmcp::transport::stdio();
    let input = Input { stdin, ended: client_left.clone() };
    let bridge = Bridge { subscriptions: subscription::start(link.clone()), link, tools, client_left, rings };
    let failed = |e: String| Failure::new(Exit::Failed, format!("serve MCP: {e}"));
    match bridge.serve((input, stdout)).await {
        Ok(running) => running.waiting().await.map_err(|e| failed(e.to_string()))?,
        // A client that went away before it said anything is no failure.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(Exit::Done),
        Err(e) => return Err(failed(e.to_string())),
    };
    Ok(Exit::Done)
}
