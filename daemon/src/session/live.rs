//! One live run as its session sees it: the link to its holder, its screen, and what it said about itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::conversation::{Follower, Sought};
use super::house::new_id;
use super::injection::prompt::{Prompt, squeezed};
use super::picture::Picture;
use super::replay::Replay;
use super::spec::RunRecord;
use super::suspicion::Suspicion;
use crate::failover::classify::classify;
use crate::failover::last_words;
use crate::harness::definition::Definition;
use crate::harness::observe::Observer;
use crate::harness::osc::{Reported, StatusReport};
use crate::harness::printed::Printed;
use crate::harness::query::{self, AnswerContext, Query};
use crate::harness::readiness::ReadinessTracker;
use crate::harness::scan::{Signal, SignalScanner};
use crate::harness::screen::{DEFAULT_COLUMNS, DEFAULT_ROWS, Screen, VtScreen};
use crate::harness::view::View;
use crate::holder::link::{HolderEvent, Link, LinkHandle};
use crate::holder::run::{Exit, Size, StreamId};
use crate::holder::script::{OperationId, Step};
use crate::holder::wire::Status;
use crate::machine;

/// A screen that has not changed for this long has come to rest.
pub const SETTLES: Duration = Duration::from_millis(60);
/// A screen that never rests is looked at this often.
pub const LOOKS_EVERY: Duration = Duration::from_millis(250);
/// Output after which the holder is given a new picture of the screen: what lies between is read again at adoption.
const CHECKPOINT_BYTES: u64 = 128 << 10;
/// A query is fresh for this long after it was asked.
const FRESH: Duration = Duration::from_secs(1);

/// A live run.
#[derive(Debug)]
pub struct Live {
    /// What the next daemon needs to know of it.
    pub record: RunRecord,
    /// The definition it runs under.
    pub definition: Arc<Definition>,
    /// Commands its holder.
    pub link: LinkHandle,
    /// What its holder says.
    pub events: mpsc::Receiver<HolderEvent>,
    /// The harness process.
    pub pid: u32,
    /// How the harness ended.
    pub exit: Option<Exit>,
    /// Whether no process of it is left.
    pub gone: bool,
    /// Someone reads old output.
    pub replay: Option<Replay>,
    /// Reads the conversation file, where the harness keeps one that is understood.
    pub follower: Option<Follower>,
    /// By what its conversation file is found.
    pub sought: Sought,
    /// What speaks for a failure of the turn.
    pub suspicion: Suspicion,
    /// Where in the output the last script was begun.
    written_at: u64,
    /// The harness ended while nobody watched: its last words are read once the output has come this far.
    last_words: Option<u64>,
    /// What the conversation recorded of the user while nobody followed it, without white space.
    heard_before: Vec<String>,
    /// What was submitted last, as it was typed, until the composer is seen without it.
    pub last_typed: Option<String>,
    /// What it prints, where it takes no input.
    pub printed: Option<Printed>,
    screen: Box<VtScreen>,
    scanner: SignalScanner,
    tracker: ReadinessTracker,
    observer: Observer,
    /// The first look only tells what an earlier daemon has seen.
    catching_up: bool,
    looked_at: Option<Look>,
    title: String,
    /// Absolute offset of the next byte of output.
    next: u64,
    /// Offset of the last picture that the holder was given.
    pictured: u64,
    began: Instant,
    output_at: Option<Instant>,
    /// It was seen to take input before.
    was_ready: bool,
    /// How often memory had run out when the run was taken up.
    kills: Option<u64>,
}

/// The last look at the screen.
#[derive(Clone, Copy, Debug)]
struct Look {
    /// The screen's generation then.
    generation: u64,
    at: Instant,
    /// Whether the screen was at rest, so that what was read of it is whole.
    at_rest: bool,
}

/// How the reading of a run begins.
struct Beginning {
    screen: VtScreen,
    tracker: ReadinessTracker,
    observer: Observer,
    /// Offset of the first byte to be read.
    from: u64,
    /// Queries before this have been answered.
    answered: u64,
}

/// What output brought.
#[derive(Debug, Default)]
pub struct Brought {
    /// Bytes not seen before, for viewers.
    pub fresh: Option<(u64, Bytes)>,
    /// The harness's own reports about itself, in order.
    pub reports: Vec<StatusReport>,
}

impl std::fmt::Debug for VtScreen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VtScreen")
    }
}

