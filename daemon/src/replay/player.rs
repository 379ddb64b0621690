//! Plays a recorded terminal as a session sees a live one: output goes to the screen and is scanned for signals as it
//! comes, and the screen is looked at when it has come to rest, and once in a while when it does not.

use std::sync::Arc;
use std::time::Duration;

use super::recording::Event;
use crate::harness::definition::Definition;
use crate::harness::observe::{Observer, TerminalNotice};
use crate::harness::osc::Reported;
use crate::harness::readiness::ReadinessTracker;
use crate::harness::scan::{Signal, SignalScanner};
use crate::harness::screen::{Screen as _, VtScreen};

/// A large terminal, so that little is scrolled away unseen.
const ROWS: u16 = 40;
const COLUMNS: u16 = 120;

/// When the screen is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Looks {
    /// Output has rested for so long.
    pub rest: Duration,
    /// At the latest after so long.
    pub at_least_every: Duration,
    /// Whether a screen that has not come to rest is read for notices, too.
    pub read_unrested: bool,
}

/// Something that a session would have noticed.
#[derive(Debug)]
pub enum Seen<'a> {
    /// Someone typed.
    Typed(&'a str),
    /// A turn began.
    TurnBegan,
    /// What is concluded about the harness may have changed.
    State(&'a ReadinessTracker),
    /// The harness showed or reported what may be a failure.
    Notice(TerminalNotice),
    /// Time has passed.
    Time,
}

/// A terminal that is played back.
pub struct Player {
    screen: VtScreen,
    scanner: SignalScanner,
    tracker: ReadinessTracker,
    observer: Observer,
    looks: Looks,
    /// Most bytes that arrive together.
    piece: usize,
    looked: Duration,
}

impl Player {
    /// A terminal of this harness.
    pub fn new(definition: Arc<Definition>, looks: Looks) -> Self {
        Self {
            screen: VtScreen::new(ROWS, COLUMNS, 0),
            scanner: SignalScanner::new(0, 0),
            tracker: ReadinessTracker::new(Arc::clone(&definition)),
            observer: Observer::new(definition, false),
            looks,
            piece: usize::MAX,
            looked: Duration::ZERO,
        }
    }

    /// Has output arrive in pieces of so many bytes.
    #[must_use]
    pub fn in_pieces_of(mut self, bytes: usize) -> Self {
        self.piece = bytes;
        self
    }

    /// Plays everything. `seen` is told of each thing with its time.
    pub fn play(&mut self, events: &[Event], mut seen: impl FnMut(Duration, Seen<'_>)) {
        for (index, event) in events.iter().enumerate() {
            match event.kind.as_str() {
                "o" => self.output(event, &mut seen),
                "i" => {
                    if event.text.contains('\r') {
                        self.observer.turn_started();
                    }
                    seen(event.at, Seen::Typed(&event.text));
                }
                _ => {}
            }
            let rest = events.get(index + 1).map_or(Duration::MAX, |next| next.at.saturating_sub(event.at));
            if rest >= self.looks.rest {
                self.look(event.at + self.looks.rest, true, &mut seen);
            } else if event.at.saturating_sub(self.looked) >= self.looks.at_least_every {
                self.look(event.at, self.looks.read_unrested, &mut seen);
            }
        }
    }

    /// The harness has ended and left its last words.
    pub fn end(&mut self, at: Duration) -> Vec<TerminalNotice> {
        let view = self.screen.view();
        self.observer.exited(&view, at)
    }

    fn output(&mut self, event: &Event, seen: &mut impl FnMut(Duration, Seen<'_>)) {
        for bytes in event.text.as_bytes().chunks(self.piece) {
            self.screen.feed(bytes);
            for signal in self.scanner.scan(bytes) {
                match signal {
                    Signal::Status { report, .. } => {
                        if !self.tracker.status(&report) {
                            continue;
                        }
                        if report.state == Reported::Working {
                            seen(event.at, Seen::TurnBegan);
                        }
                        if let Some(notice) = self.observer.status(&report, event.at) {
                            seen(event.at, Seen::Notice(notice));
                        }
                    }
                    Signal::Title(title) => self.tracker.title(&title),
                    Signal::Query(_) => {}
                }
            }
        }
        self.tracker.output(event.at);
        seen(event.at, Seen::State(&self.tracker));
    }

    fn look(&mut self, at: Duration, reads: bool, seen: &mut impl FnMut(Duration, Seen<'_>)) {
        self.looked = at;
        let view = self.screen.view();
        self.tracker.look(&view);
        if reads {
            let login = self.tracker.login_screen().map(str::to_owned);
            for notice in self.observer.look(&view, self.tracker.composer(), login.as_deref(), at) {
                seen(at, Seen::Notice(notice));
            }
        }
        seen(at, Seen::State(&self.tracker));
        seen(at, Seen::Time);
    }
}
