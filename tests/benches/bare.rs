//! The baseline of everything about terminals: a pseudo-terminal that nobody looks after.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use nix::pty::{Winsize, openpty};

/// A program on a terminal.
pub struct Bare {
    pub terminal: File,
    child: Child,
}

impl Bare {
    pub fn start(argv: &[String]) -> Self {
        let size = Winsize { ws_row: 30, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(Some(&size), None).expect("a terminal");
        let stdio = |fd: &OwnedFd| Stdio::from(fd.try_clone().expect("a descriptor"));
        let [program, arguments @ ..] = argv else { unreachable!("a command has a program") };
        let child = Command::new(program)
            .args(arguments)
            .stdin(stdio(&pair.slave))
            .stdout(stdio(&pair.slave))
            .stderr(Stdio::null())
            .spawn()
            .expect("a program");
        Self { terminal: pair.master.into(), child }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
