//! How fast output passes through screen and signals, with a look at the screen as often as a session takes one.
//! Prints MiB/s for each kind of output; `cargo test --release -p posthoused --test recordings throughput --
//! --nocapture` gives figures that mean something.

use std::time::{Duration, Instant};

use posthoused::harness::catalog::Catalog;
use posthoused::harness::observe::Observer;
use posthoused::harness::readiness::ReadinessTracker;
use posthoused::harness::scan::SignalScanner;
use posthoused::harness::screen::{Screen as _, VtScreen};

use crate::replay::recording;

/// Bytes of a read from a busy holder's socket.
const READ: usize = 32 * 1024;
/// A session looks at a screen that never rests so often.
const LOOKS_EVERY: Duration = Duration::from_millis(100);
/// Least volume measured; small in a debug build, where only the code path is tested.
const VOLUME: usize = if cfg!(debug_assertions) { 2 << 20 } else { 200 << 20 };

#[test]
fn throughput() {
    let lines = |line: fn(usize) -> String| (0..4_000).map(line).collect::<String>().into_bytes();
    let kinds: [(&str, Vec<u8>); 4] = [
        ("short plain lines", lines(|_| "y\r\n".to_owned())),
        (
            "plain lines",
            lines(|n| format!("line {n} the quick brown fox jumps over the lazy dog and goes on\r\n")),
        ),
        (
            "coloured lines",
            lines(|n| format!("\x1b[32mline {n}\x1b[0m the \x1b[1mquick\x1b[22m brown fox\x1b[K\r\n")),
        ),
        (
            "codex at work",
            recording("codex", "gpt.billing")
                .iter()
                .filter(|e| e.kind == "o")
                .flat_map(|e| e.text.bytes())
                .collect(),
        ),
    ];
    for (kind, bytes) in kinds {
        let definition = Catalog::builtin().unwrap().get("codex").unwrap();
        let mut screen = VtScreen::new(30, 100, 0);
        let mut scanner = SignalScanner::new(0, 0);
        let mut tracker = ReadinessTracker::new(definition.clone());
        let mut observer = Observer::new(definition, false);
        let (mut fed, mut looks, start) = (0, 0, Instant::now());
        let mut looked = start;
        while fed < VOLUME {
            for chunk in bytes.chunks(READ) {
                screen.feed(chunk);
                scanner.scan(chunk);
                fed += chunk.len();
                if looked.elapsed() >= LOOKS_EVERY {
                    looked = Instant::now();
                    looks += 1;
                    let view = screen.view();
                    tracker.look(&view);
                    observer.look(&view, tracker.composer(), None, start.elapsed());
                }
            }
        }
        screen.view();
        let speed = fed as f64 / (1 << 20) as f64 / start.elapsed().as_secs_f64();
        println!("{kind}: {speed:.0} MiB/s with {looks} looks");
        assert_eq!(scanner.offset(), fed as u64);
    }
}