impl Live {
    /// A run that has just been started.
    pub fn started(record: RunRecord, definition: Arc<Definition>, link: Link, size: Size) -> Self {
        let screen = VtScreen::new(size.rows, size.cols, 0);
        let tracker = ReadinessTracker::new(Arc::clone(&definition));
        let observer = Observer::new(Arc::clone(&definition), record.resumed);
        Self::new(record, definition, link, Beginning { screen, tracker, observer, from: 0, answered: 0 })
    }

    /// A run that an earlier daemon started: its screen is drawn from the holder's picture, and output goes on from
    /// there. [`LinkHandle::follow`] from [`Self::next`] is up to the caller.
    pub fn adopted(record: RunRecord, definition: Arc<Definition>, link: Link, status: &Status) -> Self {
        let size = status.size.unwrap_or(Size { rows: DEFAULT_ROWS, cols: DEFAULT_COLUMNS });
        let terminal = status.streams.iter().find(|stream| stream.stream == StreamId::TERMINAL);
        let (start, end) = terminal.map_or((0, 0), |stream| (stream.start, stream.end));
        let picture = Picture::of_note(&status.note);
        // What was printed is in no picture: it is read again from the start.
        let picture =
            picture.filter(|picture| !definition.prints && (start..=end).contains(&picture.screen.offset));
        let (screen, from) = match &picture {
            Some(picture) => {
                (VtScreen::restore(size.rows, size.cols, &picture.screen), picture.screen.offset)
            }
            None => (VtScreen::new(size.rows, size.cols, start), start),
        };
        let (title, report) = picture.map(|picture| (picture.title, picture.report)).unwrap_or_default();
        let mut tracker = ReadinessTracker::adopted(Arc::clone(&definition), report);
        tracker.title(&title);
        let observer = Observer::new(Arc::clone(&definition), false);
        let beginning = Beginning { screen, tracker, observer, from, answered: status.answered };
        let mut live = Self::new(record, definition, link, beginning);
        live.title = title;
        // What an earlier daemon saw, it dealt with, unless it died over it.
        let failing = live.record.turn.is_failing();
        live.catching_up = !failing;
        if let Some(report) = live.tracker.last_report().cloned().filter(|_| failing) {
            live.observe(&report, Instant::now());
        }
        live.was_ready = true;
        live.exit = status.exit;
        live.last_words = status.exit.map(|_| end);
        live.gone = status.gone;
        live
    }

    fn new(record: RunRecord, definition: Arc<Definition>, link: Link, beginning: Beginning) -> Self {
        let Beginning { screen, tracker, observer, from, answered } = beginning;
        let printed = definition.one_shot.as_ref().filter(|_| definition.prints);
        let printed = printed.map(|one_shot| Printed::new(one_shot.answers.clone()));
        Self {
            printed,
            record,
            definition,
            pid: link.handle.identity().child_pid,
            link: link.handle,
            events: link.events,
            exit: None,
            gone: false,
            replay: None,
            follower: None,
            sought: Sought::default(),
            suspicion: Suspicion::default(),
            written_at: 0,
            last_words: None,
            heard_before: Vec::new(),
            last_typed: None,
            screen: Box::new(screen),
            scanner: SignalScanner::new(from, answered),
            tracker,
            observer,
            catching_up: false,
            looked_at: None,
            title: String::new(),
            next: from,
            pictured: from,
            began: Instant::now(),
            output_at: None,
            was_ready: false,
            kills: machine::out_of_memory_kills(),
        }
    }

    /// Absolute offset of the next byte of output.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Takes output of the terminal; queries in it are answered at once.
    pub fn output(&mut self, offset: u64, bytes: Bytes, now: Instant) -> Brought {
        if let Some(replay) = &mut self.replay {
            replay.take(offset, &bytes, self.next);
        }
        let known = usize::try_from(self.next.saturating_sub(offset)).unwrap_or(usize::MAX);
        if known >= bytes.len() {
            return Brought::default();
        }
        let fresh = bytes.slice(known..);
        let from = offset.max(self.next);
        self.next = from + fresh.len() as u64;
        self.output_at = Some(now);
        self.screen.feed(&fresh);
        if let Some(printed) = &mut self.printed {
            printed.feed(&fresh);
        }
        self.tracker.output(now.saturating_duration_since(self.began));
        let mut queries = Vec::new();
        let mut reports = Vec::new();
        for signal in self.scanner.scan(&fresh) {
            match signal {
                Signal::Query(query) => queries.push(query),
                Signal::Status { report, end } => {
                    // What is read again after a restart may be of an earlier turn.
                    if self.tracker.status(&report) && !self.record.turn.is_past(end) {
                        self.observe(&report, now);
                        reports.push(report);
                    }
                }
                Signal::Title(title) => {
                    self.tracker.title(&title);
                    self.title = title;
                }
            }
        }
        self.answer(&queries, now);
        Brought { fresh: Some((from, fresh)), reports }
    }

