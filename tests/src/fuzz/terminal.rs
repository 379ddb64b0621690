//! A terminal's output, from bytes to what is concluded of the harness.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use posthoused::harness::catalog::Catalog;
use posthoused::harness::observe::Observer;
use posthoused::harness::readiness::ReadinessTracker;
use posthoused::harness::scan::{Signal, SignalScanner};
use posthoused::harness::screen::{Screen as _, VtScreen};

use super::pieces;

/// The size that the harnesses' definitions are tried at.
const SIZE: (u16, u16) = (24, 80);

/// Compiling its expressions takes longer than everything else here.
static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::builtin().expect("the built-in definitions"));

/// Output: the first byte says how the rest is split.
pub fn terminal(data: &[u8]) {
    let [length, stream @ ..] = data else { return };
    let (whole, whole_signals) = shown(std::iter::once(stream));
    let (split, split_signals) = shown(pieces(stream, *length));
    assert_eq!(whole, split, "the split does not matter");
    assert_eq!(whole_signals, split_signals);
    for name in ["codex", "claude"] {
        let definition = CATALOG.get(name).expect("a definition");
        let mut screen = VtScreen::new(SIZE.0, SIZE.1, 0);
        let mut tracker = ReadinessTracker::new(Arc::clone(&definition));
        let mut observer = Observer::new(definition, false);
        for piece in pieces(stream, length.saturating_mul(8)) {
            screen.feed(piece);
            let view = screen.view();
            tracker.look(&view);
            let found =
                observer.look(&view, tracker.composer(), tracker.login_screen(), Duration::from_secs(1));
            assert!(found.iter().all(|notice| notice.text.len() <= 8192), "a notice is bounded");
            let _ = (tracker.readiness(), tracker.drafting(None));
        }
    }
}

fn shown<'a>(stream: impl Iterator<Item = &'a [u8]>) -> (String, Vec<Signal>) {
    let mut screen = VtScreen::new(SIZE.0, SIZE.1, 0);
    let mut scanner = SignalScanner::new(0, 0);
    let mut signals = Vec::new();
    for piece in stream {
        screen.feed(piece);
        signals.extend(scanner.scan(piece));
    }
    (screen.view().contents(), signals)
}
