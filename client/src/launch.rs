//! Starting the daemon where none runs.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Client, ClientError, Options};

/// How long a daemon may take from its start to WELCOME.
const START_DEADLINE: Duration = Duration::from_secs(20);
/// Pause between two looks at the socket.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Connects; starts a daemon first if nobody listens and `inside` a session is false.
///
/// `waiting` is called once if the start takes more than a second.
pub async fn connect_or_start(
    options: &Options,
    inside: bool,
    waiting: impl FnOnce(),
) -> Result<Client, ClientError> {
    match Client::connect(options).await {
        Err(ClientError::NotRunning { .. }) if inside => Err(ClientError::Start(
            "no daemon runs, and it is never started from inside a session; run `posthouse up` outside of it"
                .to_owned(),
        )),
        Err(ClientError::NotRunning { .. }) => start(options, waiting).await,
        other => other,
    }
}

async fn start(options: &Options, waiting: impl FnOnce()) -> Result<Client, ClientError> {
    let mut child = Command::new(daemon_program())
        .arg("--background")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| ClientError::Start(format!("{}: {e}", daemon_program().display())))?;
    let begun = Instant::now();
    let mut waiting = Some(waiting);
    loop {
        match Client::connect(options).await {
            Err(ClientError::NotRunning { .. }) => {}
            other => return other,
        }
        if let Some(status) = child.try_wait()? {
            // A second daemon that lost the race ends at once; the winner's socket may need another moment.
            return match Client::connect(options).await {
                Err(ClientError::NotRunning { .. }) => {
                    Err(ClientError::Start(format!("it ended with {status}: {}", last_words(&mut child))))
                }
                other => other,
            };
        }
        if begun.elapsed() > START_DEADLINE {
            return Err(ClientError::Start(format!(
                "it did not answer at {} within {} s",
                options.socket.display(),
                START_DEADLINE.as_secs()
            )));
        }
        if begun.elapsed() > Duration::from_secs(1)
            && let Some(waiting) = waiting.take()
        {
            waiting();
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// `posthoused` beside this program, else on PATH.
pub fn daemon_program() -> PathBuf {
    let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(|dir| dir.join("posthoused")));
    beside.filter(|path| path.is_file()).unwrap_or_else(|| Path::new("posthoused").to_path_buf())
}

fn last_words(child: &mut Child) -> String {
    use std::io::Read;
    let mut text = String::new();
    if let Some(stderr) = child.stderr.take() {
        // The daemon is gone, so this ends; what it said is bounded by the pipe.
        let _ = stderr.take(16 * 1024).read_to_string(&mut text);
    }
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.last().map_or_else(|| "it said nothing".to_owned(), |line| (*line).to_owned())
}
