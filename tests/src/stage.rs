//! Sessions without a daemon: the real registry, journal and holders, and a post that notes what it is told. A stage
//! can die as a daemon does, at any moment, and another one can take its place.

mod failover;
mod post;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use failover::{assignment, trouble};
use nix::sys::signal::Signal;
use post::{Post, run_post};
pub use post::{Told, What, injection};
use posthouse_protocol::payload::{SessionInfo, Spawn};
use posthouse_protocol::{Evidence, ReceiptState, When};
use posthoused::clock::Clock;
use posthoused::failover::command::{Failover, FailoverCommand};
use posthoused::harness::catalog::Catalog;
use posthoused::harness::versions::Versions;
use posthoused::holder::link::HolderProgram;
use posthoused::holder::link::{self, HolderEvent, place};
use posthoused::journal::{EventFilter, Journal, Options, Seq};
use posthoused::post::command::{Earlier, Injection, PostCommand};
use posthoused::principal::{Kind, Principal};
use posthoused::session::adopt;
use posthoused::session::command::{SessionError, Sessions, SessionsCommand, Spawned, Started};
use posthoused::session::house::House;
use posthoused::session::injection::header::MarkKey;
use posthoused::session::registry;
use posthoused::session::spec::SessionRecord;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use crate::standin::DEFINITION;
use crate::standin::record::{Entry, entries};
use crate::until;
use crate::world::{PATIENCE, end_all_of, parent, program, signal};

/// Holders, a journal and a post; with or without a registry.
#[derive(Debug)]
pub struct Stage {
    home: tempfile::TempDir,
    post: Arc<Mutex<Post>>,
    changed: watch::Sender<u64>,
    /// Says that something became usable.
    pub(crate) reopened: watch::Sender<u64>,
    act: Option<Act>,
    /// Counts the boots of the machine.
    boot: u32,
}

/// A registry that lives.
#[derive(Debug)]
struct Act {
    sessions: Sessions,
    /// Everything of the daemon's runs here, and dies with it.
    runtime: Option<tokio::runtime::Runtime>,
    journal: Journal,
    /// What sessions ask of failover.
    failover: Arc<tokio::sync::Mutex<mpsc::Receiver<FailoverCommand>>>,
}

impl Stage {
    /// An empty stage; nothing runs.
    pub fn new() -> Self {
        let home = tempfile::Builder::new().prefix("ph-").tempdir_in("/tmp").expect("a home");
        for dir in ["h", "private", "work"] {
            std::fs::create_dir(home.path().join(dir)).expect("a directory");
        }
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(home.path().join("h"), private).expect("a private directory");
        let (changed, reopened) = (watch::channel(0).0, watch::channel(0).0);
        Self { home, post: Arc::default(), changed, reopened, act: None, boot: 1 }
    }

    /// The same with a registry.
    pub async fn started() -> Self {
        let mut stage = Self::new();
        stage.start().await;
        stage
    }

    /// Everything lies below.
    pub fn path(&self) -> &Path {
        self.home.path()
    }

    /// The stand-ins' log.
    pub fn log(&self) -> PathBuf {
        self.path().join("log")
    }

    /// What the stand-ins received, in order.
    pub fn received(&self) -> Vec<Entry> {
        entries(&self.log()).into_iter().filter(|entry| entry.event == "received").collect()
    }

    /// Starts a registry, which adopts what an earlier one left. Returns how many that were.
    pub async fn start(&mut self) -> usize {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let journal = Journal::open(self.path(), Options::default()).expect("a journal");
        let records = adopt::records(&journal.reader().expect("a reader")).expect("records");
        let (post, commands) = mpsc::channel(256);
        let (failover, asked) = mpsc::channel(64);
        let house = self.house(&journal, post, failover);
        let (state, changed) = (self.post.clone(), self.changed.clone());
        runtime.spawn(run_post(commands, state, changed));
        let (sessions, adopted) =
            runtime.spawn(async move { registry::start(house, records) }).await.expect("a start");
        let count = adopted.await.expect("an adoption");
        let failover = Arc::new(tokio::sync::Mutex::new(asked));
        self.act = Some(Act { sessions, runtime: Some(runtime), journal, failover });
        count
    }

