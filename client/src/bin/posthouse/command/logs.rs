//! `posthouse logs`: a session's output, as far back as its holder keeps it.

use std::io::Write;

use posthouse_client::Client;
use posthouse_protocol::payload::Logs;

use crate::context::Context;
use crate::escape;
use crate::exit::{Exit, Failure};
use crate::terminal::cells;

/// Print a session's output
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  posthouse logs builder          # as text\n  posthouse logs builder --raw > builder.raw"
)]
pub struct Args {
    /// The session
    name: String,
    /// The bytes as they are
    #[arg(long)]
    raw: bool,
    /// Only the last lines
    #[arg(long, value_name = "N")]
    tail: Option<usize>,
}

/// Reads the whole ring in pieces and prints it.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    let mut client = context.connect().await?;
    if context.json {
        let answer = client.call(&Logs { name: args.name, after: None, limit: None }).await?;
        context.print_json(&answer)?;
        return Ok(Exit::Done);
    }
    let bytes = read(&mut client, &args.name).await?;
    if args.raw {
        std::io::stdout().lock().write_all(&bytes)?;
        return Ok(Exit::Done);
    }
    let lines = lines(&bytes);
    let first = args.tail.map_or(0, |tail| lines.len().saturating_sub(tail));
    for line in lines.get(first..).unwrap_or_default() {
        context.print(&escape::line(line))?;
    }
    Ok(Exit::Done)
}

async fn read(client: &mut Client, name: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let mut after = None;
    loop {
        let piece = client.call(&Logs { name: name.to_owned(), after, limit: None }).await?;
        let next = piece.offset + piece.data.0.len() as u64;
        let empty = piece.data.0.is_empty();
        bytes.extend(piece.data.0);
        if empty || next >= piece.end {
            return Ok(bytes);
        }
        after = Some(next);
    }
}

/// What the bytes would leave on a very tall terminal.
fn lines(bytes: &[u8]) -> Vec<String> {
    const KEPT: usize = 10_000;
    let mut terminal = vt100::Parser::new(cells(50), cells(200), KEPT);
    terminal.process(bytes);
    terminal.screen_mut().set_scrollback(KEPT);
    let above = terminal.screen().scrollback();
    let mut lines = Vec::new();
    let mut offset = above;
    loop {
        terminal.screen_mut().set_scrollback(offset);
        let rows = terminal.screen().rows(0, 200);
        let take = if offset == 0 { 50 } else { offset.min(50) };
        lines.extend(rows.take(take).map(|row| row.trim_end().to_owned()));
        if offset == 0 {
            break;
        }
        offset = offset.saturating_sub(50);
    }
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

#[cfg(test)]
mod tests {
    #[test]
    fn scrolled_lines_are_printed_once_and_in_order() {
        for count in [3, 50, 51, 120, 1000] {
            let text: String = (0..count).map(|n| format!("line {n}\r\n")).collect();
            let expected: Vec<String> = (0..count).map(|n| format!("line {n}")).collect();
            assert_eq!(super::lines(text.as_bytes()), expected);
        }
    }
}
