//! A private daemon for one test: its own home, its real programs, and nothing left behind.

mod build;
mod canary;
mod cli;
mod mail;
mod points;
mod processes;
mod standin;
mod watch;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use posthouse_client::{Client, ClientError, Options};
use posthouse_protocol::Hello;
use posthouse_protocol::handshake::Capabilities;

pub use build::build_programs;
pub use canary::{CANARY, Canary};
pub use cli::{Ran, Running};
pub use mail::{next, until_refused, until_state};
pub use points::Points;
pub(crate) use processes::end_all_of;
pub use processes::{alive, parent, signal};
pub use watch::Watch;

/// How long anything in a test may take before it counts as hung. Generous: machines are shared and slow.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon's surroundings. Dropping it ends every process that was started in it.
#[derive(Debug)]
pub struct World {
    home: tempfile::TempDir,
    daemon: Option<Child>,
    client: PathBuf,
    env: BTreeMap<OsString, OsString>,
}

/// The program `name` of this workspace, as built beside the running test.
///
/// # Panics
/// When it was not built: `cargo build --workspace --bins` builds it.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a path");
    let found = test.ancestors().skip(1).map(|dir| dir.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not built; run: cargo build --workspace --bins"))
}

impl World {
    /// An empty home; no daemon runs yet.
    pub fn new() -> Self {
        // Under /tmp whatever TMPDIR says: a socket's path has to be short.
        let home = tempfile::Builder::new().prefix("ph-").tempdir_in("/tmp").expect("a home");
        let mut env: BTreeMap<OsString, OsString> = ["PATH", "HOME", "USER", "LANG", "TZ"]
            .iter()
            .filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)))
            .collect();
        env.insert("POSTHOUSE_HOME".into(), home.path().into());
        env.insert("POSTHOUSE_NAME".into(), "tester".into());
        Self { home, daemon: None, client: program("posthouse"), env }
    }

    /// The same with a daemon that answers.
    pub fn started() -> Self {
        let mut world = Self::new();
        world.start();
        world
    }

    /// `POSTHOUSE_HOME`.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The daemon's socket.
    pub fn socket(&self) -> PathBuf {
        self.home().join("posthouse.sock")
    }

    /// Sets a variable for the daemon and for commands started from now on.
    pub fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.env.insert(name.into(), value.into());
    }

    /// Has commands run by the `posthouse` at this path.
    pub fn use_client(&mut self, program: &Path) {
        self.client = program.to_owned();
    }

    /// Adds a harness definition of the user's own.
    pub fn define_harness(&self, name: &str, toml: &str) {
        let dir = self.home().join("config/harnesses");
        std::fs::create_dir_all(&dir).expect("the directory of definitions");
        std::fs::write(dir.join(format!("{name}.toml")), toml).expect("a definition");
    }

    /// Starts the daemon and waits until it accepts connections.
    pub fn start(&mut self) {
        self.start_program(&program("posthoused"));
    }

    /// The same with the daemon at this path.
    pub fn start_program(&mut self, program: &Path) {
        self.launch(program);
        self.wait_for_socket();
    }

    /// Starts the daemon at this path and waits for nothing.
    pub fn launch(&mut self, program: &Path) {
        assert!(self.daemon.is_none(), "a daemon runs already");
        let log = File::create(self.home().join("daemon.stderr")).expect("a file for the daemon's words");
        let child = Command::new(program)
            .env_clear()
            .envs(&self.env)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the daemon starts");
        self.daemon = Some(child);
    }

    /// Waits until the daemon accepts connections.
    pub fn wait_for_socket(&mut self) {
        let begun = Instant::now();
        while std::os::unix::net::UnixStream::connect(self.socket()).is_err() {
            let ended = self.daemon.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(ended.is_none(), "the daemon ended: {ended:?}\n{}", self.words());
            assert!(begun.elapsed() < PATIENCE, "the daemon does not listen\n{}", self.words());
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }

    /// The daemon's process.
    pub fn daemon_pid(&self) -> u32 {
        self.daemon.as_ref().map(Child::id).expect("a daemon runs")
    }

    /// `kill -9` of the daemon.
    pub fn kill(&mut self) {
        let mut daemon = self.daemon.take().expect("a daemon runs");
        daemon.kill().expect("a child can be killed");
        daemon.wait().expect("a killed child is reaped");
    }

    /// `kill -9` of the daemon and a new one in its place.
    pub fn kill_and_restart(&mut self) {
        self.kill();
        self.start();
    }

    /// Waits for a daemon that was told to end.
    pub fn wait_for_end(&mut self) -> std::process::ExitStatus {
        let mut daemon = self.daemon.take().expect("a daemon runs");
        let begun = Instant::now();
        loop {
            if let Some(status) = daemon.try_wait().expect("a child can be asked") {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the daemon does not end\n{}", self.words());
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// How the daemon ended, if it has.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        let status = self.daemon.as_mut()?.try_wait().expect("a child can be asked")?;
        self.daemon = None;
        Some(status)
    }

    /// Every live process of this world: the daemon, holders if they come by fail points, harnesses.
    pub fn processes(&self) -> Vec<u32> {
        processes::of(self.home())
    }

    /// What the daemon wrote on standard error.
    pub fn words(&self) -> String {
        let mut text = String::new();
        let read =
            File::open(self.home().join("daemon.stderr")).and_then(|mut file| file.read_to_string(&mut text));
        read.map_or_else(|e: io::Error| e.to_string(), |_| text)
    }

    /// A client of that name that takes deliveries and wants receipts.
    pub async fn client(&self, name: &str) -> Client {
        let mut hello = Hello::new(name);
        hello.capabilities =
            Capabilities { receipts: Some(true), ack: Some(true), ..Capabilities::default() };
        self.connect(hello).await.expect("a welcome")
    }

    /// A client that says this.
    pub async fn connect(&self, hello: Hello) -> Result<Client, ClientError> {
        Client::connect(&Options { socket: self.socket(), hello, timeout: PATIENCE }).await
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the daemon's words ---\n{}", self.words());
        }
        if self.daemon.is_some() {
            // Politely first; whatever is left is ended below.
            let _ = self.cli(&["down", "--release-all"]);
        }
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        processes::end_all_of(self.home());
    }
}