    fn house(
        &self,
        journal: &Journal,
        post: mpsc::Sender<PostCommand>,
        commands: mpsc::Sender<FailoverCommand>,
    ) -> House {
        let mut catalog = Catalog::builtin().expect("built-in definitions");
        let standin = program("standin");
        let definition = DEFINITION.replace("program = \"standin\"", &format!("program = {standin:?}"));
        catalog.add("standin.toml", &definition).expect("the stand-in's definition");
        let gapped = definition
            .replace("name = \"standin\"", "name = \"gapped\"")
            .replace("gap_ms = 20", "gap_ms = 3000");
        catalog.add("gapped.toml", &gapped).expect("a definition");
        let mute = definition
            .replace("name = \"standin\"", "name = \"mute\"")
            .replace("app = \"standin\"", "app = \"none\"");
        catalog.add("mute.toml", &mute.replace("transcript = \"claude\"", "")).expect("a definition");
        let shy = definition
            .replace("name = \"standin\"", "name = \"shy\"")
            .replace("prompt = [\"--\", \"{prompt}\"]\n", "");
        catalog.add("shy.toml", &shy).expect("a definition");
        let mut outer: BTreeMap<String, String> =
            std::env::vars().filter(|(name, _)| name == "PATH" || name == "LANG").collect();
        outer.insert("HOME".into(), self.path().to_string_lossy().into_owned());
        outer.insert("STANDIN_LOG".into(), self.log().to_string_lossy().into_owned());
        outer.insert("STANDIN_HOME".into(), self.path().join("standin-home").to_string_lossy().into_owned());
        outer.insert("STANDIN_REVOKED".into(), self.path().join("revoked").to_string_lossy().into_owned());
        House {
            owner: nix::unistd::getuid().as_raw(),
            catalog: Arc::new(catalog),
            holder: HolderProgram::at(program("posthouse-holder")),
            sockets: self.path().join("h"),
            private: self.path().join("private"),
            socket: self.path().join("posthouse.sock"),
            helper: None,
            outer,
            marks: MarkKey::new([7; 32]),
            boot: Some(self.boot.to_string()),
            ring: 1 << 20,
            confines: Arc::default(),
            journal: journal.writer(),
            post,
            failover: Failover { commands, reopened: self.reopened.subscribe() },
            versions: Versions::start(&[], nix::unistd::getuid().as_raw(), journal.writer(), Clock::system()),
        }
    }

    /// The machine goes down with everything on it, and comes up again.
    pub async fn reboot(&mut self) {
        let (reply, answer) = oneshot::channel();
        self.command(SessionsCommand::List { name: None, reply }).await;
        let harnesses: Vec<u32> = within(answer).await.into_iter().filter_map(|info| info.pid).collect();
        self.die();
        for harness in harnesses {
            signal(parent(harness), Signal::SIGKILL);
            signal(harness, Signal::SIGKILL);
        }
        self.boot += 1;
    }

    /// The daemon dies without a word. Its sessions go on.
    pub fn die(&mut self) {
        if let Some(runtime) = self.act.take().and_then(|mut act| act.runtime.take()) {
            runtime.shutdown_background();
        }
        self.post.lock().expect("post").sinks.clear();
    }

    /// The registry.
    pub fn sessions(&self) -> &Sessions {
        &self.act.as_ref().expect("a registry runs").sessions
    }

    /// Every event of the journal about sessions, as kind and data.
    pub fn events(&self) -> Vec<(String, String)> {
        let journal = &self.act.as_ref().expect("a registry runs").journal;
        let reader = journal.reader().expect("a reader");
        let page = reader
            .events(nix::unistd::getuid().as_raw(), Seq(0), 1000, &EventFilter::default())
            .expect("events");
        page.rows.into_iter().map(|e| (e.what.kind.to_string(), e.what.data.as_str().to_owned())).collect()
    }

