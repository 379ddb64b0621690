//! The stand-in's terminal: raw mode, size, drawing, and its reports about itself.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use base64::Engine as _;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use super::paint::{Scene, paint};

/// Puts the terminal back when it is dropped.
pub struct Terminal {
    before: Option<Termios>,
    drawn: String,
    /// Rows and columns.
    size: (usize, usize),
}

impl Terminal {
    pub fn open() -> io::Result<Self> {
        let before = tcgetattr(io::stdin().as_fd()).ok();
        if let Some(before) = &before {
            let mut raw = before.clone();
            cfmakeraw(&mut raw);
            tcsetattr(io::stdin().as_fd(), SetArg::TCSANOW, &raw)?;
        }
        let mut out = io::stdout();
        // Bracketed paste, a title, and the questions that real harnesses ask; the last one is for the size.
        out.write_all(b"\x1b[?2004h\x1b]0;standin\x07\x1b]7501;?\x07\x1b[c\x1b[18t\x1b[2J")?;
        out.flush()?;
        Ok(Self { before, drawn: String::new(), size: (30, 100) })
    }

    /// The terminal said how large it is.
    pub fn resized(&mut self, rows: usize, columns: usize) {
        self.size = (rows.max(10), columns.max(30));
    }

    pub fn paint(&mut self, scene: &Scene<'_>) -> io::Result<()> {
        let (rows, columns) = self.size;
        let picture = paint(scene, rows, columns);
        if picture != self.drawn {
            io::stdout().write_all(picture.as_bytes())?;
            io::stdout().flush()?;
            self.drawn = picture;
        }
        Ok(())
    }

    /// Reports a state, as codex and claude do.
    pub fn report(&mut self, state: &str, kind: Option<&str>, message: Option<&str>) -> io::Result<()> {
        let mut report = format!("\x1b]7501;state={state}:app=standin");
        if let Some(kind) = kind {
            report.push_str(&format!(":kind={kind}"));
        }
        if let Some(message) = message {
            let encoded = base64::engine::general_purpose::STANDARD.encode(message);
            report.push_str(&format!(":msg={encoded}"));
        }
        report.push('\x07');
        io::stdout().write_all(report.as_bytes())?;
        io::stdout().flush()
    }

    /// Puts out `bytes` bytes of numbered lines.
    pub fn flood(&mut self, bytes: usize) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(b"\r\n")?;
        let mut written = 0;
        let mut number = 0u64;
        while written < bytes {
            let line = format!("flood {number:016}\r\n");
            out.write_all(line.as_bytes())?;
            written += line.len();
            number += 1;
        }
        self.drawn.clear();
        out.flush()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = io::stdout().write_all(b"\x1b[?2004l\r\n");
        let _ = io::stdout().flush();
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin().as_fd(), SetArg::TCSANOW, before);
        }
    }
}

/// Input, or nothing once `wait` is over; `None` at the end of input.
pub fn read(input: BorrowedFd<'_>, wait: Option<Duration>) -> io::Result<Option<Vec<u8>>> {
    let millis = wait.map_or(-1, |wait| i32::try_from(wait.as_millis() + 1).unwrap_or(i32::MAX));
    let mut fds = [PollFd::new(input, PollFlags::POLLIN)];
    let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::NONE);
    match poll(&mut fds, timeout) {
        // A resized window interrupts: what is shown is drawn anew.
        Ok(0) | Err(Errno::EINTR) => return Ok(Some(Vec::new())),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    let mut bytes = vec![0; 64 * 1024];
    match nix::unistd::read(input, &mut bytes) {
        Ok(0) | Err(Errno::EIO) => Ok(None),
        Ok(count) => {
            bytes.truncate(count);
            Ok(Some(bytes))
        }
        Err(Errno::EINTR | Errno::EAGAIN) => Ok(Some(Vec::new())),
        Err(error) => Err(error.into()),
    }
}
