//! A daemon that takes its own place: it ends in order, and its process runs the program at the same path anew. The
//! listening socket stays open, so that nobody who connects meanwhile is turned away; the process id stays, so that
//! whoever supervises it sees no end.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::sys;

/// How long a program may take to say its version.
const VERSION_LIMIT: Duration = Duration::from_secs(5);

/// How this process was started.
#[derive(Clone, Debug)]
pub struct Renewal {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Renewal {
    /// Of the running process. To be asked at its start: once its file is replaced, the system names the old one.
    ///
    /// # Errors
    /// The system does not say.
    pub fn of_this_process() -> io::Result<Self> {
        Ok(Self { program: std::env::current_exe()?, arguments: std::env::args_os().skip(1).collect() })
    }

    /// The program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Ends this process's program and runs the one that is at its path now, with the listener as systemd would hand it
    /// over. Returns only if that fails.
    #[must_use]
    pub fn exec(&self, listener: OwnedFd) -> io::Error {
        if let Err(error) = sys::hand_over(listener) {
            return error;
        }
        Command::new(&self.program)
            .args(&self.arguments)
            .env("LISTEN_PID", std::process::id().to_string())
            .env("LISTEN_FDS", "1")
            .env("LISTEN_FDNAMES", "control")
            .exec()
    }
}

/// Whether the program at this path can take over: it starts and says its version.
///
/// # Errors
/// A sentence that completes "failed to …".
pub async fn check(program: &Path) -> Result<String, String> {
    let fail = |why: String| format!("restart the daemon: {} does not start: {why}", program.display());
    let mut command = tokio::process::Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(VERSION_LIMIT, command.output());
    let output =
        output.await.map_err(|_| fail(format!("no version within {} s", VERSION_LIMIT.as_secs())))?;
    let output = output.map_err(|e| fail(e.to_string()))?;
    if !output.status.success() {
        return Err(fail(format!("it ended with {}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