    /// Waits until the journal has so many events of a kind.
    pub async fn wait_events(&self, kind: &str, count: usize) {
        let there = || self.events().iter().filter(|(of, _)| of == kind).count();
        assert!(
            until::so(|| there() >= count).await,
            "only {} of {count} {kind}: {:?}",
            there(),
            self.events()
        );
    }

    /// What the journal keeps of a session.
    pub fn record(&self, name: &str) -> Option<SessionRecord> {
        let journal = &self.act.as_ref().expect("a registry runs").journal;
        let records = adopt::records(&journal.reader().expect("a reader")).expect("records");
        records.into_iter().find(|record| record.spec.name == name)
    }

    /// Waits until the journal keeps what is wanted of a session.
    pub async fn wait_record(&self, name: &str, wanted: impl Fn(&SessionRecord) -> bool) -> SessionRecord {
        let found = until::found(async || self.record(name).filter(&wanted)).await;
        found.unwrap_or_else(|| panic!("the record is not as wanted: {:?}", self.record(name)))
    }

    /// The next thing that a session asks of failover, or tells it of a turn.
    pub async fn next_failover(&self) -> FailoverCommand {
        let asked = self.act.as_ref().expect("a registry runs").failover.clone();
        let mut asked = asked.lock().await;
        loop {
            let next = tokio::time::timeout(PATIENCE, asked.recv()).await;
            match next.expect("in time").expect("a question") {
                FailoverCommand::Adopted { .. } => {}
                other => return other,
            }
        }
    }

    /// Starts a session and says what came of it.
    pub async fn try_spawn(&self, spawn: Spawn) -> Result<Spawned, SessionError> {
        let (reply, answer) = oneshot::channel();
        let by = Principal { uid: 0, name: "tester".into(), kind: Kind::Operator };
        self.command(SessionsCommand::Spawn { spawn: Box::new(spawn), by, reply }).await;
        match within(answer).await? {
            Started::Runs(spawned) => Ok(spawned),
            Started::Parked => panic!("the session rests before it ever ran"),
        }
    }

    /// Starts a stand-in called `name` and waits until it is ready.
    pub async fn standin(&self, name: &str) -> Spawned {
        self.harness(name, "standin").await
    }

    /// Starts a session of a harness and waits until it is ready.
    pub async fn harness(&self, name: &str, harness: &str) -> Spawned {
        let spawn =
            Spawn { harness: Some(harness.into()), wait_ready_ms: Some(60_000), ..self.spawn_of(name) };
        let spawned = self.try_spawn(spawn).await.expect("a session");
        self.wait_for_state(name, "ready").await;
        spawned
    }

    /// A SPAWN with nothing but a name and a folder.
    pub fn spawn_of(&self, name: &str) -> Spawn {
        let mut spawn: Spawn = serde_json::from_value(serde_json::json!({ "name": name })).expect("a spawn");
        spawn.cwd = Some(self.path().join("work").to_string_lossy().into_owned());
        spawn
    }

    /// Gives the registry a command.
    pub async fn command(&self, command: SessionsCommand) {
        self.sessions().0.send(command).await.expect("a registry");
    }

    /// Everything known of a session, if there is one of that name.
    pub async fn info(&self, name: &str) -> Option<SessionInfo> {
        let (reply, answer) = oneshot::channel();
        self.command(SessionsCommand::List { name: Some(name.into()), reply }).await;
        within(answer).await.pop()
    }

    /// Waits until a stand-in with this home has recorded something that contains `word`.
    pub async fn wait_recorded(&self, home: &str, word: &str) {
        let folder = self.path().join(home).join("projects");
        let recorded = || {
            let folders = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            let files =
                folders.flat_map(|folder| std::fs::read_dir(folder.path()).into_iter().flatten().flatten());
            files
                .map(|file| std::fs::read_to_string(file.path()).unwrap_or_default())
                .any(|text| text.contains(word))
        };
        assert!(until::so(recorded).await, "{word} was not recorded");
    }

