//! The `posthouse` command in a world.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::{PATIENCE, World};

/// How a command ended and what it printed.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its exit code; -1 after a signal.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// A command that runs.
#[derive(Debug)]
pub struct Running(tokio::process::Child);

impl Running {
    /// Its process.
    ///
    /// # Panics
    /// When it has been waited for.
    pub fn pid(&self) -> u32 {
        self.0.id().expect("a command that runs")
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it takes too long.
    pub async fn ended(self) -> Ran {
        let output = tokio::time::timeout(PATIENCE, self.0.wait_with_output());
        ran(output.await.expect("posthouse ends in time").expect("posthouse ends"))
    }
}

fn ran(output: Output) -> Ran {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

impl Ran {
    /// Standard output as one JSON document.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("not JSON ({e}): {self:?}"))
    }

    /// Itself, if the exit code was 0.
    ///
    /// # Panics
    /// When it was not.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

impl World {
    /// Runs `posthouse ARGS…`.
    pub fn cli(&self, args: &[&str]) -> Ran {
        self.cli_with_input(args, b"")
    }

    /// Runs `posthouse ARGS…` with something on standard input.
    pub fn cli_with_input(&self, args: &[&str], input: &[u8]) -> Ran {
        let mut child = self
            .command()
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("posthouse starts");
        if let Some(mut stdin) = child.stdin.take() {
            // A command that does not read its input is no error.
            let _ = stdin.write_all(input);
        }
        ran(child.wait_with_output().expect("posthouse ends"))
    }

    /// Starts `posthouse ARGS…`, which takes its time. It is ended when what comes back is dropped.
    pub fn cli_in_background(&self, args: &[&str]) -> Running {
        let mut command = tokio::process::Command::from(self.command());
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(command.kill_on_drop(true).spawn().expect("posthouse starts"))
    }

    /// `posthouse` in this world, to be given arguments.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.client);
        command.env_clear().envs(&self.env);
        command
    }

    /// The session of that name as `ls --json` shows it.
    ///
    /// # Panics
    /// When there is none.
    pub fn session(&self, name: &str) -> Value {
        let listed = self.cli(&["ls", "--json"]).ok().json();
        let sessions = listed["sessions"].as_array().cloned().unwrap_or_default();
        let found = sessions.into_iter().find(|session| session["name"] == name);
        found.unwrap_or_else(|| panic!("no session {name}: {listed}"))
    }
}
