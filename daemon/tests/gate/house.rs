//! A daemon in a home of its own.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use posthouse_protocol::Later;
use posthouse_protocol::payload::{Status, StatusResponse};

use crate::peer::Peer;

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A home and the daemon in it. Dropping it ends the daemon and its sessions.
pub struct House {
    home: tempfile::TempDir,
    settings: Vec<String>,
    daemon: Option<Child>,
}

impl House {
    /// A home without a daemon; `settings` are given to every daemon started in it.
    pub fn new(settings: &[&str]) -> Self {
        // Under /tmp whatever TMPDIR says: a socket's path has to be short.
        let home = tempfile::Builder::new().prefix("ph").tempdir_in("/tmp").unwrap();
        Self { home, settings: settings.iter().map(|s| (*s).to_owned()).collect(), daemon: None }
    }

    pub fn started(settings: &[&str]) -> Self {
        let mut house = Self::new(settings);
        house.start();
        house
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn socket(&self) -> PathBuf {
        self.home().join("posthouse.sock")
    }

    /// The daemon's command, not started.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_posthoused"));
        command.env_remove("POSTHOUSE_SOCKET").env("POSTHOUSE_HOME", self.home()).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        for setting in &self.settings {
            command.arg("--set").arg(setting);
        }
        command
    }

    pub fn start(&mut self) {
        self.daemon = Some(self.command().spawn().unwrap());
        let begun = Instant::now();
        while UnixStream::connect(self.socket()).is_err() {
            assert!(begun.elapsed() < PATIENCE, "the daemon does not listen");
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.daemon.as_ref().unwrap().id()).unwrap())
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.daemon.take().unwrap().wait().unwrap()
    }

    pub fn status(&self) -> StatusResponse {
        Peer::operator(&self.socket()).ask(&Status {})
    }

    /// Descriptors that the daemon has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let Some(mut daemon) = self.daemon.take() else { return };
        if !std::thread::panicking() {
            Peer::operator(&self.socket())
                .ask(&posthouse_protocol::payload::Shutdown { release_all: true, restart: Later(None) });
        }
        let _ = daemon.kill();
        let _ = daemon.wait();
    }
}

/// Waits until `what` answers, and panics with its name if it does not.
pub fn eventually<T>(name: &str, mut what: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = what() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{name} did not come");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
