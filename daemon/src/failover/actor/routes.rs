//! Routes that have names: kept in the journal, looked up anew by every session that runs on them.

use std::collections::BTreeMap;

use posthouse_protocol::payload::{Route as Request, RouteInfo, RouteResponse};
use serde_json::json;

use super::Actor;
use crate::failover::route::Route;
use crate::journal::{
    Document, DocumentKey, DocumentKind, DocumentValue, EventData, EventKind, NewEvent, Op, Subject,
};

use super::telling::millis;

/// Most routes that have names.
const MOST: usize = 1_000;

/// The routes, and who runs on them.
#[derive(Debug, Default)]
pub(super) struct Routes {
    named: BTreeMap<String, Route>,
    users: BTreeMap<String, String>,
}

impl Routes {
    /// What the journal kept. What can't be read is left in it.
    pub fn new(documents: &[Document]) -> Self {
        let read = |document: &Document| {
            let route = document.value.parse::<Route>();
            let route = route
                .inspect_err(|e| tracing::error!(key = %document.key.key, "failed to read a route: {e}"));
            Some((document.key.key.to_string(), route.ok()?))
        };
        Self { named: documents.iter().filter_map(read).collect(), users: BTreeMap::new() }
    }

    /// The route of this name.
    pub fn get(&self, name: &str) -> Option<&Route> {
        self.named.get(name)
    }

    /// The same for one who needs it.
    pub fn find(&self, name: &str) -> Result<Route, String> {
        self.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = self.named.keys().map(String::as_str).collect();
            let known = if known.is_empty() {
                "none is set".to_owned()
            } else {
                format!("known are {}", known.join(", "))
            };
            format!("find the route {name}: {known}; set it with: posthouse route set {name} MOUNT,…")
        })
    }

    /// A session runs on a route.
    pub fn used(&mut self, session: &str, route: &Route) {
        match route.name() {
            Some(name) => drop(self.users.insert(session.to_owned(), name.to_owned())),
            None => drop(self.users.remove(session)),
        }
    }

    /// A session is gone.
    pub fn forget(&mut self, session: &str) {
        self.users.remove(session);
    }

    fn sessions(&self, name: &str) -> Vec<String> {
        let users = self.users.iter().filter(|(_, route)| *route == name);
        users.map(|(session, _)| session.clone()).collect()
    }

    fn info(&self, name: &str, route: &Route) -> RouteInfo {
        RouteInfo {
            name: name.to_owned(),
            mounts: route.mounts().iter().map(ToString::to_string).collect(),
            cost: route.cost().as_str().to_owned(),
            sessions: self.sessions(name),
        }
    }
}

impl Actor {
    pub(super) async fn request(&mut self, request: Request, actor: &str) -> Result<RouteResponse, String> {
        match request {
            Request::List => Ok(self.listed(None)),
            Request::Set { name, mounts, cost } => {
                self.set(&name, mounts.as_deref(), cost.as_deref(), actor).await
            }
            Request::Remove { name } => self.remove(&name, actor).await,
            Request::Allow { session } => {
                Err(format!("allow {session} to cost: that is the session's to do"))
            }
        }
    }

    fn listed(&self, message: Option<String>) -> RouteResponse {
        let routes = self.routes.named.iter().map(|(name, route)| self.routes.info(name, route)).collect();
        RouteResponse { routes, message }
    }

    async fn set(
        &mut self,
        name: &str,
        mounts: Option<&str>,
        cost: Option<&str>,
        actor: &str,
    ) -> Result<RouteResponse, String> {
        let bad = |e: crate::failover::route::RouteError| format!("set the route: {e}");
        let before = self.routes.get(name).cloned();
        let route = match (mounts, before) {
            (Some(text), _) => text.parse::<Route>().map_err(bad)?,
            (None, Some(before)) => before,
            (None, None) => return Err(format!("set the route {name}: it is new, so name its mounts")),
        };
        let route = match cost {
            Some(word) => route.with_cost(word.parse().map_err(bad)?),
            None => route,
        };
        let route = route.named(name).map_err(bad)?;
        let pool = self.pool().await;
        for mount in route.mounts() {
            self.catalog.get(&mount.harness).map_err(|e| format!("set the route {name}: {e}"))?;
            if !pool.credentials.contains_key(&mount.credential) {
                let (provider, alias) = (mount.credential.provider(), mount.credential.alias());
                return Err(format!(
                    "set the route {name}: there is no credential {provider}/{alias}; register it with: posthouse credential add {provider} {alias} --home DIR"
                ));
            }
        }
        if self.routes.named.len() >= MOST && !self.routes.named.contains_key(name) {
            return Err(format!("set the route {name}: there are {MOST} already"));
        }
        let value = DocumentValue::of(&route).map_err(|e| format!("keep the route {name}: {e}"))?;
        let put = Op::Put(Document { key: self.route_key(name), value });
        self.keep_route(name, put, &format!("set to {route}"), actor).await?;
        self.routes.named.insert(name.to_owned(), route);
        self.reopen();
        let users = self.routes.sessions(name);
        let note = match users.as_slice() {
            [] => String::new(),
            users => format!("; it holds from their next move on for {}", users.join(", ")),
        };
        Ok(self.listed(Some(format!("set {name}{note}"))))
    }

    async fn remove(&mut self, name: &str, actor: &str) -> Result<RouteResponse, String> {
        self.routes.find(name)?;
        let users = self.routes.sessions(name);
        if !users.is_empty() {
            return Err(format!(
                "remove the route {name}: {} runs on it; release that first",
                users.join(", ")
            ));
        }
        self.keep_route(name, Op::Delete(self.route_key(name)), "removed", actor).await?;
        self.routes.named.remove(name);
        Ok(self.listed(Some(format!("removed {name}"))))
    }

    fn route_key(&self, name: &str) -> DocumentKey {
        DocumentKey { kind: DocumentKind::Route, owner: self.owner, key: name.into() }
    }

    async fn keep_route(&self, name: &str, op: Op, what: &str, actor: &str) -> Result<(), String> {
        let message = format!("the route {name} was {what}");
        let event = Op::Event(NewEvent {
            owner: self.owner,
            kind: EventKind::new("route"),
            subject: Subject::Named(name.into()),
            cause: None,
            actor: Some(actor.into()),
            data: EventData::of(&json!({ "message": message })).unwrap_or_default(),
            at_ms: millis(self.clock.now()),
        });
        self.journal
            .commit(vec![op, event])
            .await
            .map(drop)
            .map_err(|e| format!("keep the route {name}: {e}"))
    }
}
