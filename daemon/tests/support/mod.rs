//! A private directory with holders in it, and ways to wait for what they say.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal;
use nix::unistd::Pid;
use posthoused::holder::link::{self, HolderEvent, HolderProgram, Link, LinkError, place};
use posthoused::holder::run::{Channel, Exit, RunId, RunSpec, Size, StreamId};
use posthoused::holder::script::{OperationId, Step};
use posthoused::holder::survey;
use tempfile::TempDir;
use uuid::Uuid;

/// Nothing here takes this long unless it is broken.
pub const GENEROUS: Duration = Duration::from_secs(30);

pub const SIZE: Size = Size { rows: 30, cols: 100 };

pub fn program() -> HolderProgram {
    HolderProgram::at(PathBuf::from(env!("CARGO_BIN_EXE_posthouse-holder")))
}

pub fn operation() -> OperationId {
    OperationId::new(Uuid::now_v7())
}

pub struct Yard {
    pub dir: TempDir,
    runs: RefCell<Vec<RunId>>,
}

/// A test that fails leaves none of its processes behind.
impl Drop for Yard {
    fn drop(&mut self) {
        for run in self.runs.take() {
            let holder = processes().find(|pid| second_word(*pid).as_deref() == Some(&run.to_string()));
            let left = survey::survivors(run, holder).unwrap_or_default();
            for pid in left.into_iter().map(|survivor| survivor.pid).chain(holder) {
                let _ = signal::kill(Pid::from_raw(pid.cast_signed()), signal::SIGKILL);
            }
        }
    }
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The run that a holder's command line names.
fn second_word(pid: u32) -> Option<String> {
    let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
    line.split('\0').nth(1).map(str::to_owned)
}

impl Yard {
    pub fn new() -> Self {
        let mine = std::fs::Permissions::from_mode(0o700);
        let dir = tempfile::Builder::new().prefix("ph").permissions(mine).tempdir().unwrap();
        Self { dir, runs: RefCell::default() }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A run of `sh -c script` on a terminal.
    pub fn shell(&self, script: &str) -> RunSpec {
        self.command(&["sh", "-c", script])
    }

    pub fn command(&self, argv: &[&str]) -> RunSpec {
        let spec = Self::spec_in(self.path(), argv);
        self.runs.borrow_mut().push(spec.run);
        spec
    }

    /// A run of `argv` whose socket and working directory are in `directory`.
    pub fn spec_in(directory: &Path, argv: &[&str]) -> RunSpec {
        let run = RunId::new(Uuid::now_v7());
        RunSpec {
            run,
            argv: argv.iter().map(Into::into).collect(),
            env: vec![("PATH".into(), std::env::var_os("PATH").unwrap()), ("LANG".into(), "C".into())],
            cwd: directory.to_owned(),
            channel: Channel::Terminal(SIZE),
            socket: place::socket(directory, run).unwrap(),
            ring: posthoused::holder::run::DEFAULT_RING,
            cgroup: None,
        }
    }

    pub fn socket_of(&self, held: &Held) -> PathBuf {
        place::socket(self.path(), held.link.handle.identity().run).unwrap()
    }

    pub async fn start(&self, spec: &RunSpec) -> Held {
        Held::new(link::spawn(&program(), spec).await.unwrap())
    }
}

/// A link whose output is collected while waiting for things.
pub struct Held {
    pub link: Link,
    pub output: Vec<u8>,
    /// Absolute offset of `output`'s end.
    pub offset: u64,
    pub exit: Option<Exit>,
    /// Output of a run on pipes, by stream.
    piped: Option<HashMap<StreamId, Vec<u8>>>,
    /// Whether pipes are acknowledged as they are read.
    pub acks: bool,
}

impl Held {
    pub fn new(link: Link) -> Self {
        Self { link, output: Vec::new(), offset: 0, exit: None, piped: None, acks: true }
    }

    /// For a run on pipes.
    pub fn piped(link: Link) -> Self {
        Self { piped: Some(HashMap::new()), ..Self::new(link) }
    }

    pub async fn adopt(socket: &Path) -> Self {
        Self::new(link::adopt(socket).await.unwrap())
    }

    /// The next event; output is collected and checked to be continuous.
    pub async fn next(&mut self) -> HolderEvent {
        let event = tokio::time::timeout(GENEROUS, self.link.events.recv())
            .await
            .expect("an event in time")
            .expect("the link goes on");
        match &event {
            HolderEvent::Output { stream, offset, bytes } if self.piped.is_some() => {
                let output = self.piped.get_or_insert_default().entry(*stream).or_default();
                assert_eq!(*offset, output.len() as u64, "output is continuous");
                output.extend_from_slice(bytes);
                let upto = output.len() as u64;
                if self.acks {
                    self.link.handle.ack(*stream, upto).await.unwrap();
                }
            }
            HolderEvent::Output { offset, bytes, .. } => {
                assert_eq!(*offset, self.offset, "output is continuous");
                self.output.extend_from_slice(bytes);
                self.offset += bytes.len() as u64;
            }
            HolderEvent::Gap { to, .. } => self.offset = *to,
            HolderEvent::Exited(exit) => self.exit = Some(*exit),
            _ => {}
        }
        event
    }

    pub async fn until(&mut self, wanted: impl Fn(&HolderEvent) -> bool) -> HolderEvent {
        loop {
            let event = self.next().await;
            if wanted(&event) {
                return event;
            }
        }
    }

    pub async fn until_text(&mut self, text: &str) {
        while !self.text().contains(text) {
            self.next().await;
        }
    }

    pub fn piped_output(&self, stream: StreamId) -> &[u8] {
        self.piped.as_ref().and_then(|piped| piped.get(&stream)).map_or(&[], Vec::as_slice)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }

    pub async fn until_gone(&mut self) {
        self.until(|event| matches!(event, HolderEvent::Gone)).await;
    }

    /// Ends the run at once, whatever it is, and lets the holder go.
    pub async fn finish(mut self) {
        self.link.handle.end(Vec::new()).await.unwrap();
        self.until_gone().await;
        self.link.handle.collect().await.unwrap();
    }

    /// Drops the connection as a dying daemon would.
    pub async fn abandon(self) {
        drop(self.link);
    }

    pub async fn lost(mut self) -> LinkError {
        match self.until(|event| matches!(event, HolderEvent::Lost { .. })).await {
            HolderEvent::Lost { why } => why,
            _ => unreachable!(),
        }
    }
}

/// Follows the terminal from `from`.
pub async fn follow(held: &mut Held, from: u64) {
    held.offset = from;
    held.link.handle.follow(StreamId::TERMINAL, from).await.unwrap();
}

/// `len` bytes that no accident repeats, the same in every run (a xorshift generator).
pub fn canary(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
    .take(len)
    .collect()
}

pub fn kill(pid: u32) {
    signal::kill(Pid::from_raw(pid.cast_signed()), signal::SIGKILL).unwrap();
}

/// Whether a process runs (a zombie does not).
pub fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

pub async fn until_dead(pid: u32) {
    let waiting = async {
        while is_alive(pid) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(GENEROUS, waiting).await.expect("the process ends");
}

/// A step that writes `text`.
pub fn bytes(text: &str) -> Step {
    Step::Bytes(text.as_bytes().to_vec())
}
