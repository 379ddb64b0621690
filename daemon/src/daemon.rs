//! The daemon as a whole: puts the rooms together, opens the gate, and takes everything down in order.
//!
//! The calling thread becomes the switchboard, which runs gate and post and nothing else, so that a message crosses
//! from one connection to another without waking a second thread. Sessions, credentials and failover share a small
//! runtime of their own.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use posthouse_protocol::handshake::DaemonInfo;
use sd_notify::NotifyState;
use serde_json::json;
use tokio::runtime::{Builder, Handle};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::config::{self, Config, ConfigError};
use crate::credential::actor::Actor as Credentials;
use crate::credential::http::Http;
use crate::credential::vault::Vault;
use crate::failover::actor::Actor as Failover;
use crate::failover::command::Failover as FailoverHandle;
use crate::failover::drift::shelf::Shelf;
use crate::gate::{self, Gate, ListenError, Place, Rooms, Stop};
use crate::harness::catalog::Catalog;
use crate::harness::error::HarnessError;
use crate::harness::versions::Versions;
use crate::holder::confines::Confines;
use crate::holder::link::HolderProgram;
use crate::holder::run::DEFAULT_RING;
use crate::journal::{
    DocumentKind, EventData, EventKind, Journal, LockError, NewEvent, Op, OpenError, ReadError, Retention,
    Subject,
};
use crate::lasting::{self, LastingError};
use crate::log::{self, LogError};
use crate::machine;
use crate::panics;
use crate::paths::{Paths, PathsError, make_private_dir};
use crate::post::Post;
use crate::renewal::{self, Renewal};
use crate::session::command::{Sessions, SessionsCommand};
use crate::session::house::House;
use crate::session::registry;
use crate::session::spec::SessionRecord;

/// Threads that run sessions.
const SESSION_THREADS: usize = 2;
/// How long sessions may take to note where they stand, at the end.
const SESSIONS_END: Duration = Duration::from_secs(5);
/// Room that descriptors other than sockets need.
const OTHER_DESCRIPTORS: u64 = 256;

/// Why the daemon did not start, or ended; completes "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The log's filter or file is wrong.
    #[error(transparent)]
    Log(#[from] LogError),
    /// There is no place for the daemon's files.
    #[error(transparent)]
    Paths(#[from] PathsError),
    /// The journal did not open.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// The journal could not be read.
    #[error(transparent)]
    Recover(#[from] ReadError),
    /// A file beside the journal could not be read or kept.
    #[error(transparent)]
    Lasting(#[from] LastingError),
    /// The built-in harness definitions are broken.
    #[error(transparent)]
    Harness(#[from] HarnessError),
    /// There is no socket.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The system refused something else.
    #[error("{action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl DaemonError {
    /// The exit code that says what kind of failure it was: 2 for a configuration to be corrected, 3 for another daemon
    /// that is there already, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Log(LogError::Filter { .. }) => 2,
            Self::Journal(OpenError::Locked(LockError::Held { .. }))
            | Self::Listen(ListenError::InUse { .. }) => 3,
            _ => 1,
        }
    }
}

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A configuration file in place of the user's.
    pub config: Option<PathBuf>,
    /// Single settings, as `section.key=value`.
    pub settings: Vec<String>,
    /// Leave the terminal it was started from: a session of its own from the start, and no standard error once it is
    /// ready, so that whoever started it can read why it did not become so.
    pub background: bool,
}

/// Runs a daemon until someone asks for its end, by SHUTDOWN or by a signal. Sessions go on in either case.
///
/// # Errors
/// Whatever keeps it from starting. The state is then as it was.
pub fn run(options: Options) -> Result<(), DaemonError> {
    if options.background {
        // Fails only for the leader of a process group, which has left the terminal's session already.
        let _ = nix::unistd::setsid();
    }
    let background = options.background;
    let paths = Paths::from_env(|name| std::env::var_os(name))?;
    let config = Config::load(&sources(&paths, options))?;
    paths.prepare()?;
    log::start(&config.log, &paths.log())?;
    panics::install();
    outlive_large_files().map_err(|source| DaemonError::System { action: "handle signals", source })?;
    raise_descriptors(u64::from(config.limits.connections) + OTHER_DESCRIPTORS);
    let renewal = Renewal::of_this_process()
        .map_err(|source| DaemonError::System { action: "find the daemon's program", source })?;
    let journal = Journal::open(&paths.state, journal_options(&config.journal))?;
    let generation = lasting::next_generation(&paths.state)?;
    let system = |action| move |source| DaemonError::System { action, source };

    let sessions = Builder::new_multi_thread()
        .worker_threads(SESSION_THREADS)
        .thread_name("sessions")
        .enable_all()
        .build()
        .map_err(system("start the sessions' threads"))?;
    let switchboard =
        Builder::new_current_thread().enable_all().build().map_err(system("start the switchboard"))?;
    let house = Daemon {
        paths: &paths,
        config: &config,
        journal: &journal,
        generation,
        sessions: sessions.handle(),
        background,
        program: renewal.program(),
    };
    let outcome = switchboard.block_on(house.live());
    // What still runs on them has been told to end and had its time.
    switchboard.shutdown_background();
    sessions.shutdown_background();
    journal.close();
    match outcome? {
        Some(listener) => Err(system("run the daemon anew")(renewal.exec(listener))),
        None => Ok(()),
    }
}

fn sources(paths: &Paths, options: Options) -> config::Sources {
    let user = paths.config.join("config.toml");
    let files = match options.config {
        Some(_) => vec![config::system_file()],
        None => vec![config::system_file(), user],
    };
    let variables =
        std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    config::Sources {
        files,
        named_file: options.config,
        variables: variables.collect(),
        settings: options.settings,
    }
}

fn journal_options(config: &config::Journal) -> crate::journal::Options {
    let retention = Retention {
        event_age_ms: config.event_age_ms,
        event_rows: config.event_rows,
        message_age_ms: config.message_age_ms,
        receipt_rows: config.receipt_rows,
        bytes: config.bytes,
    };
    crate::journal::Options { retention, max_bytes: (config.max_bytes > 0).then_some(config.max_bytes) }
}

/// Where files may not grow beyond a limit, writing more is to be an error like that of a full disk, and not the end. A
/// handler, so that programs which are started from here begin with the usual action.
fn outlive_large_files() -> std::io::Result<()> {
    signal_hook::flag::register(nix::sys::signal::Signal::SIGXFSZ as i32, Arc::default()).map(drop)
}

/// Every connection is a descriptor, and the usual soft limit is lower than the hard one for programs that use
/// `select`, which this is not.
fn raise_descriptors(wanted: u64) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    if soft < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::warn!(%error, soft, "failed to raise the limit of open files");
    }
    if hard < wanted {
        tracing::warn!(hard, wanted, "fewer open files are allowed than the configured connections need");
    }
}