    /// Waits until a process has ended.
    pub async fn wait_dead(&self, pid: u32) {
        assert!(until::so(|| !crate::world::alive(pid)).await, "{pid} lives on");
    }

    /// Waits until so many messages have been received under a key.
    pub async fn wait_received(&self, key: &str, count: usize) {
        let received = || self.received().iter().filter(|entry| entry.key == key).count();
        let (all, events) = (|| self.received(), || self.events());
        assert!(
            until::so(|| received() >= count).await,
            "only {} of {count}: {:#?}\n{:#?}",
            received(),
            all(),
            events()
        );
    }

    /// Waits until a session shows this state.
    pub async fn wait_for_state(&self, name: &str, state: &str) -> SessionInfo {
        self.wait_for(name, |info| info.state == state).await
    }

    /// Waits until what is known of a session is as wanted.
    pub async fn wait_for(&self, name: &str, wanted: impl Fn(&SessionInfo) -> bool) -> SessionInfo {
        let mut last = None;
        let look = async || {
            last = self.info(name).await;
            last.clone().filter(&wanted)
        };
        let found = until::found(look).await;
        found.unwrap_or_else(|| panic!("{name} did not become as wanted: {last:?}"))
    }

    /// Hands a message to a session, as post would.
    pub async fn send(&self, name: &str, body: &str, when: When) -> Uuid {
        let injection = injection(body, when);
        let message = injection.message;
        self.inject(name, injection).await;
        message
    }

    /// Hands an injection to a session, once it takes any.
    pub async fn inject(&self, name: &str, injection: Injection) {
        let mut changed = self.changed.subscribe();
        let sink = loop {
            if let Some(sink) = self.post.lock().expect("post").sinks.get(name).cloned() {
                break sink;
            }
            tokio::time::timeout(PATIENCE, changed.changed()).await.expect("in time").expect("post lives");
        };
        sink.injections.send(injection).await.expect("a session");
    }

    /// Hands over again, after a restart, what had not ended: with what the journal would know of it.
    pub async fn hand_over_again(&self, name: &str, mut injection: Injection) {
        injection.earlier = self.earlier(injection.message);
        self.inject(name, injection).await;
    }

    fn earlier(&self, message: Uuid) -> Option<Earlier> {
        let told = self.told(message);
        let run = told.iter().rev().find_map(|told| match &told.what {
            What::Writing(run) => Some((run.clone(), told.attempt)),
            _ => None,
        });
        let state = told.iter().rev().find_map(|told| match told.what {
            What::Reached(state, ..) => Some(state),
            _ => None,
        });
        run.map(|(run, attempt)| Earlier { state: state.unwrap_or(ReceiptState::Queued), run, attempt })
    }

    /// Everything told of a message so far.
    pub fn told(&self, message: Uuid) -> Vec<Told> {
        let post = self.post.lock().expect("post");
        post.told.iter().filter(|told| told.message == message).cloned().collect()
    }

    /// The states that a message went through.
    pub fn states(&self, message: Uuid) -> Vec<ReceiptState> {
        let reached = |told: &Told| match told.what {
            What::Reached(state, ..) => Some(state),
            _ => None,
        };
        self.told(message).iter().filter_map(reached).collect()
    }

