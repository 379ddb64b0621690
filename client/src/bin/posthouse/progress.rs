//! Saying that something takes its time: on a terminal only, after a second, and gone again once it is done.

use std::future::Future;
use std::io::{IsTerminal, Write};
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, interval_at};

/// How long nobody wonders.
const PATIENCE: Duration = Duration::from_secs(1);

/// Waits for `work`; `what` says what is being waited for, as in "starting builder".
pub async fn while_waiting<T>(what: &str, work: impl Future<Output = T>) -> T {
    if !std::io::stderr().is_terminal() {
        return work.await;
    }
    let begun = Instant::now();
    let mut ticks = interval_at(begun + PATIENCE, PATIENCE);
    let mut work = pin!(work);
    let mut told = false;
    loop {
        tokio::select! {
            biased;
            outcome = &mut work => {
                if told {
                    tell("");
                }
                return outcome;
            }
            _ = ticks.tick() => {
                told = true;
                tell(&format!("{what} … {} s", begun.elapsed().as_secs()));
            }
        }
    }
}

/// Replaces the line. Nothing depends on its being seen.
fn tell(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = write!(out, "\r\x1b[2K{text}").and_then(|()| out.flush());
}
