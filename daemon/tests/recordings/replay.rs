//! Plays a recorded terminal back and tells its story.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use posthoused::harness::catalog::Catalog;
use posthoused::harness::observe::{NoticeMarker, TerminalNotice};
use posthoused::harness::readiness::{Readiness, ReadinessTracker};
use posthoused::harness::scan::{Signal, SignalScanner};
use posthoused::replay::player::{Looks, Player, Seen};
use posthoused::replay::recording::{Event, Recording};

/// More curious than a session is, so that the stories show every step.
const LOOKS: Looks = Looks {
    rest: Duration::from_millis(30),
    at_least_every: Duration::from_millis(100),
    read_unrested: true,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/recordings")
}

/// All files of recordings as (harness, file), sorted.
pub fn files() -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for dir in std::fs::read_dir(root()).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()) {
        let harness = dir.file_name().unwrap().to_str().unwrap().to_owned();
        let files = std::fs::read_dir(&dir).unwrap().map(|file| file.unwrap().path());
        found.extend(files.map(|file| (harness.clone(), file)));
    }
    found.sort();
    found
}

/// Recorded terminals as (harness, name), sorted.
pub fn recordings() -> Vec<(String, String)> {
    let named = |(harness, file): (String, PathBuf)| {
        let name = file.file_name()?.to_str()?.strip_suffix(".jsonl")?.to_owned();
        (!name.ends_with(".structured")).then_some((harness, name))
    };
    files().into_iter().filter_map(named).collect()
}

pub fn recording(harness: &str, name: &str) -> Vec<Event> {
    match Recording::read(&root().join(harness).join(format!("{name}.jsonl"))).unwrap() {
        Recording::Terminal { events, .. } => events,
        other => panic!("{harness}/{name} is no terminal: {other:?}"),
    }
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
    player: Player,
}

impl Replay {
    pub fn new(harness: &str) -> Self {
        static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::builtin().unwrap());
        Self { player: Player::new(CATALOG.get(harness).unwrap(), LOOKS) }
    }

    pub fn in_pieces_of(self, bytes: usize) -> Self {
        Self { player: self.player.in_pieces_of(bytes) }
    }

    pub fn run(mut self, events: &[Event]) -> String {
        let mut story = Story::default();
        self.player.play(events, |at, seen| match seen {
            Seen::Typed(text) => {
                let typed: String = text.chars().take(40).collect();
                story.tell(at, &format!("    typed {typed:?}"));
            }
            Seen::State(tracker) => story.state(at, tracker),
            Seen::Notice(notice) => story.notice(&notice),
            Seen::TurnBegan | Seen::Time => {}
        });
        for notice in self.player.end(events.last().map_or(Duration::ZERO, |e| e.at)) {
            story.notice(&notice);
        }
        story.text
    }
}

#[derive(Default)]
struct Story {
    text: String,
    last: String,
}

impl Story {
    fn state(&mut self, at: Duration, tracker: &ReadinessTracker) {
        let mut state = match tracker.readiness() {
            Readiness::Blocked(block) => {
                format!("blocked by {} #{} {:?}", block.kind, block.request, block.options)
            }
            other => format!("{other:?}").to_lowercase(),
        };
        if tracker.drafting(None) {
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
        writeln!(self.text, "{:7.2} {what}", at.as_secs_f64()).unwrap();
    }
}
