//! The registry: it knows the sessions by name, starts and adopts their tasks, and passes orders on. It waits for
//! none of them.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use posthouse_protocol::payload::{RestartPolicy, SessionInfo, ShutdownResponse, Spawn};
use posthouse_protocol::{ErrorCode, Name};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::adopt;
use super::command::{Reply, SessionError, Sessions, SessionsCommand};
use super::house::{House, now_ms};
use super::restart::Restarting;
use super::spec::{Cells, SessionRecord, SessionSpec};
use super::task::{Begin, Handle, Order, Task, Waiter};
use super::variables;
use crate::failover::route::Route;
use crate::harness::screen::{DEFAULT_COLUMNS, DEFAULT_ROWS};
use crate::post::command::PostCommand;
use crate::principal::Principal;

/// Commands that may wait for the registry.
const MAX_COMMANDS: usize = 256;
/// How long the end of all sessions may take at shutdown.
const RELEASE_ALL_GRACE: Duration = Duration::from_secs(2);

/// How long a start waits for adopted sessions to come up.
const COMING_UP: Duration = Duration::from_secs(2);

/// Starts the registry on the current runtime. Sessions of earlier daemons, as their `records` in the journal say,
/// are adopted first, all at once; the receiver is told how many when that is done.
pub fn start(house: House, records: Vec<SessionRecord>) -> (Sessions, oneshot::Receiver<usize>) {
    let (sender, commands) = mpsc::channel(MAX_COMMANDS);
    let (adopted, ready) = oneshot::channel();
    let registry = Registry {
        house: Arc::new(house),
        sessions: BTreeMap::new(),
        tasks: JoinSet::new(),
        names: HashMap::new(),
    };
    tokio::spawn(registry.run(commands, records, adopted));
    (Sessions(sender), ready)
}

struct Registry {
    house: Arc<House>,
    sessions: BTreeMap<String, Handle>,
    tasks: JoinSet<()>,
    /// Which session a task belongs to, and of which handle.
    names: HashMap<tokio::task::Id, (String, mpsc::Sender<Order>)>,
}