/// A daemon that is being put together.
struct Daemon<'a> {
    paths: &'a Paths,
    config: &'a Config,
    journal: &'a Journal,
    generation: u64,
    sessions: &'a Handle,
    background: bool,
    program: &'a Path,
}

impl Daemon<'_> {
    /// Returns the listener if the program is to be run anew.
    async fn live(&self) -> Result<Option<OwnedFd>, DaemonError> {
        let owner = nix::unistd::geteuid().as_raw();
        // Signals are taken from here on, so that one during the start ends the daemon in order.
        let signals = Signals::listen()?;
        self.note(
            "daemon.started",
            json!({ "version": version(), "pid": std::process::id(), "generation": self.generation }),
        );

        let (post, actor) = Post::recover(owner, self.journal, &self.config.limits)?;
        let post_ended = tokio::spawn(actor.run());
        let catalog = Arc::new(self.catalog()?);
        let http = Http::from_env(|name| std::env::var_os(name));
        let confines = Arc::new(Confines::find(&self.config.runs));
        let (sessions, credentials, failover) =
            self.start_sessions(owner, &post, catalog.clone(), http.clone(), confines.clone()).await?;
        let rooms = Rooms {
            post,
            sessions: sessions.clone(),
            credentials,
            failover: failover.commands,
            http,
            catalog,
            confines,
            desk: self.journal.desk(),
            journal: self.journal.writer(),
        };
        let info = DaemonInfo {
            version: version().to_owned(),
            pid: std::process::id(),
            generation: self.generation,
        };
        let place = Place {
            socket: self.paths.socket.clone(),
            state: self.paths.state.clone(),
            program: self.program.to_owned(),
            uid: owner,
        };
        let gate = Gate::new(rooms, self.config.limits.clone(), info, place);
        let listener = match gate::handed()? {
            Some(listener) => listener,
            None => gate::bind(&self.paths.socket)?,
        };
        tokio::spawn(signals.forward(gate.stop(), self.program.to_owned()));
        if self.background {
            silence_stderr();
        }
        tell_systemd(&[NotifyState::Ready]);
        tracing::info!(socket = %self.paths.socket.display(), generation = self.generation, "ready");

        let again = gate.serve(listener).await;
        // The same process goes on: for systemd it does not stop.
        if again.is_none() {
            tell_systemd(&[NotifyState::Stopping]);
        }
        gate.close().await;
        end_sessions(sessions).await;
        // Post ends once the last room that could tell it something has.
        let _ = tokio::time::timeout(SESSIONS_END, post_ended).await;
        self.note("daemon.stopped", json!({ "generation": self.generation }));
        tracing::info!("ended; sessions go on");
        Ok(again)
    }

    /// Starts everything that runs beside the switchboard, and waits until the sessions of earlier daemons are adopted.
    async fn start_sessions(
        &self,
        owner: u32,
        post: &mpsc::Sender<crate::post::command::PostCommand>,
        catalog: Arc<Catalog>,
        http: Http,
        confines: Arc<Confines>,
    ) -> Result<(Sessions, crate::credential::command::Credentials, FailoverHandle), DaemonError> {
        let reader = self.journal.reader()?;
        let credentials = reader.documents(DocumentKind::Credential)?;
        let cooldowns = reader.documents(DocumentKind::Cooldown)?;
        let routes = reader.documents(DocumentKind::Route)?;
        let versions = reader.documents(DocumentKind::Harness)?;
        let records = reader.documents(DocumentKind::Session)?;
        let records = records.iter().filter_map(|document| {
            let record = document.value.parse::<SessionRecord>();
            // Left in the journal: a newer daemon may have written it, and will know it again.
            record
                .inspect_err(|e| tracing::error!(key = %document.key.key, "failed to read a session: {e}"))
                .ok()
        });
        let private = self.paths.state.join("sessions");
        make_private_dir(&private)?;
        let holder = HolderProgram::find()
            .map_err(|source| DaemonError::System { action: "find the holder's program", source })?;
        let (credentials, failover, versions) = {
            let _on = self.sessions.enter();
            let vault = Vault::new(self.paths.keys());
            let writer = || self.journal.writer();
            let credentials = Credentials::start(&credentials, vault, catalog.clone(), writer(), http);
            let failover = Failover::start(
                &cooldowns,
                &routes,
                credentials.clone(),
                catalog.clone(),
                writer(),
                Clock::system(),
                Shelf::of(&self.paths.state),
            );
            let versions = Versions::start(&versions, owner, writer(), Clock::system());
            (credentials, failover, versions)
        };
        let house = House {
            owner,
            catalog,
            holder,
            sockets: self.paths.holders.clone(),
            private,
            socket: self.paths.socket.clone(),
            helper: helper(self.program),
            outer: environment(),
            marks: lasting::marks(&self.paths.state)?,
            boot: machine::boot(),
            ring: DEFAULT_RING,
            confines,
            journal: self.journal.writer(),
            post: post.clone(),
            failover: failover.clone(),
            versions,
        };
        let (sessions, adopted) = {
            let _on = self.sessions.enter();
            registry::start(house, records.collect())
        };
        let count = adopted.await.unwrap_or(0);
        if count > 0 {
            tracing::info!(count, "sessions adopted");
        }
        Ok((sessions, credentials, failover))
    }

    /// Built-in definitions, then the system's, then the user's. A broken one is reported and takes no other down.
    fn catalog(&self) -> Result<Catalog, DaemonError> {
        let (catalog, broken) = Catalog::builtin()?.with_dirs(&self.paths.definitions());
        for error in broken {
            tracing::error!("failed to {error}");
        }
        Ok(catalog)
    }

    fn note(&self, kind: &'static str, data: serde_json::Value) {
        let event = NewEvent {
            owner: nix::unistd::geteuid().as_raw(),
            kind: EventKind::new(kind),
            subject: Subject::Named("daemon".into()),
            cause: None,
            actor: None,
            data: EventData::of(&data).unwrap_or_default(),
            at_ms: gate::now_ms(),
        };
        let submitted = self.journal.writer().submit(
            vec![Op::Event(event)],
            crate::journal::Durability::Relaxed,
            crate::journal::Done::None,
        );
        if let Err(error) = submitted {
            tracing::warn!("failed to {error}");
        }
    }
}

