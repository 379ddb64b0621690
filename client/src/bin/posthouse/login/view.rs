//! Showing a login program while it runs: on a terminal as it is, and with what is typed passed on; elsewhere as plain
//! lines.

use std::io::{IsTerminal, Write};

use posthouse_client::Client;
use posthouse_protocol::FrameType;
use posthouse_protocol::payload::{Attach, Detach, Input, Notice, Output};
use tokio::io::AsyncReadExt;

use crate::context::Context;
use crate::exit::Failure;
use crate::terminal::{self, RawMode};

/// The key that leaves the program to itself: Ctrl-\.
const DETACH: u8 = 0x1c;

/// How watching ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The program is over.
    Over,
    /// The user left it to itself.
    Detached,
}

/// Shows it until it is over.
pub async fn watch(context: &Context, session: &str) -> Result<End, Failure> {
    let mut client = context.connect_running().await?;
    let on_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let request = Attach {
        name: session.to_owned(),
        size: on_terminal.then(terminal::size),
        read_only: (!on_terminal).then_some(true),
        after: Some(0),
        scrollback: None,
    };
    client.call(&request).await?;
    let raw = if on_terminal { Some(RawMode::enter()?) } else { None };
    let end = follow(&mut client, session, on_terminal).await;
    drop(raw);
    end
}

async fn follow(client: &mut Client, session: &str, on_terminal: bool) -> Result<End, Failure> {
    let (mut keys, mut typed) = (tokio::io::stdin(), [0u8; 1024]);
    let mut plain = Plain::default();
    loop {
        tokio::select! {
            biased;
            read = keys.read(&mut typed), if on_terminal => {
                let bytes = typed.get(..read?).unwrap_or_default();
                if bytes.is_empty() || bytes.contains(&DETACH) {
                    client.post(&Detach { name: session.to_owned(), reason: None }).await?;
                    return Ok(End::Detached);
                }
                client.post(&Input { name: session.to_owned(), data: bytes.to_vec().into() }).await?;
            }
            frame = client.next() => {
                let frame = frame?;
                match frame.header.kind {
                    FrameType::Output => {
                        let data = frame.body.decode::<Output>()?.data.0;
                        let shown = if on_terminal { data } else { plain.lines(&data).into_bytes() };
                        let mut out = std::io::stderr().lock();
                        out.write_all(&shown).and_then(|()| out.flush())?;
                    }
                    FrameType::Notice => {
                        let notice = frame.body.decode::<Notice>()?;
                        if matches!(notice.state.as_str(), "exited" | "failed") {
                            return Ok(End::Over);
                        }
                    }
                    FrameType::Detach => return Ok(End::Over),
                    _ => {}
                }
            }
        }
    }
}

/// Takes terminal control out of a stream, whatever pieces it comes in.
#[derive(Debug, Default)]
struct Plain {
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    Escape,
    Control,
    /// Text for the terminal itself, up to BEL or ST.
    Command,
    CommandEscape,
}

impl Plain {
    fn lines(&mut self, bytes: &[u8]) -> String {
        let mut shown = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            self.state = match (self.state, byte) {
                (State::Text | State::Escape | State::Control, 0x1b) => State::Escape,
                (State::Escape, b'[') => State::Control,
                (State::Escape, b']' | b'P' | b'_' | b'^') => State::Command,
                (State::Escape, 0x20..=0x2f) => State::Escape,
                (State::Escape, _) => State::Text,
                (State::Control, 0x40..=0x7e) => State::Text,
                (State::Control, _) => State::Control,
                (State::Command, 0x07) | (State::CommandEscape, b'\\') => State::Text,
                (State::Command | State::CommandEscape, 0x1b) => State::CommandEscape,
                (State::Command | State::CommandEscape, _) => State::Command,
                (State::Text, byte) => {
                    if byte >= 0x20 && byte != 0x7f || byte == b'\n' || byte == b'\t' {
                        shown.push(byte);
                    }
                    State::Text
                }
            };
        }
        String::from_utf8_lossy(&shown).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_control_is_taken_out_in_whatever_pieces_it_comes() {
        let stream =
            b"\x1b[1mOpen\x1b[0m \x1b]8;;http://x\x07http://x\x1b]8;;\x1b\\\r\nCode: \x1b(BAB-12\x07\n";
        let wanted = "Open http://x\nCode: AB-12\n";
        assert_eq!(Plain::default().lines(stream), wanted);
        let mut plain = Plain::default();
        let pieces: String = stream.iter().map(|byte| plain.lines(&[*byte])).collect();
        assert_eq!(pieces, wanted);
    }
}