impl Registry {
    async fn run(
        mut self,
        mut commands: mpsc::Receiver<SessionsCommand>,
        records: Vec<SessionRecord>,
        adopted: oneshot::Sender<usize>,
    ) {
        let count = self.adopt_all(records).await;
        let _ = adopted.send(count);
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(SessionsCommand::Shutdown { release_all, reply }) => {
                        let _ = reply.send(self.shut_down(release_all).await);
                        return;
                    }
                    Some(command) => self.obey(command),
                    None => {
                        self.shut_down(false).await;
                        return;
                    }
                },
                Some(ended) = self.tasks.join_next_with_id() => self.departed(ended),
            }
        }
    }

    /// Every holder is looked for at the same time; each session's task begins with what was found.
    async fn adopt_all(&mut self, records: Vec<SessionRecord>) -> usize {
        let mut searches = JoinSet::new();
        for record in records {
            let house = self.house.clone();
            searches.spawn(async move {
                let begin = adopt::find(&house, &record).await;
                (record, begin)
            });
        }
        let mut count = 0;
        let mut coming_up = Vec::new();
        while let Some(found) = searches.join_next().await {
            let Ok((record, begin)) = found else { continue };
            count += usize::from(matches!(begin, Begin::Adopt(_)));
            let name = record.spec.name.clone();
            let variables = variables::load(&self.house.private, &name).unwrap_or_else(|error| {
                tracing::warn!(session = name, %error, "a session's variables could not be read");
                BTreeMap::new()
            });
            let lives = matches!(begin, Begin::Adopt(_));
            self.begin(record, variables, begin, None);
            coming_up.extend(self.sessions.get(&name).filter(|_| lives).map(|handle| handle.info.clone()));
        }
        // What is sent to everybody is to reach these as well: post knows of a session before it shows itself. One that
        // takes its time is not waited for.
        let shown = async {
            for mut info in coming_up {
                let _ = info.changed().await;
            }
        };
        let _ = tokio::time::timeout(COMING_UP, shown).await;
        count
    }

    fn begin(
        &mut self,
        record: SessionRecord,
        variables: BTreeMap<String, String>,
        begin: Begin,
        replaces: Option<mpsc::Sender<Order>>,
    ) {
        let name = record.spec.name.clone();
        let is_new = matches!(begin, Begin::Spawn(_));
        let (task, handle) = Task::new(self.house.clone(), record, variables);
        let (house, session) = (self.house.clone(), name.clone());
        let started = self.tasks.spawn(async move {
            match begin {
                Begin::Spawn(waiter) if is_new => {
                    if let Some(waiter) = reserve(&house, &session, replaces, waiter).await {
                        task.run(Begin::Spawn(waiter)).await;
                    }
                }
                begin => task.run(begin).await,
            }
        });
        self.names.insert(started.id(), (name.clone(), handle.orders.clone()));
        self.sessions.insert(name, handle);
    }

    fn departed(&mut self, ended: Result<(tokio::task::Id, ()), tokio::task::JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!(%error, "a session's task ended badly; its run goes on");
                error.id()
            }
        };
        let Some((name, orders)) = self.names.remove(&id) else { return };
        // Its successor of the same name stays.
        if self.sessions.get(&name).is_some_and(|handle| handle.orders.same_channel(&orders)) {
            self.sessions.remove(&name);
        }
    }

    fn obey(&mut self, command: SessionsCommand) {
        match command {
            SessionsCommand::Spawn { spawn, by, reply } => self.spawn(*spawn, &by, reply),
            SessionsCommand::Release { name, reason, grace, by, reply } => {
                let order = |reply| Order::Release { reason, grace, by: by.name, keep_name: false, reply };
                self.pass(&name, "release", reply, order);
            }
            SessionsCommand::List { name, reply } => {
                let chosen = |info: &SessionInfo| name.as_ref().is_none_or(|name| *name == info.name);
                let infos = self.sessions.values().filter_map(|handle| handle.info.borrow().clone());
                let _ = reply.send(infos.filter(chosen).collect());
            }
            SessionsCommand::Screen { name, ansi, reply } => {
                self.pass(&name, "show the screen of", reply, |reply| Order::Screen { ansi, reply });
            }
            SessionsCommand::Logs { name, after, limit, reply } => {
                self.pass(&name, "read the output of", reply, |reply| Order::Logs { after, limit, reply });
            }
            SessionsCommand::Conversation { request, limit, reply } => {
                let name = request.name.clone();
                let order = |reply| Order::Conversation { request, limit, reply };
                self.pass(&name, "read the conversation of", reply, order);
            }
            SessionsCommand::Allow { name, reply } => {
                self.pass(&name, "allow costs to", reply, |reply| Order::Allow { reply });
            }
            SessionsCommand::Interrupt { name, reply } => {
                self.pass(&name, "interrupt", reply, |reply| Order::Interrupt { reply });
            }
            SessionsCommand::Keys { name, data, reply } => {
                self.pass(&name, "type into", reply, |reply| Order::Keys { data, reply });
            }
            SessionsCommand::Attach { attach, request, conn, outbox, reply } => {
                let name = attach.name.clone();
                let order = |reply| Order::Attach { attach, request, conn, outbox, reply };
                self.pass(&name, "attach to", reply, order);
            }
            SessionsCommand::ViewerInput { conn, name, data } => {
                self.tell(&name, Order::ViewerInput { conn, data });
            }
            SessionsCommand::ViewerResize { conn, name, size } => {
                self.tell(&name, Order::ViewerResize { conn, size });
            }
            SessionsCommand::Detach { conn, name: Some(name) } => self.tell(&name, Order::Detach { conn }),
            SessionsCommand::Detach { conn, name: None } => {
                let viewed =
                    |handle: &&Handle| handle.info.borrow().as_ref().is_some_and(|info| info.viewers > 0);
                for handle in self.sessions.values().filter(viewed) {
                    let _ = handle.orders.try_send(Order::Detach { conn });
                }
            }
            SessionsCommand::Explain { name, failure, reply } => {
                self.pass(&name, "explain the route of", reply, |reply| Order::Explain { failure, reply });
            }
            SessionsCommand::Key { name, reply } => {
                self.pass(&name, "hand out a key to", reply, |reply| Order::Key { reply });
            }
            SessionsCommand::Watch { name, reply } => {
                let handle = self.sessions.get(&name).filter(|handle| handle.info.borrow().is_some());
                let info = handle.map(|handle| handle.info.clone());
                let _ = reply.send(info.ok_or_else(|| no_such("wait for", &name)));
            }
            SessionsCommand::Outcome { name, reply } => {
                self.pass(&name, "tell the outcome of", reply, |reply| Order::Outcome { reply });
            }
            SessionsCommand::Rights { run, reply } => {
                let _ = reply.send(self.rights(&run));
            }
            SessionsCommand::Shutdown { .. } => {}
        }
    }

    /// Hands an order with its reply to a session.
    fn pass<T>(&self, name: &str, what: &str, reply: Reply<T>, order: impl FnOnce(Reply<T>) -> Order) {
        let Some(handle) = self.sessions.get(name).filter(|handle| handle.info.borrow().is_some()) else {
            let _ = reply.send(Err(no_such(what, name)));
            return;
        };
        match handle.orders.try_reserve() {
            Ok(permit) => permit.send(order(reply)),
            Err(_) => {
                let message = format!("{what} {name}: it has too much to do");
                let _ = reply.send(Err(SessionError::new(ErrorCode::LimitExceeded, message)));
            }
        }
    }

    fn tell(&self, name: &str, order: Order) {
        let Some(handle) = self.sessions.get(name) else { return };
        if handle.orders.try_send(order).is_err() {
            tracing::warn!(session = name, "a viewer's keys were dropped: the session has too much to do");
        }
    }

    fn rights(&self, run: &str) -> Option<(String, Vec<String>)> {
        self.sessions.values().find_map(|handle| {
            let info = handle.info.borrow();
            let info = info.as_ref()?;
            let lives = info.run.as_deref() == Some(run)
                && !matches!(info.state.as_str(), "restarting" | "exited" | "failed");
            lives.then(|| (info.name.clone(), handle.allow.clone()))
        })
    }

    fn spawn(&mut self, spawn: Spawn, by: &Principal, reply: Reply<super::command::Started>) {
        let ready_within = spawn.wait_ready_ms.map(Duration::from_millis);
        let policy = spawn.restart.0.unwrap_or(RestartPolicy::Never);
        let (spec, variables) = match self.spec_of(spawn, by) {
            Ok(found) => found,
            Err(error) => {
                let _ = reply.send(Err(error));
                return;
            }
        };
        let there = self.sessions.get(&spec.name);
        let state = there.and_then(|handle| handle.info.borrow().as_ref().map(|info| info.state.clone()));
        let replaces = match state.as_deref() {
            None => None,
            Some("exited" | "failed") => there.map(|handle| handle.orders.clone()),
            Some(_) => {
                let message = format!("start {}: there is a session of that name", spec.name);
                let _ = reply.send(Err(SessionError::new(ErrorCode::NameTaken, message)));
                return;
            }
        };
        if let Err(error) = variables::store(&self.house.private, &spec.name, &variables) {
            let message = format!("keep the variables of {}: {error}", spec.name);
            let _ = reply.send(Err(SessionError::new(ErrorCode::Internal, message)));
            return;
        }
        let record = SessionRecord { restarting: Restarting::new(policy), ..SessionRecord::new(spec) };
        self.begin(record, variables, Begin::Spawn(Waiter { reply, ready_within }), replaces);
    }

    /// Reads what was asked for.
    fn spec_of(
        &self,
        spawn: Spawn,
        by: &Principal,
    ) -> Result<(SessionSpec, BTreeMap<String, String>), SessionError> {
        let bad = |code, why: String| SessionError::new(code, why);
        let name = Name::parse(&spawn.name).map_err(|e| bad(ErrorCode::BadName, e.to_string()))?;
        let route = spawn.route.as_deref().map(str::parse::<Route>).transpose();
        let route = route.map_err(|e| bad(ErrorCode::BadRoute, format!("read the route: {e}")))?;
        let mut words = spawn.cli.iter().flat_map(|cli| cli.split_whitespace()).map(str::to_owned);
        let first = words.next();
        let mut args: Vec<String> = words.chain(spawn.args).collect();
        let catalog = &self.house.catalog;
        let one_shot = spawn.one_shot.0.unwrap_or(false);
        let harness = match (spawn.harness, &route, first) {
            (Some(harness), _, _) => harness,
            (None, Some(route), _) => {
                route.mounts().first().map(|mount| mount.harness.clone()).unwrap_or_default()
            }
            (None, None, Some(first)) if catalog.get(&first).is_ok() => first,
            // A command that no definition describes runs all the same.
            (None, None, Some(first)) => {
                args.insert(0, first);
                GENERIC.to_owned()
            }
            (None, None, None) if !args.is_empty() => GENERIC.to_owned(),
            (None, None, None) => {
                return Err(bad(
                    ErrorCode::BadRoute,
                    "start a session: name a harness, a route or a command".into(),
                ));
            }
        };
        for harness in
            route.iter().flat_map(|route| route.mounts()).map(|mount| &mount.harness).chain([&harness])
        {
            let definition = catalog.get(harness).map_err(|e| bad(ErrorCode::BadRoute, e.to_string()))?;
            if one_shot && definition.one_shot.is_none() {
                let why =
                    format!("start a one-shot task: {harness} does none; a session of it can be spawned");
                return Err(bad(ErrorCode::BadRoute, why));
            }
        }
        if one_shot && spawn.task.as_ref().is_none_or(|task| task.trim().is_empty()) {
            return Err(bad(ErrorCode::BadRequest, "start a one-shot task: it has no prompt".into()));
        }
        if one_shot && !matches!(spawn.restart.0, None | Some(RestartPolicy::Never)) {
            let why = "start a one-shot task: it is over when it has ended, so it has no restart policy";
            return Err(bad(ErrorCode::BadRequest, why.into()));
        }
        if let Some(RestartPolicy::Unknown(_)) = spawn.restart.0 {
            let why = "start a session: its restart policy is never, on-failure or always".to_owned();
            return Err(bad(ErrorCode::BadRequest, why));
        }
        let cwd = spawn.cwd.map_or_else(|| self.house.home(), PathBuf::from);
        if !cwd.is_absolute() {
            let why = format!("work in {}: the folder must be given as an absolute path", cwd.display());
            return Err(bad(ErrorCode::BadRequest, why));
        }
        let size = spawn.size.map_or(Cells { cols: DEFAULT_COLUMNS, rows: DEFAULT_ROWS }, |size| Cells {
            cols: size.cols.clamp(2, 1000),
            rows: size.rows.clamp(2, 1000),
        });
        let spec = SessionSpec {
            name: name.as_str().to_owned(),
            harness,
            route,
            args,
            cwd,
            task: spawn.task.filter(|task| !task.is_empty()),
            team: spawn.team,
            model: spawn.model,
            trust: spawn.trust.unwrap_or(false),
            one_shot,
            allow: spawn.allow,
            size,
            spawned_by: by.name.clone(),
            spawned_at: now_ms(),
        };
        Ok((spec, spawn.env.into_iter().map(|var| (var.name, var.value)).collect()))
    }

    /// Ends every session, or leaves them all as they are.
    async fn shut_down(&mut self, release_all: bool) -> ShutdownResponse {
        let mut response = ShutdownResponse::default();
        let mut releases = JoinSet::new();
        for (name, handle) in &self.sessions {
            let (name, orders) = (name.clone(), handle.orders.clone());
            releases.spawn(async move {
                let (reply, released) = oneshot::channel();
                let order = if release_all {
                    let reason = Some("the daemon is taken down with all its sessions".to_owned());
                    let by = "operator".to_owned();
                    Order::Release { reason, grace: RELEASE_ALL_GRACE, by, keep_name: false, reply }
                } else {
                    drop(reply);
                    Order::Leave
                };
                let sent = orders.send(order).await.is_ok();
                let gone = sent && release_all && matches!(released.await, Ok(Ok(())));
                (name, gone)
            });
        }
        while let Some(outcome) = releases.join_next().await {
            if let Ok((name, gone)) = outcome {
                if gone { &mut response.released } else { &mut response.left_running }.push(name);
            }
        }
        // What could not be ended is left as it is.
        if release_all {
            for handle in self.sessions.values() {
                let _ = handle.orders.send(Order::Leave).await;
            }
        }
        while self.tasks.join_next().await.is_some() {}
        response.released.sort();
        response.left_running.sort();
        response
    }
}

