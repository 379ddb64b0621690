//! Candidate failure notices: what the harness itself, and nobody else, says went wrong.
//!
//! A notice is taken from the harness's own status report, from a line that it draws in its own warning colour
//! above the composer, from a login screen, or from a dead program's last words. Prose, tool output, echoes of
//! injected text and the composer are never taken. Every notice is still only text: the failover room decides
//! what corroborates it.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::composer::Composer;
use super::definition::Definition;
use super::osc::{Reported, StatusReport};
use super::pattern::Pattern;
use super::readiness::rows_in;
use super::rules::{NoticeRule, Place};
use super::view::{Ink, View};

/// Longest notice, in bytes.
const LONGEST: usize = 2048;

/// Rows of a dead program's last words.
const LAST_ROWS: usize = 6;

/// Something that a harness said went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalNotice {
    /// The sentence, possibly empty for a report without one.
    pub text: String,
    /// Where it was said.
    pub marker: NoticeMarker,
    /// When it was seen, in the caller's monotonic time.
    pub at: Duration,
}

/// Where a notice was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeMarker {
    /// In a line on the screen, by the rule's marker, e.g. `■`.
    Line(String),
    /// In the harness's own status report: an error, or blocked with this kind.
    Report {
        /// `None` for an error.
        blocked: Option<String>,
    },
    /// By showing this login screen.
    LoginScreen(String),
    /// In the last rows that the program left behind.
    LastWords,
}

/// Follows one run.
#[derive(Debug, Clone)]
pub struct Observer {
    definition: Arc<Definition>,
    /// History redrawn by a resumed run is old news until the run's first turn.
    replaying: bool,
    /// Messages and notices on the screen at the last look, top to bottom.
    seen: Vec<Line>,
    login_screen: Option<String>,
}

#[derive(Debug, Clone)]
enum Line {
    /// A message of the user's: it tells two notices of the same text in two turns apart.
    Message(String),
    Notice {
        marker: String,
        text: String,
    },
}

impl PartialEq for Line {
    /// A countdown in a notice doesn't make it another one.
    fn eq(&self, other: &Self) -> bool {
        let timeless = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
        match (self, other) {
            (Self::Message(a), Self::Message(b)) => a == b,
            (Self::Notice { marker: m, text: a }, Self::Notice { marker: n, text: b }) => {
                m == n && timeless(a) == timeless(b)
            }
            _ => false,
        }
    }
}

impl Observer {
    /// An observer of a run that has just begun. `resumed` says that it draws an earlier conversation first.
    pub fn new(definition: Arc<Definition>, resumed: bool) -> Self {
        Self { definition, replaying: resumed, seen: Vec::new(), login_screen: None }
    }

    /// A turn began in this run.
    pub fn turn_started(&mut self) {
        self.replaying = false;
    }

    /// Takes a status report of the harness's own (see [`ReadinessTracker::status`]).
    ///
    /// [`ReadinessTracker::status`]: super::readiness::ReadinessTracker::status
    pub fn status(&mut self, report: &StatusReport, at: Duration) -> Option<TerminalNotice> {
        let blocked = match &report.state {
            Reported::Working => {
                self.turn_started();
                return None;
            }
            Reported::Error => None,
            // Waiting for permission or in a dialog is no failure.
            Reported::Blocked(Some(kind)) if kind == "auth" => Some(kind.clone()),
            _ => return None,
        };
        let text = report.message.clone().unwrap_or_default();
        Some(TerminalNotice { text, marker: NoticeMarker::Report { blocked }, at })
    }

    /// Looks at a screen that has come to rest, with the composer and login screen found on it, and returns what
    /// is new.
    pub fn look(
        &mut self,
        view: &View,
        composer: Option<&Composer>,
        login_screen: Option<&str>,
        at: Duration,
    ) -> Vec<TerminalNotice> {
        let mut notices = Vec::new();
        if login_screen != self.login_screen.as_deref() {
            self.login_screen = login_screen.map(str::to_owned);
            notices.extend(login_screen.map(|name| TerminalNotice {
                text: view.contents(),
                marker: NoticeMarker::LoginScreen(name.to_owned()),
                at,
            }));
        }
        let lines = self.lines(view, composer);
        // An overlay or a cleared screen hides lines for a while; they are no news when they come back.
        if lines.is_empty() {
            return notices;
        }
        let known = overlap(&self.seen, &lines);
        for line in lines.get(known..).unwrap_or_default() {
            if let (false, Line::Notice { marker, text }) = (self.replaying, line) {
                let marker = NoticeMarker::Line(marker.clone());
                notices.push(TerminalNotice { text: text.clone(), marker, at });
            }
        }
        self.seen = lines;
        notices
    }

