//! What runs in the terminals that are measured: this same program, told what to do by its arguments.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::time::{ClockId, clock_gettime};

/// The monotonic clock, the same for all processes, in nanoseconds.
pub fn clock() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("a clock");
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

/// Tells when each read of its terminal returned: `sink SOCKET`.
pub fn sink(socket: &Path) {
    let stdin = std::io::stdin();
    let mut modes = tcgetattr(&stdin).expect("a terminal");
    cfmakeraw(&mut modes);
    tcsetattr(&stdin, SetArg::TCSANOW, &modes).expect("raw mode");
    let mut told = UnixStream::connect(socket).expect("whoever measures");
    told.write_all(&0u64.to_le_bytes()).expect("ready");
    let (mut stdin, mut buffer) = (stdin.lock(), [0; 64 << 10]);
    while stdin.read(&mut buffer).is_ok_and(|n| n > 0) {
        if told.write_all(&clock().to_le_bytes()).is_err() {
            return;
        }
    }
}

/// Puts out the contents of a file so many times, then a last line, once it is told to begin: `flood FILE TIMES SOCKET`.
pub fn flood(file: &Path, times: usize, socket: &Path) {
    let content = std::fs::read(file).expect("a file");
    let mut told = UnixStream::connect(socket).expect("whoever measures");
    told.read_exact(&mut [0]).expect("a start");
    let mut terminal = File::options().write(true).open("/dev/stdout").expect("a terminal");
    for _ in 0..times {
        terminal.write_all(&content).expect("output");
    }
    terminal.write_all(format!("\r\n{LAST}\r\n").as_bytes()).expect("output");
    // Until the terminal goes away.
    let _ = told.read(&mut [0]);
}

/// Keeps so many processes going, each of which takes some memory and ends: `gorge COUNT MIB`. Ends with its terminal.
pub fn gorge(count: usize, mib: &str) {
    let gulp = || Command::new(std::env::current_exe().expect("this program")).args(["gulp", mib]).spawn();
    let mut children: VecDeque<Child> = VecDeque::new();
    while let Ok(child) = gulp() {
        children.push_back(child);
        if children.len() >= count
            && let Some(mut oldest) = children.pop_front()
        {
            let _ = oldest.wait();
        }
    }
}

/// Takes so much memory, all of it, and ends: `gulp MIB`.
pub fn gulp(mib: usize) {
    let mut taken = vec![0u8; mib << 20];
    for page in taken.chunks_mut(4096) {
        page[0] = 1;
    }
    std::hint::black_box(taken);
}

/// What a flood ends with.
pub const LAST: &str = "that was the flood";

/// Where such a program reports.
pub struct Desk {
    _home: tempfile::TempDir,
    listener: UnixListener,
    pub socket: PathBuf,
}

impl Desk {
    pub fn new() -> Self {
        let home = tempfile::Builder::new().prefix("ph-").tempdir_in("/tmp").expect("a home");
        let socket = home.path().join("desk.sock");
        Self { listener: UnixListener::bind(&socket).expect("a socket"), _home: home, socket }
    }

    /// The program's call.
    pub fn accept(&self) -> UnixStream {
        let (stream, _) = self.listener.accept().expect("the program");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time limit");
        stream
    }
}

/// The next moment that a sink tells.
pub fn told(desk: &mut UnixStream) -> u64 {
    let mut bytes = [0; 8];
    desk.read_exact(&mut bytes).expect("a moment");
    u64::from_le_bytes(bytes)
}

/// The command line that runs this program so.
pub fn argv(arguments: &[&str]) -> Vec<String> {
    let program = std::env::current_exe().expect("this program").to_string_lossy().into_owned();
    std::iter::once(program).chain(arguments.iter().map(|&argument| argument.to_owned())).collect()
}