fn no_such(what: &str, name: &str) -> SessionError {
    SessionError::new(ErrorCode::NoSuchSession, format!("{what} {name}: there is no session of that name"))
}

/// The definition that any command runs under.
const GENERIC: &str = "generic";

/// Makes way for a new session: an ended one of the same name is collected, and the name reserved at post. The
/// waiter comes back if all is well and has been answered if not.
async fn reserve(
    house: &House,
    session: &str,
    replaces: Option<mpsc::Sender<Order>>,
    waiter: Waiter,
) -> Option<Waiter> {
    if let Some(orders) = replaces {
        let (reply, released) = oneshot::channel();
        let reason = Some("a new session takes its name".to_owned());
        let by = "daemon".to_owned();
        let order = Order::Release { reason, grace: Duration::ZERO, by, keep_name: true, reply };
        if orders.send(order).await.is_ok()
            && let Ok(Err(error)) = released.await
        {
            let _ = waiter.reply.send(Err(error));
            return None;
        }
    }
    let (reply, reserved) = oneshot::channel();
    let asked = house.post.send(PostCommand::Reserve { name: session.to_owned(), reply }).await;
    let answer = match asked {
        Ok(()) => reserved.await.ok(),
        Err(_) => None,
    };
    match answer {
        Some(Ok(())) => Some(waiter),
        Some(Err(violation)) => {
            let _ = waiter.reply.send(Err(SessionError::new(violation.code, violation.message)));
            None
        }
        None => {
            let message = "reserve the name: post does not answer";
            let _ = waiter.reply.send(Err(SessionError::new(ErrorCode::Internal, message)));
            None
        }
    }
}
