//! Painting a session's screen, and a status line under it, on a terminal of another size.

use std::io::Write;

use posthouse_protocol::payload::{AttachResponse, Notice, WindowSize};

use crate::escape;
use crate::terminal::cells;

/// The model of the harness's terminal, and what the user's terminal shows of it.
pub struct View {
    terminal: vt100::Parser,
    window: WindowSize,
    name: String,
    detach_key: String,
    status: String,
    alarmed: bool,
    painted: Vec<Vec<u8>>,
    modes: String,
}

impl View {
    /// An empty view of what `start` announced; `detach_key` is the control character that ends it.
    pub fn new(start: &AttachResponse, window: WindowSize, detach_key: u8) -> Self {
        let status = start.notice.clone().unwrap_or_default();
        Self {
            terminal: vt100::Parser::new(cells(start.size.rows), cells(start.size.cols), 0),
            window,
            name: start.name.clone(),
            detach_key: format!("Ctrl-{}", char::from(detach_key | 0x40)),
            status,
            alarmed: false,
            painted: Vec::new(),
            modes: String::new(),
        }
    }

    /// Takes bytes of the harness.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.terminal.process(bytes);
    }

    /// The user's window changed: everything is painted anew.
    pub fn resize(&mut self, window: WindowSize) {
        self.window = window;
        self.painted.clear();
    }

    /// The harness's terminal changed.
    pub fn harness_size(&mut self, size: WindowSize) {
        self.terminal.set_size(cells(size.rows), cells(size.cols));
        self.painted.clear();
    }

    /// The daemon's word for the status line.
    pub fn notice(&mut self, notice: &Notice) {
        self.status = if notice.text.is_empty() { notice.state.clone() } else { notice.text.clone() };
        self.alarmed = matches!(notice.state.as_str(), "blocked" | "parked" | "failed" | "moving");
    }

    /// Writes what changed since the last time.
    pub fn paint(&mut self, out: &mut impl Write) -> std::io::Result<()> {
        let screen = self.terminal.screen();
        let height = self.window.rows.saturating_sub(1);
        let mut rows: Vec<Vec<u8>> = screen
            .rows_formatted(0, self.window.cols)
            .take(usize::from(height))
            .map(String::into_bytes)
            .collect();
        rows.resize(usize::from(height), Vec::new());
        rows.push(self.status_line());
        let mut bytes = b"\x1b[?25l".to_vec();
        for (index, row) in rows.iter().enumerate() {
            if self.painted.get(index) != Some(row) {
                bytes.extend_from_slice(format!("\x1b[{};1H\x1b[0m\x1b[2K", index + 1).as_bytes());
                bytes.extend_from_slice(row);
                bytes.extend_from_slice(b"\x1b[0m");
            }
        }
        let modes = screen.input_mode_formatted();
        if modes != self.modes {
            bytes.extend_from_slice(modes.as_bytes());
            self.modes = modes;
        }
        let (row, col) = screen.cursor_position();
        if !screen.hide_cursor() && row < height && col < self.window.cols {
            bytes.extend_from_slice(format!("\x1b[{};{}H\x1b[?25h", row + 1, col + 1).as_bytes());
        }
        self.painted = rows;
        out.write_all(&bytes)?;
        out.flush()
    }

    fn status_line(&self) -> Vec<u8> {
        let width = usize::from(self.window.cols);
        let status = escape::line(&self.status);
        let leave = format!("{} detaches", self.detach_key);
        let parts = [self.name.as_str(), &status, &leave];
        let shown: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let text = format!(" {} ", shown.join(" · "));
        let shown: String = text.chars().take(width).collect();
        let colour = if self.alarmed { "30;43" } else { "7" };
        format!("\x1b[{colour}m{shown:<width$}\x1b[0m").into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> AttachResponse {
        let size = WindowSize { cols: 20, rows: 4 };
        AttachResponse { name: "a".into(), run: None, pid: None, size, notice: Some("ready".into()) }
    }

    fn shown(view: &mut View, terminal: &mut vt100::Parser) -> Vec<String> {
        let mut bytes = Vec::new();
        view.paint(&mut bytes).unwrap();
        terminal.process(&bytes);
        let cols = terminal.screen().size().1.get();
        terminal.screen().rows(0, cols).map(|row| row.trim_end().to_owned()).collect()
    }

    #[test]
    fn the_status_line_is_outside_of_whatever_the_harness_draws() {
        let window = WindowSize { cols: 20, rows: 5 };
        let mut view = View::new(&start(), window, 0x1c);
        let mut terminal = vt100::Parser::new(cells(5), cells(20), 0);
        view.feed(b"\x1b[rone\r\ntwo\r\nthree\r\nfour\r\nfive\x1b[99;1Hlast");
        let rows = shown(&mut view, &mut terminal);
        assert_eq!(rows.first().map(String::as_str), Some("two"));
        assert_eq!(rows.get(3).map(String::as_str), Some("last"));
        assert!(rows.get(4).is_some_and(|row| row.contains("a · ready")), "{rows:?}");
    }

    #[test]
    fn a_smaller_window_shows_the_top_left() {
        let mut view = View::new(&start(), WindowSize { cols: 5, rows: 3 }, 0x1c);
        let mut terminal = vt100::Parser::new(cells(3), cells(5), 0);
        view.feed(b"0123456789\r\nsecond\r\nthird");
        assert_eq!(shown(&mut view, &mut terminal).first().map(String::as_str), Some("01234"));
    }
}