/// The daemon's release.
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// The command line's program, where it is installed beside the daemon's.
fn helper(daemon: &Path) -> Option<PathBuf> {
    Some(daemon.with_file_name("posthouse")).filter(|program| program.is_file())
}

fn environment() -> BTreeMap<String, String> {
    std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect()
}

/// Lets every session note where it stands. Those that were told by SHUTDOWN have done so already.
async fn end_sessions(sessions: Sessions) {
    let (reply, ended) = oneshot::channel();
    if sessions.0.send(SessionsCommand::Shutdown { release_all: false, reply }).await.is_ok() {
        let _ = tokio::time::timeout(SESSIONS_END, ended).await;
    }
}

/// Whoever reads standard error has seen that the daemon is ready, and may be gone. The log goes on in its file.
fn silence_stderr() {
    let null = std::fs::OpenOptions::new().write(true).open("/dev/null");
    let silenced = null.and_then(|null| nix::unistd::dup2_stderr(null).map_err(Into::into));
    if let Err(error) = silenced {
        tracing::warn!(%error, "failed to leave standard error");
    }
}

fn tell_systemd(state: &[NotifyState<'_>]) {
    // Without systemd there is nobody to tell; with it, the log is where a failure belongs.
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "failed to tell systemd");
    }
}

/// SIGTERM and SIGINT, which end the daemon and nothing else, and SIGUSR2, which has it run its program anew.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    renew: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> Result<Self, DaemonError> {
        let listen = |kind| {
            signal(kind).map_err(|source| DaemonError::System { action: "listen for signals", source })
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            renew: listen(SignalKind::user_defined2())?,
        })
    }

    async fn forward(mut self, stop: Stop, program: PathBuf) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
                Some(()) = self.renew.recv() => match renewal::check(&program).await {
                    Ok(next) => {
                        tracing::info!(next, "the program is run anew, on a signal");
                        return stop.and_again();
                    }
                    Err(why) => tracing::error!("failed to {why}"),
                },
            }
        }
        tracing::info!("ending on a signal");
        stop.now();
    }
}