    /// Output was overwritten before it could be read: the screen is no longer known until the harness draws it
    /// anew.
    /// Returns whether it was: reading old output leaves gaps that mean nothing.
    pub fn lost_output(&mut self, to: u64) -> bool {
        if to <= self.next {
            return false;
        }
        self.next = to;
        self.scanner = SignalScanner::new(to, to);
        true
    }

    fn answer(&mut self, queries: &[Query], now: Instant) {
        if queries.is_empty() {
            return;
        }
        let context = AnswerContext {
            cursor: self.screen.cursor(),
            size: self.screen.size(),
            bracketed_paste: self.screen.bracketed_paste(),
            fresh: now.saturating_duration_since(self.began) < FRESH,
        };
        let Some(answer) = query::answer(queries, context) else { return };
        let written = if answer.bytes.is_empty() {
            Ok(())
        } else {
            self.link.write_soon(OperationId::new(new_id()), vec![Step::Bytes(answer.bytes)])
        };
        // One socket, one order: a holder that has the second has the first.
        if let Err(error) = written.and_then(|()| self.link.answered_soon(answer.through)) {
            tracing::debug!(%error, "a terminal query stays unanswered");
        }
    }

    /// A script is handed to the holder: whatever the harness says of it comes after this.
    pub fn writes(&mut self) {
        self.written_at = self.next;
    }

    /// A prompt was submitted: whatever comes now is about it.
    pub fn submitted(&mut self, prompt: Prompt) {
        self.observer.turn_started();
        if self.suspicion.wakes_at().is_none() {
            self.suspicion.clear();
        }
        self.record.turn.submitted(prompt, self.written_at);
    }

    /// Takes a report for what it says of a failure, or of a new turn.
    fn observe(&mut self, report: &StatusReport, now: Instant) {
        if report.state == Reported::Working {
            self.suspicion.clear();
        }
        if let Some(notice) = self.observer.status(report, now.saturating_duration_since(self.began)) {
            self.suspicion.notice(notice, now);
        }
    }

    /// What the conversation recorded of the user while nobody followed it.
    pub fn remember(&mut self, text: &str) {
        self.heard_before.push(squeezed(text));
    }

    /// Whether the conversation had recorded a prompt before anyone followed it.
    pub fn remembers(&self, prompt: &Prompt) -> bool {
        !prompt.sought.is_empty() && self.heard_before.iter().any(|text| text.contains(&prompt.sought))
    }

    /// Whether the end of a harness that nobody watched is still to be read.
    pub fn reads_last_words(&self) -> bool {
        self.last_words.is_some()
    }

    /// Reads the end of a harness that ended while nobody watched, once all of its output is there.
    pub fn read_last_words(&mut self, now: Instant) {
        if let (Some(exit), Some(at)) = (self.exit, self.last_words)
            && self.next >= at
        {
            self.last_words = None;
            self.ended(exit, now);
        }
    }

    /// The harness has ended: its last words are read. A signal counts as no exit code.
    pub fn ended(&mut self, exit: Exit, now: Instant) {
        if self.last_words.is_some() {
            return;
        }
        self.exit = Some(exit);
        let code = match exit {
            Exit::Code(code) => Some(code),
            Exit::Signal(_) | Exit::Other(..) => None,
        };
        if self.printed.is_some() {
            return self.judge_printed(code, now);
        }
        let view = self.screen.view();
        for notice in self.observer.exited(&view, now.saturating_duration_since(self.began)) {
            self.suspicion.notice(notice, now);
        }
        self.suspicion.exited(code, now);
    }

    /// A harness that prints has ended: what it said of itself is all there is.
    fn judge_printed(&mut self, code: Option<i32>, now: Instant) {
        let Some(printed) = &mut self.printed else { return };
        printed.end_line();
        let harness = &self.definition.name;
        let seen = match code.filter(|code| *code != 0) {
            Some(code) => Some(last_words::ended(printed, harness, code)),
            None => {
                let (at, zone) = (jiff::Timestamp::now(), jiff::tz::TimeZone::system());
                last_words::unrecovered(printed, harness, |seen| classify(seen, at, &zone))
            }
        };
        if let Some(seen) = seen {
            self.suspicion.printed(seen, now);
        }
    }

