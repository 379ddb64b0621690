//! The user's own terminal while a session is attached: raw mode, size, and what is put back at the end.

use std::io::Write;
use std::num::NonZeroU16;
use std::os::fd::AsFd;

use nix::sys::termios::{self, SetArg, Termios};
use posthouse_protocol::payload::WindowSize;

/// What a harness may have switched on, switched off again: alternate screen, mouse, paste, focus, keyboard modes.
const RESTORE: &[u8] = b"\x1b[?1049l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[?1l\x1b>\x1b[?25h\x1b[0m";

/// Raw mode for as long as it lives.
#[derive(Debug)]
pub struct RawMode {
    before: Termios,
}

impl RawMode {
    /// Switches standard input to raw mode and to the alternate screen.
    pub fn enter() -> std::io::Result<Self> {
        let before = termios::tcgetattr(std::io::stdin().as_fd())?;
        let mut raw = before.clone();
        termios::cfmakeraw(&mut raw);
        termios::tcsetattr(std::io::stdin().as_fd(), SetArg::TCSANOW, &raw)?;
        let mut out = std::io::stdout().lock();
        out.write_all(b"\x1b[?1049h\x1b[2J")?;
        out.flush()?;
        Ok(Self { before })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        let mut out = std::io::stdout().lock();
        // Nothing is left to do about a terminal that cannot be written to any more.
        let _ = out.write_all(RESTORE).and_then(|()| out.flush());
        let _ = termios::tcsetattr(std::io::stdin().as_fd(), SetArg::TCSANOW, &self.before);
    }
}

/// A count of rows or columns as the terminal model takes it; none becomes one.
pub fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap_or(NonZeroU16::MIN)
}

/// The window's size; 80 by 24 where the terminal does not say.
pub fn size() -> WindowSize {
    match terminal_size::terminal_size_of(std::io::stdout()) {
        Some((terminal_size::Width(cols), terminal_size::Height(rows))) if cols > 0 && rows > 1 => {
            WindowSize { cols, rows }
        }
        _ => WindowSize { cols: 80, rows: 24 },
    }
}