    /// Waits until something is told of a message.
    pub async fn wait_told(&self, message: Uuid, wanted: impl Fn(&What) -> bool) -> Told {
        let mut changed = self.changed.subscribe();
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(told) = self.told(message).into_iter().find(|told| wanted(&told.what)) {
                    return told;
                }
                changed.changed().await.expect("post lives");
            }
        });
        found.await.unwrap_or_else(|_| panic!("not told: {:?}", self.told(message)))
    }

    /// Waits until a message has reached a state, and says on what evidence.
    pub async fn wait_state(&self, message: Uuid, state: ReceiptState) -> Option<Evidence> {
        let told = self.wait_told(message, |what| matches!(what, What::Reached(s, ..) if *s == state)).await;
        match told.what {
            What::Reached(_, evidence, _) => evidence,
            _ => None,
        }
    }

    /// Whether post was told that a session is down.
    pub fn is_down(&self, name: &str) -> bool {
        self.post.lock().expect("post").down.iter().any(|down| down == name)
    }

    /// Types keys as an operator does.
    pub async fn keys(&self, name: &str, data: &[u8]) -> Result<(), SessionError> {
        let (reply, answer) = oneshot::channel();
        self.command(SessionsCommand::Keys { name: name.into(), data: data.to_vec(), reply }).await;
        within(answer).await
    }

    /// Stops a session's turn.
    pub async fn interrupt(&self, name: &str) -> Result<(), SessionError> {
        let (reply, answer) = oneshot::channel();
        self.command(SessionsCommand::Interrupt { name: name.into(), reply }).await;
        within(answer).await
    }

    /// Ends a session.
    pub async fn release(&self, name: &str) -> Result<(), SessionError> {
        let (reply, answer) = oneshot::channel();
        let by = Principal { uid: 0, name: "tester".into(), kind: Kind::Operator };
        let grace = Duration::from_secs(2);
        self.command(SessionsCommand::Release { name: name.into(), reason: None, grace, by, reply }).await;
        within(answer).await
    }

    /// A session's screen as text.
    pub async fn screen(&self, name: &str) -> String {
        let (reply, answer) = oneshot::channel();
        self.command(SessionsCommand::Screen { name: name.into(), ansi: false, reply }).await;
        within(answer).await.expect("a screen").rows.join("\n")
    }

    /// Waits until a session's screen shows `text`.
    pub async fn wait_screen(&self, name: &str, text: &str) {
        let mut last = String::new();
        let look = async || {
            last = self.screen(name).await;
            last.contains(text).then_some(())
        };
        assert!(until::found(look).await.is_some(), "{name} does not show {text:?}:\n{last}");
    }

    /// All output of a session that its ring still has, and the offset of its first byte.
    pub async fn output(&self, name: &str) -> (u64, Vec<u8>) {
        let (mut from, mut all, mut first) = (None, Vec::new(), None);
        loop {
            let (reply, answer) = oneshot::channel();
            let limit = 300_000;
            self.command(SessionsCommand::Logs { name: name.into(), after: from, limit, reply }).await;
            let logs = within(answer).await.expect("output");
            first.get_or_insert(logs.offset);
            assert!(
                from.is_none_or(|from| from == logs.offset),
                "{from:?} {} {}",
                logs.offset,
                logs.data.0.len()
            );
            let next = logs.offset + logs.data.0.len() as u64;
            all.extend_from_slice(&logs.data.0);
            if next >= logs.end || logs.data.0.is_empty() {
                return (first.unwrap_or(0), all);
            }
            from = Some(next);
        }
    }
}

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.die();
        let holders = place::scan(&self.path().join("h")).unwrap_or_default();
        // A test's own runtime can't be entered again from here.
        let ended = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                for socket in holders {
                    let _ = tokio::time::timeout(PATIENCE, end(&socket)).await;
                }
            });
        });
        let _ = ended.join();
        end_all_of(self.home.path());
    }
}

/// Ends a run and its holder.
async fn end(socket: &Path) {
    let Ok(mut link) = link::adopt(socket).await else { return };
    if link.handle.end(Vec::new()).await.is_err() {
        return;
    }
    while let Some(event) = link.events.recv().await {
        if matches!(event, HolderEvent::Gone | HolderEvent::NotGone(_)) {
            let _ = link.handle.collect().await;
            return;
        }
    }
}

async fn within<T>(answer: oneshot::Receiver<T>) -> T {
    tokio::time::timeout(PATIENCE, answer).await.expect("in time").expect("an answer")
}
