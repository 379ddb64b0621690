//! Plays a recording back, looking at the screen whenever the output has rested for 30 ms, and at least every
//! 100 ms while it has not.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use posthoused::harness::catalog::Catalog;
use posthoused::harness::observe::{NoticeMarker, Observer, TerminalNotice};
use posthoused::harness::readiness::{Readiness, ReadinessTracker};
use posthoused::harness::scan::{Signal, SignalScanner};
use posthoused::harness::screen::{Screen as _, VtScreen};

const REST: Duration = Duration::from_millis(30);
const AT_LEAST_EVERY: Duration = Duration::from_millis(100);

/// One line of a recording.
pub struct Event {
    pub at: Duration,
    pub kind: String,
    pub text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/recordings")
}

/// All recordings as (harness, name), sorted.
pub fn recordings() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for dir in std::fs::read_dir(root()).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()) {
        for file in std::fs::read_dir(&dir).unwrap() {
            let file = file.unwrap().path();
            let text = |p: &Path| p.file_stem().unwrap().to_str().unwrap().to_owned();
            found.push((text(&dir), text(&file)));
        }
    }
    found.sort();
    found
}

pub fn recording(harness: &str, name: &str) -> Vec<Event> {
    let text = std::fs::read_to_string(root().join(harness).join(format!("{name}.jsonl"))).unwrap();
    text.lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            Event {
                at: Duration::from_secs_f64(line["t"].as_f64().unwrap()),
                kind: line["k"].as_str().unwrap().to_owned(),
                text: line["d"].as_str().unwrap().to_owned(),
            }
        })
        .collect()
}

/// The questions asked in a recording, in order.
pub fn questions(events: &[Event]) -> String {
    let mut scanner = SignalScanner::new(0, 0);
    let signals = events.iter().filter(|e| e.kind == "o").flat_map(|e| scanner.scan(e.text.as_bytes()));
    let asked = signals
        .filter_map(|s| if let Signal::Query(q) = s { Some(format!("{:?}", q.question)) } else { None });
    asked.collect::<Vec<_>>().join(" ")
}

/// The recording with the first word of the mock provider's answers, `ACK`, replaced.
pub fn with_answer(mut events: Vec<Event>, answer: &str) -> Vec<Event> {
    for event in &mut events {
        event.text = event.text.replace("ACK", answer);
    }
    events
}

pub struct Replay {
    screen: VtScreen,
    scanner: SignalScanner,
    tracker: ReadinessTracker,
    observer: Observer,
    piece: usize,
    story: String,
    last: String,
    looked: Duration,
}

impl Replay {
    pub fn new(harness: &str) -> Self {
        static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::builtin().unwrap());
        let definition = CATALOG.get(harness).unwrap();
        Self {
            screen: VtScreen::new(40, 120, 0),
            scanner: SignalScanner::new(0, 0),
            tracker: ReadinessTracker::new(definition.clone()),
            observer: Observer::new(definition, false),
            piece: usize::MAX,
            story: String::new(),
            last: String::new(),
            looked: Duration::ZERO,
        }
    }

    pub fn in_pieces_of(mut self, bytes: usize) -> Self {
        self.piece = bytes;
        self
    }

    pub fn run(mut self, events: &[Event]) -> String {
        for (index, event) in events.iter().enumerate() {
            match event.kind.as_str() {
                "o" => self.output(event),
                "i" => {
                    let typed: String = event.text.chars().take(40).collect();
                    self.tell(event.at, &format!("    typed {typed:?}"));
                }
                _ => {}
            }
            let rest = events.get(index + 1).map_or(Duration::MAX, |next| next.at.saturating_sub(event.at));
            if rest >= REST {
                self.look(event.at + REST);
            } else if event.at.saturating_sub(self.looked) >= AT_LEAST_EVERY {
                self.look(event.at);
            }
        }
        let view = self.screen.view();
        let end = events.last().map_or(Duration::ZERO, |e| e.at);
        for notice in self.observer.exited(&view, end) {
            self.notice(&notice);
        }
        self.story
    }

    fn output(&mut self, event: &Event) {
        for bytes in event.text.as_bytes().chunks(self.piece) {
            self.screen.feed(bytes);
            for signal in self.scanner.scan(bytes) {
                match signal {
                    Signal::Status { report, .. } => {
                        if self.tracker.status(&report)
                            && let Some(notice) = self.observer.status(&report, event.at)
                        {
                            self.notice(&notice);
                        }
                    }
                    Signal::Title(title) => self.tracker.title(&title),
                    Signal::Query(_) => {}
                }
            }
        }
        self.tracker.output(event.at);
        self.state(event.at);
    }

    fn look(&mut self, at: Duration) {
        self.looked = at;
        let view = self.screen.view();
        self.tracker.look(&view);
        let login = self.tracker.login_screen().map(str::to_owned);
        for notice in self.observer.look(&view, self.tracker.composer(), login.as_deref(), at) {
            self.notice(&notice);
        }
        self.state(at);
    }

    fn state(&mut self, at: Duration) {
        let mut state = match self.tracker.readiness() {
            Readiness::Blocked(block) => {
                format!("blocked by {} #{} {:?}", block.kind, block.request, block.options)
            }
            other => format!("{other:?}").to_lowercase(),
        };
        if self.tracker.drafting(None) {
            state.push_str(", drafting");
        }
        if state != self.last {
            self.tell(at, &state);
            self.last = state;
        }
    }

    fn notice(&mut self, notice: &TerminalNotice) {
        let marker = match &notice.marker {
            NoticeMarker::Line(marker) => format!("line {marker}"),
            NoticeMarker::Report { blocked: None } => "report of an error".to_owned(),
            NoticeMarker::Report { blocked: Some(kind) } => format!("report of being blocked by {kind}"),
            NoticeMarker::LoginScreen(name) => format!("login screen {name}"),
            NoticeMarker::LastWords => {
                self.tell(notice.at, &format!("last words: {}", notice.text.replace('\n', " / ")));
                return;
            }
        };
        let text: String = notice.text.replace('\n', " / ");
        self.tell(notice.at, &format!("notice, {marker}: {text}"));
    }

    fn tell(&mut self, at: Duration, what: &str) {
        writeln!(self.story, "{:7.2} {what}", at.as_secs_f64()).unwrap();
    }
}
