//! What scrolled off a session's screen before it was attached to. It is printed as plain lines before the screen is
//! shown, so that the user's own terminal keeps it.

use std::time::Duration;

use posthouse_client::Client;
use posthouse_protocol::FrameType;
use posthouse_protocol::payload::{AttachResponse, Output, REDRAW};

use crate::escape;
use crate::exit::Failure;
use crate::terminal::cells;

/// How long the daemon may take to read old output; the screen is shown without it then.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads old output up to the first whole screen. Returns its lines, oldest first and at most `lines`, and the bytes that
/// draw the screen.
pub async fn read(
    client: &mut Client,
    start: &AttachResponse,
    lines: u32,
) -> Result<(Vec<String>, Vec<u8>), Failure> {
    if lines == 0 || start.run.is_none() {
        return Ok((Vec::new(), Vec::new()));
    }
    let lines = usize::try_from(lines).unwrap_or(usize::MAX);
    let mut terminal = vt100::Parser::new(cells(start.size.rows), cells(start.size.cols), lines);
    let gathered = tokio::time::timeout(PATIENCE, async {
        loop {
            // The daemon has said already how large the terminal is, and what its status line should say.
            let frame = client.next().await?;
            if frame.header.kind != FrameType::Output {
                continue;
            }
            let Output { offset, data, .. } = frame.body.decode()?;
            if offset == 0 && data.0.starts_with(REDRAW) {
                return Ok(data.0);
            }
            terminal.process(&data.0);
        }
    });
    match gathered.await {
        Ok(Ok(screen)) => Ok((scrolled_off(&mut terminal, lines), screen)),
        Ok(Err(error)) => Err(error),
        Err(_) => Ok((Vec::new(), Vec::new())),
    }
}

fn scrolled_off(terminal: &mut vt100::Parser, lines: usize) -> Vec<String> {
    let cols = terminal.screen().size().1.get();
    terminal.screen_mut().set_scrollback(lines);
    let there = terminal.screen().scrollback();
    let line = |back: usize| {
        terminal.screen_mut().set_scrollback(back);
        let row = terminal.screen().rows(0, cols).next().unwrap_or_default();
        escape::line(row.trim_end())
    };
    (1..=there).rev().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_scrolled_off_is_told_in_order_and_plainly() {
        let mut terminal = vt100::Parser::new(cells(2), cells(20), 3);
        terminal.process(b"one\r\n\x1b[31mtwo\x1b[0m\r\nthree\r\nfour\r\nfive\r\nsix");
        assert_eq!(scrolled_off(&mut terminal, 3), ["two", "three", "four"]);
        let mut terminal = vt100::Parser::new(cells(5), cells(20), 3);
        terminal.process(b"one\r\ntwo");
        assert!(scrolled_off(&mut terminal, 3).is_empty());
    }
}