    /// The program has ended and left this screen: its last notices, and its last words.
    pub fn exited(&mut self, view: &View, at: Duration) -> Vec<TerminalNotice> {
        self.replaying = false;
        let mut notices = self.look(view, None, None, at);
        let used: Vec<&str> =
            view.rows.iter().map(|r| r.text.trim()).filter(|text| !text.is_empty()).collect();
        let last = used.get(used.len().saturating_sub(LAST_ROWS)..).unwrap_or_default().join("\n");
        if !last.is_empty() {
            notices.push(TerminalNotice { text: bounded(last), marker: NoticeMarker::LastWords, at });
        }
        notices
    }

    fn lines(&self, view: &View, composer: Option<&Composer>) -> Vec<Line> {
        let transcript = 0..composer.map_or(view.rows.len(), |c| c.rows.start);
        let mut lines = Vec::new();
        for row in 0..view.rows.len() {
            let notice = self.definition.notices.iter().find_map(|rule| {
                let text = self.notice_at(rule, view, composer, &transcript, row)?;
                Some(Line::Notice { marker: rule.marker.clone(), text })
            });
            let message = || {
                let prompt: &Pattern = &self.definition.composer.as_ref()?.prompt;
                let found =
                    transcript.contains(&row).then(|| prompt.find(view.text(row), "text")).flatten()?;
                Some(Line::Message(view.text(row).get(found)?.to_owned()))
            };
            lines.extend(notice.or_else(message));
        }
        lines
    }

    fn notice_at(
        &self,
        rule: &NoticeRule,
        view: &View,
        composer: Option<&Composer>,
        transcript: &Range<usize>,
        row: usize,
    ) -> Option<String> {
        let there = match rule.place {
            None => transcript.contains(&row),
            Some(Place::Title) => false,
            Some(place) => rows_in(place, composer, view).any(|r| r == row),
        };
        if !there {
            return None;
        }
        let found = rule.pattern.find(view.text(row), "text")?;
        let mut text = view.text(row).get(found.clone())?.to_owned();
        let Some(group) = &rule.warm else { return Some(bounded(text)) };
        let ink =
            one_ink(view, row, rule.pattern.find(view.text(row), group)?).filter(|ink| ink.is_warm())?;
        if group != "text" {
            return Some(bounded(text));
        }
        // A long sentence goes on in the same colour.
        for next in row + 1..transcript.end {
            let words = view.text(next).trim_start();
            let whole = view.text(next).len() - words.len()..view.text(next).len();
            let starts_anew =
                self.definition.notices.iter().any(|rule| rule.pattern.matches(view.text(next)));
            if words.is_empty() || starts_anew || one_ink(view, next, whole) != Some(ink) {
                break;
            }
            let cut_in_word =
                view.rows.get(next - 1).is_some_and(|r| r.styles.len() >= usize::from(view.columns));
            if !cut_in_word {
                text.push(' ');
            }
            text.push_str(words);
        }
        Some(bounded(text))
    }
}

/// The one colour in which the bytes `range` of a row are drawn.
fn one_ink(view: &View, row: usize, range: Range<usize>) -> Option<Ink> {
    let row = view.rows.get(row)?;
    let before = row.text.get(..range.start)?.chars().count();
    let part = row.text.get(range)?;
    let mut inks = part
        .chars()
        .zip(row.styles.get(before..)?)
        .filter(|(c, _)| !c.is_whitespace())
        .map(|(_, style)| style.ink);
    let first = inks.next()?;
    inks.all(|ink| ink == first).then_some(first)
}

/// How many lines at the start of `now` were on the screen before: the longest end of `before` that `now` begins
/// with, since a conversation only scrolls up.
fn overlap(before: &[Line], now: &[Line]) -> usize {
    (0..=before.len().min(now.len()))
        .rev()
        .find(|n| before.get(before.len() - n..) == now.get(..*n))
        .unwrap_or(0)
}

