//! A person's terminal: a real pseudo-terminal with a program on it, and a screen that shows what the program draws.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use nix::pty::{Winsize, openpty};
use nix::sys::termios::{LocalFlags, tcgetattr};
use tokio::sync::watch;

use crate::until;
use crate::world::PATIENCE;

/// A terminal with a program on it.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    /// The side that a terminal emulator has.
    master: File,
    /// The program's side is kept open, so that what it put out last can be read.
    slave: std::os::fd::OwnedFd,
    shown: Arc<Mutex<Shown>>,
    changed: watch::Receiver<u64>,
    reads: watch::Sender<bool>,
}

struct Shown {
    screen: vt100::Parser,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.screen.screen().contents())
    }
}

fn cells(count: u16) -> std::num::NonZeroU16 {
    std::num::NonZeroU16::new(count).expect("a terminal has rows and columns")
}

impl Terminal {
    /// Starts `command` as the leader of a session whose terminal this is.
    pub fn open(command: &Command, rows: u16, cols: u16) -> Self {
        let size = Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).expect("a pseudo-terminal");
        let side = || Stdio::from(pty.slave.try_clone().expect("the program's side"));
        let mut leader = Command::new("setsid");
        leader.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args());
        leader.env_clear();
        for (name, value) in command.get_envs() {
            leader.env(name, value.unwrap_or_default());
        }
        leader.env("TERM", "xterm-256color");
        leader.current_dir(command.get_current_dir().unwrap_or(Path::new(".")));
        let child = leader.stdin(side()).stdout(side()).stderr(side()).spawn().expect("the program starts");
        let master = File::from(pty.master);
        let screen = vt100::Parser::new(cells(rows), cells(cols), 1000);
        let shown = Arc::new(Mutex::new(Shown { screen, bytes: Vec::new() }));
        let (changes, changed) = watch::channel(0);
        let (reads, may_read) = watch::channel(true);
        let (source, target) = (master.try_clone().expect("the emulator's side"), shown.clone());
        std::thread::spawn(move || show(source, &target, &changes, may_read));
        Self { child, master, slave: pty.slave, shown, changed, reads }
    }

    /// Types keys.
    pub fn types(&mut self, keys: &[u8]) {
        self.master.write_all(keys).expect("a terminal takes keys");
    }

    /// The window gets another size.
    pub fn resize(&mut self, rows: u16, cols: u16) {
        self.shown.lock().expect("a screen").screen.screen_mut().set_size(cells(rows), cells(cols));
        posthoused::sys::set_terminal_size(self.master.as_fd(), rows, cols).expect("a size");
    }

    /// From now on nobody reads what the program puts out, or somebody does again.
    pub fn reads(&self, on: bool) {
        self.reads.send_replace(on);
    }

    /// What the screen shows.
    pub fn screen(&self) -> String {
        self.shown.lock().expect("a screen").screen.screen().contents()
    }

    /// The lines of the screen, without trailing blanks.
    pub fn rows(&self) -> Vec<String> {
        let shown = self.shown.lock().expect("a screen");
        let cols = shown.screen.screen().size().1.get();
        shown.screen.screen().rows(0, cols).map(|row| row.trim_end().to_owned()).collect()
    }

    /// Everything that the program has put out.
    pub fn bytes(&self) -> Vec<u8> {
        self.shown.lock().expect("a screen").bytes.clone()
    }

    /// Whether the alternate screen is shown.
    pub fn is_alternate(&self) -> bool {
        self.shown.lock().expect("a screen").screen.screen().alternate_screen()
    }

    /// Whether keys are echoed and edited, as a shell expects it.
    pub fn is_cooked(&self) -> bool {
        let flags = tcgetattr(&self.slave).expect("a terminal").local_flags;
        flags.contains(LocalFlags::ECHO | LocalFlags::ICANON)
    }

    /// Waits until the screen is as wanted.
    pub async fn wait(&mut self, what: &str, is: impl Fn(&Self) -> bool) {
        let mut changed = self.changed.clone();
        let seen = tokio::time::timeout(PATIENCE, async {
            while !is(self) {
                // A program that has ended draws no more, but what it drew may be what is wanted.
                if changed.changed().await.is_err() {
                    break;
                }
            }
        });
        let in_time = seen.await.is_ok();
        assert!(in_time && is(self), "{what} is not shown:\n{}", self.screen());
    }

    /// Waits until the screen shows `text`.
    pub async fn wait_text(&mut self, text: &str) {
        self.wait(text, |terminal| terminal.screen().contains(text)).await;
    }

    /// Waits until the program has ended.
    pub async fn wait_end(&mut self) -> ExitStatus {
        let ended = until::found(async || self.child.try_wait().expect("a child can be asked")).await;
        ended.unwrap_or_else(|| {
            panic!("it does not end:\n{}", self.shown.lock().expect("a screen").screen.screen().contents())
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn show(
    mut source: File,
    target: &Mutex<Shown>,
    changes: &watch::Sender<u64>,
    mut reads: watch::Receiver<bool>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut buffer = vec![0; 64 * 1024];
    loop {
        if runtime.block_on(reads.wait_for(|on| *on)).is_err() {
            return;
        }
        let Ok(count @ 1..) = source.read(&mut buffer) else { return };
        let bytes = buffer.get(..count).unwrap_or_default();
        let mut shown = target.lock().expect("a screen");
        shown.screen.process(bytes);
        shown.bytes.extend_from_slice(bytes);
        drop(shown);
        changes.send_modify(|count| *count += 1);
    }
}