    /// Reads what is new on a screen at rest.
    fn read_notices(&mut self, view: &View, now: Instant) {
        let at = now.saturating_duration_since(self.began);
        let (composer, login) = (self.tracker.composer(), self.tracker.login_screen());
        let notices = self.observer.look(view, composer, login, at);
        // What an earlier daemon saw, it dealt with; unless the harness still says that something is wrong of which nothing
        // was decided.
        let open = self.says_failure() && !self.record.turn.is_decided();
        let old = std::mem::take(&mut self.catching_up) && !open;
        for notice in notices.into_iter().filter(|_| !old) {
            self.suspicion.notice(notice, now);
        }
    }

    fn says_failure(&self) -> bool {
        let state = self.tracker.last_report().map(|report| &report.state);
        self.tracker.login_screen().is_some()
            || matches!(state, Some(Reported::Error))
            || matches!(state, Some(Reported::Blocked(Some(kind))) if kind == "auth")
    }

    /// What is concluded about the harness. The screen is looked at if it changed and has come to rest, or if it has
    /// not done so for long: a spinner never rests.
    pub fn tracker(&mut self, now: Instant) -> &ReadinessTracker {
        let generation = self.screen.generation();
        let at_rest = self.rested(now) >= SETTLES;
        let due = self.looked_at.is_none_or(|last| {
            let overdue = now.saturating_duration_since(last.at) >= LOOKS_EVERY;
            let is_news = last.generation != generation;
            (is_news && (at_rest || overdue)) || (at_rest && !last.at_rest)
        });
        if due {
            self.looked_at = Some(Look { generation, at: now, at_rest });
            let view = self.screen.view();
            self.tracker.look(&view);
            if at_rest {
                self.read_notices(&view, now);
            }
        }
        &self.tracker
    }

    /// What was concluded at the last look.
    pub fn last_seen(&self) -> &ReadinessTracker {
        &self.tracker
    }

    /// Whether readiness is unknown and output has rested for the definition's quiet time.
    pub fn is_quiet(&self, now: Instant) -> bool {
        self.tracker.quiet_enough(now.saturating_duration_since(self.began))
    }

    /// Whether the picture that was last looked at is the present one, at rest.
    pub fn is_settled(&self, now: Instant) -> bool {
        self.rested(now) >= SETTLES
            && self.looked_at.is_some_and(|last| last.generation == self.screen.generation())
    }

    /// The window title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The screen.
    pub fn screen(&mut self) -> &mut VtScreen {
        &mut self.screen
    }

    /// How long output has rested; since the start if there was none.
    pub fn rested(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.output_at.unwrap_or(self.began))
    }

    /// When output will have rested for `time`.
    pub fn rests_at(&self, time: Duration) -> Instant {
        self.output_at.unwrap_or(self.began) + time
    }

    /// Whether it was seen to take input before.
    pub fn was_ready(&self) -> bool {
        self.was_ready
    }

    /// It takes input, or works on some.
    pub fn note_ready(&mut self) {
        self.was_ready = true;
    }

    /// Whether the kernel ended processes since then because memory ran out.
    pub fn saw_memory_run_out(&self) -> bool {
        machine::out_of_memory_kills() > self.kills
    }

    /// Whether something was put out since the holder's last picture.
    pub fn has_unpictured(&self) -> bool {
        self.next > self.pictured
    }

    /// Gives the holder a picture of the screen if much was put out since the last one, or if `anyway`.
    pub fn keep_picture(&mut self, anyway: bool) {
        if self.next.saturating_sub(self.pictured) < if anyway { 1 } else { CHECKPOINT_BYTES } {
            return;
        }
        let picture = Picture {
            screen: self.screen.checkpoint(),
            title: self.title.clone(),
            report: self.tracker.last_report().cloned(),
        };
        self.pictured = self.next;
        let Some(note) = picture.to_note() else { return };
        let link = self.link.clone();
        tokio::spawn(async move {
            if let Err(error) = link.note(note).await {
                tracing::debug!(%error, "a picture of the screen was not kept");
            }
        });
    }

    /// Takes the link of a holder that had been lost. Output goes on where it stopped.
    pub fn relink(&mut self, link: Link) {
        self.link = link.handle;
        self.events = link.events;
    }
}

/// How a run ended, for people.
pub fn exit_words(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit code {code}"),
        Exit::Signal(signal) => format!("signal {signal}"),
        Exit::Other(kind, value) => format!("ended in a way that a later holder knows ({kind}, {value})"),
    }
}
