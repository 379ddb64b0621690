//! Making a link: start a holder with its run, or adopt one that lives.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::Command as Process;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::actor::{Actor, refused};
use super::handle::{LinkHandle, WINDOW};
use super::{HolderEvent, Identity, Link, LinkError};
use crate::fail_point::{self, Point};
use crate::holder::run::{Channel, RunSpec, StreamId};
use crate::holder::wire::{
    Command, Deframer, Event, Failed, Follow, Hello, Launch, MAX_FRAME, MAX_VERSION, MIN_VERSION, Started,
    WireError,
};

/// How long a holder may take to start its run. Only a machine in distress needs this long, and the
/// run may have started all the same: its socket tells.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long a holder may take to answer HELLO.
const HELLO_LIMIT: Duration = Duration::from_secs(5);
/// Commands that may wait.
const MAX_ORDERS: usize = 64;
/// Events that may wait, besides the backlog.
const MAX_EVENTS: usize = 16;

/// The holder's executable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolderProgram(PathBuf);

impl HolderProgram {
    /// The executable at `path`.
    pub const fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// What `POSTHOUSE_HOLDER` names, else `posthouse-holder` next to this program.
    ///
    /// # Errors
    /// If this program's own path is unknown.
    pub fn find() -> io::Result<Self> {
        if let Some(path) = std::env::var_os("POSTHOUSE_HOLDER") {
            return Ok(Self(path.into()));
        }
        Ok(Self(std::env::current_exe()?.with_file_name("posthouse-holder")))
    }
}

/// Starts a holder and its run; returns once the child executes its program. All streams are
/// followed from their start.
///
/// # Errors
/// [`LinkError::NotStarted`] with the truthful reason if the run could not be started (nothing is
/// left then), or whatever kept the daemon from talking to the holder (the run may live then).
pub async fn spawn(program: &HolderProgram, spec: &RunSpec) -> Result<Link, LinkError> {
    let mut launch = Vec::new();
    Command::Launch(encode(spec)).encode(0, &mut launch)?;
    // Nothing of the daemon's environment is the holder's business. The run id on the command line
    // is what tells people and the ancestry check whose holder it is.
    let mut process = Process::new(&program.0)
        .arg(spec.run.to_string())
        .env_clear()
        .envs(fail_point::inherited())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|source| LinkError::Execute { program: program.0.clone(), source })?;
    fail_point::at(Point::SpawnHolder).await;
    let (stdin, stdout) = (process.stdin.take(), process.stdout.take());
    // Reaps the holder whenever it ends; it is never killed from here.
    tokio::spawn(async move { process.wait().await });
    let (Some(mut stdin), Some(mut stdout)) = (stdin, stdout) else { return Err(LinkError::Lost) };
    let answer = timeout(START_LIMIT, async {
        stdin.write_all(&launch).await?;
        read_event(&mut stdout).await
    });
    match answer.await.map_err(|_| LinkError::Silent { seconds: START_LIMIT.as_secs() })?? {
        Event::Started(Started { .. }) => {}
        Event::Failed(Failed { code, errno, text }) => {
            return Err(LinkError::NotStarted { code, errno, text });
        }
        other => return Err(LinkError::Unexpected { kind: other.kind() }),
    }
    let streams = match spec.channel {
        Channel::Terminal(_) => &[StreamId::TERMINAL][..],
        Channel::Pipes => &[StreamId::STDOUT, StreamId::STDERR],
    };
    let follows: Vec<Follow> =
        streams.iter().map(|stream| Follow { stream: *stream, from: 0, window: WINDOW }).collect();
    connect(&spec.socket, &follows).await
}

/// Connects to a living holder. No output flows until [`LinkHandle::follow`]; an end that has
/// happened already is told at once.
///
/// # Errors
/// [`LinkError::NoHolder`] if it is dead, [`LinkError::Refused`] if it does not want this daemon
/// (its version, its ancestry).
pub async fn adopt(socket: &Path) -> Result<Link, LinkError> {
    connect(socket, &[]).await
}

/// The streams to follow are named in the same breath as HELLO, so that their output comes before
/// the news of an end that has happened already.
async fn connect(socket: &Path, follows: &[Follow]) -> Result<Link, LinkError> {
    let (stream, deframer, identity) = timeout(HELLO_LIMIT, greet(socket, follows))
        .await
        .map_err(|_| LinkError::Silent { seconds: HELLO_LIMIT.as_secs() })??;
    let (orders, order_queue) = mpsc::channel(MAX_ORDERS);
    let (events, event_queue) = mpsc::channel::<HolderEvent>(MAX_EVENTS);
    tokio::spawn(Actor::new(stream, deframer, order_queue, events).following(follows).run());
    Ok(Link { handle: LinkHandle::new(identity, orders), events: event_queue })
}

async fn greet(socket: &Path, follows: &[Follow]) -> Result<(UnixStream, Deframer, Identity), LinkError> {
    let mut stream = UnixStream::connect(socket).await.map_err(|e| match e.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
            LinkError::NoHolder { socket: socket.to_owned() }
        }
        _ => LinkError::Io(e),
    })?;
    let mut hello = Vec::new();
    Command::Hello(Hello { min_version: MIN_VERSION, max_version: MAX_VERSION }).encode(0, &mut hello)?;
    for follow in follows {
        Command::Follow(*follow).encode(0, &mut hello)?;
    }
    // A holder that refuses this peer says so and closes without reading HELLO.
    let sent = stream.write_all(&hello).await;
    let mut deframer = Deframer::default();
    loop {
        if let Some(payload) = deframer.next_payload()? {
            match Event::decode(&payload)?.message {
                Event::Welcome(welcome) => {
                    sent?;
                    let identity = Identity {
                        run: welcome.run,
                        holder_pid: welcome.holder_pid,
                        child_pid: welcome.child_pid,
                        version: welcome.version,
                    };
                    return Ok((stream, deframer, identity));
                }
                Event::Fault(fault) => return Err(refused(fault)),
                other => return Err(LinkError::Unexpected { kind: other.kind() }),
            }
        }
        if stream.read_buf(deframer.space()).await? == 0 {
            return Err(LinkError::Lost);
        }
    }
}

async fn read_event(from: &mut (impl tokio::io::AsyncRead + Unpin)) -> Result<Event, LinkError> {
    let length = usize::try_from(from.read_u32().await?).unwrap_or(usize::MAX);
    if length > MAX_FRAME {
        return Err(WireError::Oversize(length).into());
    }
    let mut payload = vec![0; length];
    from.read_exact(&mut payload).await?;
    Ok(Event::decode(&Bytes::from(payload))?.message)
}

fn encode(spec: &RunSpec) -> Launch {
    Launch {
        run: spec.run,
        argv: spec.argv.iter().map(|word| word.as_bytes().to_vec()).collect(),
        env: spec
            .env
            .iter()
            .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
            .collect(),
        cwd: spec.cwd.as_os_str().as_bytes().to_vec(),
        terminal: match spec.channel {
            Channel::Terminal(size) => Some(size),
            Channel::Pipes => None,
        },
        socket: spec.socket.as_os_str().as_bytes().to_vec(),
        ring: spec.ring as u64,
        cgroup: spec.cgroup.as_ref().map(|path| path.as_os_str().as_bytes().to_vec()),
    }
}
