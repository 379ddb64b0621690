//! Who can carry messages: the raw router, Posthouse, NATS, Redis. One load generator drives them all; what differs is
//! how each is spoken to.

mod nats;
mod posthouse;
mod raw;
mod redis;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use posthouse_protocol::Encoding;
use posthouse_tests::world::World;
use tokio::net::{TcpStream, UnixStream};

use crate::connection::Stream;

/// What a read brought.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken {
    /// Messages for this connection.
    pub deliveries: u64,
    /// Messages of this connection that are safe on disk.
    pub accepted: u64,
}

/// How one connection speaks.
pub trait Speech {
    /// Says who it is.
    fn greet(&mut self, name: &str, out: &mut Vec<u8>);
    /// Takes the answer to that; whether it was all there.
    fn greeted(&mut self, inbound: &mut BytesMut) -> bool;
    /// Says something to a name, or to `*`.
    fn send(&mut self, to: &str, out: &mut Vec<u8>);
    /// Takes every whole frame, and answers what wants an answer.
    fn take(&mut self, inbound: &mut BytesMut, out: &mut Vec<u8>) -> Taken;
}

/// How a client of Posthouse wants to be treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    pub encoding: Encoding,
    pub durable: bool,
    /// Acknowledges deliveries, as agents do.
    pub acks: bool,
    /// Wants to be told when a message is on disk.
    pub receipts: bool,
}

impl Terms {
    pub const BINCODE: Self =
        Self { encoding: Encoding::Bincode, durable: false, acks: true, receipts: false };
    pub const JSON: Self = Self { encoding: Encoding::Json, ..Self::BINCODE };
    pub const DURABLE: Self = Self { durable: true, ..Self::BINCODE };
    pub const UNACKED: Self = Self { acks: false, ..Self::BINCODE };
}

/// Someone who carries messages, running as a process of its own.
pub enum Peer {
    Router { socket: PathBuf, process: Process },
    Posthouse { world: World, terms: Terms },
    Nats { port: u16, process: Process },
    Redis { socket: PathBuf, process: Process },
}

impl Peer {
    /// The baseline.
    pub fn router() -> Self {
        let home = tempfile::Builder::new().prefix("ph-").tempdir_in("/tmp").expect("a home");
        let socket = home.path().join("router.sock");
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        let process = Process::start(command.arg("router").arg(&socket), home);
        wait_for(|| std::os::unix::net::UnixStream::connect(&socket).is_ok());
        Self::Router { socket, process }
    }

    /// A daemon of its own.
    pub fn posthouse(terms: Terms) -> Self {
        Self::Posthouse { world: World::started(), terms }
    }

    /// If it is installed.
    pub fn nats() -> Option<Self> {
        let program = installed("nats-server")?;
        let home = tempfile::tempdir().ok()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let mut command = Command::new(program);
        command.args(["-a", "127.0.0.1", "-p", &port.to_string()]);
        let process = Process::start(&mut command, home);
        wait_for(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(Self::Nats { port, process })
    }

    /// If it is installed.
    pub fn redis() -> Option<Self> {
        let program = installed("redis-server")?;
        let home = tempfile::Builder::new().prefix("ph-").tempdir_in("/tmp").ok()?;
        let socket = home.path().join("redis.sock");
        let mut command = Command::new(program);
        command
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(&socket)
            .arg("--dir")
            .arg(home.path());
        let process = Process::start(&mut command, home);
        wait_for(|| std::os::unix::net::UnixStream::connect(&socket).is_ok());
        Some(Self::Redis { socket, process })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        match self {
            Self::Posthouse { world, .. } => world.daemon_pid(),
            Self::Router { process, .. } | Self::Nats { process, .. } | Self::Redis { process, .. } => {
                process.child.id()
            }
        }
    }

    /// A stream to it, and how to speak there.
    pub async fn dial(&self, body: usize) -> (Box<dyn Stream>, Box<dyn Speech>) {
        match self {
            Self::Router { socket, .. } => (unix(socket).await, Box::new(raw::Raw::new(body))),
            Self::Posthouse { world, terms } => {
                (unix(&world.socket()).await, Box::new(posthouse::Posthouse::new(*terms, body)))
            }
            Self::Nats { port, .. } => {
                let stream = TcpStream::connect(("127.0.0.1", *port)).await.expect("a connection");
                stream.set_nodelay(true).expect("no delay");
                (Box::new(stream), Box::new(nats::Nats::new(body)))
            }
            Self::Redis { socket, .. } => (unix(socket).await, Box::new(redis::Redis::new(body))),
        }
    }
}

async fn unix(socket: &std::path::Path) -> Box<dyn Stream> {
    Box::new(UnixStream::connect(socket).await.expect("a connection"))
}

/// A server that ends with this.
pub struct Process {
    child: Child,
    _home: tempfile::TempDir,
}

impl Process {
    fn start(command: &mut Command, home: tempfile::TempDir) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { child: command.spawn().expect("a server"), _home: home }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let more = [PathBuf::from("/usr/sbin"), PathBuf::from("/usr/bin")];
    std::env::split_paths(&path).chain(more).map(|dir| dir.join(program)).find(|file| file.is_file())
}

fn wait_for(ready: impl Fn() -> bool) {
    let begun = Instant::now();
    while !ready() {
        assert!(begun.elapsed() < Duration::from_secs(20), "a server does not listen");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