fn bounded(mut text: String) -> String {
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::catalog::Catalog;
    use super::super::osc::{self, StatusCommand};
    use super::super::readiness::ReadinessTracker;
    use super::super::screen::{Screen as _, VtScreen};
    use super::*;

    const RULE: &str = "────────────────────";

    /// A claude or codex that shows `transcript` above an empty composer.
    struct Shown {
        harness: &'static str,
        tracker: ReadinessTracker,
        observer: Observer,
    }

    impl Shown {
        fn new(harness: &'static str, resumed: bool) -> Self {
            let definition = Catalog::builtin().unwrap().get(harness).unwrap();
            Self {
                harness,
                tracker: ReadinessTracker::new(definition.clone()),
                observer: Observer::new(definition, resumed),
            }
        }

        fn look(&mut self, transcript: &str) -> Vec<String> {
            let composer = match self.harness {
                "claude" => format!("{RULE}\n❯\n{RULE}\n  ⏵⏵ auto mode on"),
                _ => "\x1b[1m›\x1b[0m \x1b[2mAsk Codex\x1b[0m\n\n  GPT-6.1-Sol default · ~/work".to_owned(),
            };
            let mut screen = VtScreen::new(24, 60, 0);
            screen.feed(format!("{transcript}\n\n{composer}").replace('\n', "\r\n").as_bytes());
            let view = screen.view();
            self.tracker.look(&view);
            assert!(self.tracker.composer().is_some(), "{}", view.contents());
            let notices = self.observer.look(&view, self.tracker.composer(), None, Duration::ZERO);
            notices.into_iter().map(|n| n.text).collect()
        }
    }

    fn red(text: &str) -> String {
        format!("\x1b[31m{text}\x1b[0m")
    }

    #[test]
    fn a_warning_line_is_taken_whole_and_once() {
        let mut codex = Shown::new("codex", false);
        let failed = format!(
            "› hello\n\n{}",
            red("■ unexpected status 401 Unauthorized: Your token\nhas been invalidated.")
        );
        assert_eq!(
            codex.look(&failed),
            ["unexpected status 401 Unauthorized: Your token has been invalidated."]
        );
        assert_eq!(codex.look(&failed), [""; 0]);
        let again = format!("{failed}\n\n› again\n\n{}", red("■ stream disconnected"));
        assert_eq!(codex.look(&again), ["stream disconnected"]);
        assert_eq!(
            codex.look(&format!("› again\n\n{}", red("■ stream disconnected"))),
            [""; 0],
            "scrolled up"
        );
        let third = format!(
            "› again\n\n{}\n\n› third\n\n{}",
            red("■ stream disconnected"),
            red("■ stream disconnected")
        );
        assert_eq!(codex.look(&third), ["stream disconnected"], "the same again in another turn");
    }

    #[test]
    fn what_merely_quotes_a_failure_is_not_taken() {
        let mut codex = Shown::new("codex", false);
        assert_eq!(codex.look("› ■ You've hit your usage limit\n  ■ token_invalidated\n\n• ■ unexpected status 401\n  ■ quota"), [""; 0]);
        assert_eq!(
            codex.look("■ a line of prose that begins like a notice"),
            [""; 0],
            "not in a warning colour"
        );
        let mut claude = Shown::new("claude", false);
        let quoted = "❯ see\n  ⎿  Invalid API key · Please run /login\n● Please run /login · API Error: 401\n● Bash(cat log)\n  ⎿  OAuth token revoked · Please run /login";
        assert_eq!(claude.look(quoted), [""; 0]);
        assert_eq!(
            claude.look(&format!("● {} is what it said", red("Please run /login"))),
            [""; 0],
            "a coloured quotation"
        );
        let taken = claude.look(&format!("❯ go\n  ⎿  {}", red("OAuth token revoked · Please run /login")));
        assert_eq!(taken, ["OAuth token revoked · Please run /login"]);
    }

    #[test]
    fn history_drawn_by_a_resumed_run_is_old_news() {
        let mut codex = Shown::new("codex", true);
        let history = format!("› hello\n\n{}", red("■ You've hit your usage limit."));
        assert_eq!(codex.look(&history), [""; 0]);
        codex.observer.turn_started();
        assert_eq!(codex.look(&history), [""; 0]);
        assert_eq!(
            codex.look(&format!("{history}\n\n› more\n\n{}", red("■ You've hit your usage limit."))),
            ["You've hit your usage limit."]
        );
    }

    #[test]
    fn reports_of_errors_and_dead_logins_count_and_waiting_does_not() {
        let mut claude = Shown::new("claude", false);
        let mut told = |payload: &str| match osc::parse(format!("7501;{payload}").as_bytes()) {
            Some(StatusCommand::Report(report)) => claude.observer.status(&report, Duration::from_secs(1)),
            other => panic!("{other:?}"),
        };
        assert_eq!(told("state=blocked:app=claude-code:kind=permission"), None);
        assert_eq!(told("state=done:app=claude-code"), None);
        let notice = told("state=blocked:app=claude-code:kind=auth:msg=UGxlYXNlIHJ1biAvbG9naW4=").unwrap();
        assert_eq!(notice.text, "Please run /login");
        assert_eq!(notice.marker, NoticeMarker::Report { blocked: Some("auth".into()) });
        assert_eq!(
            told("state=error:app=claude-code").unwrap().marker,
            NoticeMarker::Report { blocked: None }
        );
    }

    #[test]
    fn a_dead_program_leaves_its_last_words() {
        let mut codex = Shown::new("codex", false);
        let notices = codex
            .observer
            .exited(&View::of_text("\nError: account/read failed: workspace routing\n"), Duration::ZERO);
        let markers: Vec<&NoticeMarker> = notices.iter().map(|n| &n.marker).collect();
        assert_eq!(markers, [&NoticeMarker::Line("Error:".into()), &NoticeMarker::LastWords]);
        assert_eq!(notices[0].text, "account/read failed: workspace routing");
    }
}
