//! A daemon of the proof's own: its own home under the temporary directory, its own socket, and nothing of it left at the end.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use posthouse_client::{Client, ClientError, Options, launch};
use posthouse_protocol::Hello;
use posthouse_protocol::handshake::Capabilities;
use tokio::time::{Instant, sleep};

use crate::exit::{Exit, Failure};

/// How long a daemon may take to answer after its start.
const START: Duration = Duration::from_secs(10);
/// How often it is tried.
const AGAIN: Duration = Duration::from_millis(5);

/// The daemon and its home.
#[derive(Debug)]
pub struct Private {
    home: PathBuf,
    child: Option<Child>,
    /// Processes that a proof which broke off would leave behind.
    started: Vec<u32>,
}

impl Private {
    /// Makes a home and starts a daemon in it.
    pub fn start() -> Result<Self, Failure> {
        let home = std::env::temp_dir().join(format!("ph-prove-{}", std::process::id()));
        DirBuilder::new()
            .mode(0o700)
            .create(&home)
            .map_err(|e| Failure::new(Exit::Failed, format!("make {}: {e}", home.display())))?;
        let mut private = Self { home, child: None, started: Vec::new() };
        private.begin()?;
        Ok(private)
    }

    /// Starts the daemon.
    pub fn begin(&mut self) -> Result<(), Failure> {
        let words = File::create(self.home.join("words"))?;
        let program = launch::daemon_program();
        let mut command = Command::new(&program);
        // What configures the user's daemon is not for this one.
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("POSTHOUSE_"))
        {
            command.env_remove(name);
        }
        let child = command
            .env("POSTHOUSE_HOME", &self.home)
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(words)
            .spawn()
            .map_err(|e| Failure::new(Exit::NoDaemon, format!("start {}: {e}", program.display())))?;
        self.child = Some(child);
        Ok(())
    }

    /// `kill -9` of the daemon.
    pub fn kill(&mut self) -> Result<(), Failure> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Where it keeps everything.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Remembers a process that is to be ended if the proof breaks off.
    pub fn remember(&mut self, pid: u32) {
        self.started.push(pid);
    }

    /// Connects as a client of that name, once the daemon answers.
    pub async fn connect(&self, name: &str) -> Result<Client, Failure> {
        let until = Instant::now() + START;
        loop {
            let mut hello = Hello::new(name);
            hello.entity_type = Some("user".to_owned());
            hello.capabilities =
                Capabilities { receipts: Some(true), ack: Some(true), ..Capabilities::default() };
            let socket = self.home.join("posthouse.sock");
            let options = Options { socket, hello, timeout: START };
            match Client::connect(&options).await {
                Err(ClientError::NotRunning { .. }) if Instant::now() < until => sleep(AGAIN).await,
                outcome => return Ok(outcome?),
            }
        }
    }

    /// Waits until the daemon, which was told so, has ended.
    pub async fn ended(&mut self) -> Result<(), Failure> {
        let until = Instant::now() + START;
        if let Some(mut child) = self.child.take() {
            while child.try_wait()?.is_none() {
                if Instant::now() > until {
                    child.kill()?;
                    child.wait()?;
                    return Err(Failure::new(Exit::Failed, "see the private daemon end"));
                }
                sleep(AGAIN).await;
            }
        }
        // A number that is free again may be somebody else's soon.
        self.started.retain(|pid| lives(*pid));
        Ok(())
    }
}

/// Whether a process is there, and no zombie.
pub fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// The process that started `pid`.
pub fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.split(' ').nth(1)?.parse().ok()
}

impl Drop for Private {
    fn drop(&mut self) {
        let _ = self.kill();
        for pid in self.started.drain(..).filter(|pid| lives(*pid)) {
            if let Ok(pid) = i32::try_from(pid) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        let _ = std::fs::remove_dir_all(&self.home);
    }
}
