//! `posthouse attach`: the real terminal of a session, with a status line below it.
//!
//! The harness's bytes go through a terminal model and are painted from there, so that the status line is outside of
//! the harness's screen whatever the harness does, and viewers of different sizes can share one session.

mod paint;
mod past;

use std::io::IsTerminal;

use posthouse_client::{Client, ClientError};
use posthouse_protocol::FrameType;
use posthouse_protocol::payload::{
    Attach, AttachResponse, Detach, Input, Notice, Output, Resize, WindowSize,
};
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::terminal::{self, RawMode};
use paint::View;

/// Show a session's terminal and type into it
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  posthouse attach builder        # Ctrl-\\ detaches; the session goes on")]
pub struct Args {
    /// The session
    name: String,
    /// Only look
    #[arg(long)]
    read_only: bool,
    /// The key that detaches: ctrl and a letter, or one of \ ] ^ _
    #[arg(long, value_name = "KEY", value_parser = detach_key, default_value = "ctrl-\\")]
    detach_key: u8,
    /// Lines of scrollback to print first
    #[arg(long, value_name = "N", default_value_t = 1000)]
    scrollback: u32,
}

fn detach_key(text: &str) -> Result<u8, String> {
    let wrong = || format!("{text:?} is not a key such as ctrl-q or ctrl-\\");
    let key = text.strip_prefix("ctrl-").or_else(|| text.strip_prefix('^')).ok_or_else(wrong)?;
    match key.as_bytes() {
        [c @ (b'a'..=b'z' | b'A'..=b'Z' | b'[' | b'\\' | b']' | b'^' | b'_')] => {
            Ok(c.to_ascii_uppercase() & 0x1f)
        }
        _ => Err(wrong()),
    }
}

/// Attaches until the user detaches or the view ends.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    if context.json || !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        let why = "attach: it needs a terminal; posthouse screen and posthouse logs print instead";
        return Err(Failure::new(Exit::Usage, why));
    }
    let mut client = context.connect().await?;
    let window = terminal::size();
    let request = Attach {
        name: args.name.clone(),
        size: Some(inner(window)),
        read_only: args.read_only.then_some(true),
        after: None,
        scrollback: (args.scrollback > 0).then_some(args.scrollback),
    };
    let view = client.call(&request).await?;
    let (past, first) = past::read(&mut client, &view, args.scrollback).await?;
    for line in past {
        context.print(&line)?;
    }
    let raw = RawMode::enter()?;
    let end = watch(&mut client, &args, (view, first), window).await;
    drop(raw);
    let reason = end?;
    eprintln!("{reason}");
    Ok(Exit::Done)
}

/// The harness has all rows but the last.
fn inner(window: WindowSize) -> WindowSize {
    WindowSize { cols: window.cols, rows: window.rows.saturating_sub(1).max(1) }
}

async fn watch(
    client: &mut Client,
    args: &Args,
    (start, first): (AttachResponse, Vec<u8>),
    window: WindowSize,
) -> Result<String, Failure> {
    let name = args.name.clone();
    let mut view = View::new(&start, window, args.detach_key);
    view.feed(&first);
    let mut keys = tokio::io::stdin();
    let mut typed = [0u8; 4096];
    let mut resized = signal(SignalKind::window_change())?;
    view.paint(&mut std::io::stdout().lock())?;
    loop {
        tokio::select! {
            biased;
            read = keys.read(&mut typed) => {
                let bytes = typed.get(..read?).unwrap_or_default();
                let before = bytes.iter().position(|byte| *byte == args.detach_key);
                let send = bytes.get(..before.unwrap_or(bytes.len())).unwrap_or_default();
                if !send.is_empty() && !args.read_only {
                    client.post(&Input { name: name.clone(), data: send.to_vec().into() }).await?;
                }
                if before.is_some() || bytes.is_empty() {
                    client.post(&Detach { name: name.clone(), reason: None }).await?;
                    return Ok(format!("detached from {name}; it goes on: posthouse attach {name}"));
                }
            }
            _ = resized.recv() => {
                let window = terminal::size();
                view.resize(window);
                client.post(&Resize { name: name.clone(), size: inner(window) }).await?;
                view.paint(&mut std::io::stdout().lock())?;
            }
            frame = client.next() => {
                let frame = match frame {
                    Ok(frame) => frame,
                    Err(ClientError::Closed { .. } | ClientError::Io(_)) => {
                        return Ok(format!("the daemon went away; {name} goes on: posthouse attach {name}"));
                    }
                    Err(e) => return Err(e.into()),
                };
                match frame.header.kind {
                    FrameType::Output => view.feed(&frame.body.decode::<Output>()?.data.0),
                    FrameType::Notice => view.notice(&frame.body.decode::<Notice>()?),
                    FrameType::Resize => view.harness_size(frame.body.decode::<Resize>()?.size),
                    FrameType::Detach => {
                        let why = frame.body.decode::<Detach>()?.reason.unwrap_or_else(|| "the view ended".to_owned());
                        return Ok(format!("{name}: {}", crate::escape::line(&why)));
                    }
                    _ => continue,
                }
                view.paint(&mut std::io::stdout().lock())?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detach_keys_are_control_characters() {
        assert_eq!(detach_key("ctrl-\\"), Ok(0x1c));
        assert_eq!(detach_key("ctrl-q"), Ok(0x11));
        assert_eq!(detach_key("^]"), Ok(0x1d));
        assert!(detach_key("q").is_err());
        assert!(detach_key("ctrl-1").is_err());
    }
}
