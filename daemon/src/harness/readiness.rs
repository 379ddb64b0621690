//! Whether a harness takes input now, concluded from its own reports, its screen and its title.
//!
//! Its own report outranks the screen, except that a dialog seen on the screen always blocks, and that a report of
//! being ready counts only while a composer is there to type into. A starting harness that reports is not believed
//! to be ready before its first report or turn: some draw a composer first and a dialog over it. Pure: time is an argument.

use std::sync::Arc;
use std::time::Duration;

use super::composer::{self, Composer};
use super::definition::Definition;
use super::osc::{Reported, StatusReport};
use super::rules::{MarkedState, Marker, Place};
use super::view::View;

/// Choices kept of a dialog.
const MOST_OPTIONS: usize = 12;

/// What a harness can do with input now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Text can be typed and submitted.
    Ready,
    /// It works on a turn.
    Busy,
    /// It waits for a person. Nothing may be typed.
    Blocked(Block),
    /// Nothing tells. The definition's quiet time decides.
    Unknown,
}

/// What a blocked harness waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// `permission`, `trust`, `login`, `auth`, `quota`, `dialog`, or the harness's own word.
    pub kind: String,
    /// Grows with every new block of the run, so that an answer can name the block it is for.
    pub request: u64,
    /// The choices shown, in order.
    pub options: Vec<String>,
}

/// Follows one run.
#[derive(Debug, Clone)]
pub struct ReadinessTracker {
    definition: Arc<Definition>,
    reported: Option<StatusReport>,
    title: String,
    seen: Seen,
    last_output: Duration,
    starting: bool,
    request: u64,
    blocked_as: Option<String>,
}

/// What the last look at the screen showed.
#[derive(Debug, Clone, Default)]
struct Seen {
    looked: bool,
    composer: Option<Composer>,
    marked: Option<(MarkedState, Option<String>)>,
    login_screen: Option<String>,
    options: Vec<String>,
}

impl ReadinessTracker {
    /// A tracker for a run that has just begun.
    pub fn new(definition: Arc<Definition>) -> Self {
        let starting = definition.status.is_some();
        Self {
            definition,
            reported: None,
            title: String::new(),
            seen: Seen::default(),
            last_output: Duration::ZERO,
            starting,
            request: 0,
            blocked_as: None,
        }
    }

    /// A tracker for a run that was there before: its start is over, so its screen alone may tell that it is ready.
    /// `report` is the last one that counted, where that is known.
    pub fn adopted(definition: Arc<Definition>, report: Option<StatusReport>) -> Self {
        Self { starting: false, reported: report, ..Self::new(definition) }
    }

    /// Takes a status report; returns whether it counts. Reports of other programs, which may run inside the
    /// harness's tools, don't.
    pub fn status(&mut self, report: &StatusReport) -> bool {
        let own =
            self.definition.status.as_ref().is_some_and(|s| report.app.as_deref() == Some(s.app.as_str()));
        if own {
            self.starting = false;
            self.reported = Some(report.clone());
            self.note_block();
        }
        own
    }

    /// Takes a window title.
    pub fn title(&mut self, title: &str) {
        title.clone_into(&mut self.title);
    }

    /// Takes note of output at `now`, a monotonic time.
    pub fn output(&mut self, now: Duration) {
        self.last_output = now;
    }

    /// Takes a look at the screen. To be called when the output has come to rest for a moment, or now and then
    /// while it doesn't: a half-drawn screen is read as it stands.
    pub fn look(&mut self, view: &View) {
        let composer = self.definition.composer.as_ref().and_then(|rules| composer::find(rules, view));
        let shows =
            |pattern: &super::pattern::Pattern| view.rows.iter().any(|row| pattern.matches(&row.text));
        let login_screen = match composer {
            Some(_) => None,
            None => self.definition.login_screens.iter().find(|screen| screen.all.iter().all(shows)),
        };
        let marked = self
            .definition
            .markers
            .iter()
            .find(|marker| self.is_shown(marker, composer.as_ref(), view))
            .map(|marker| (marker.state, marker.kind.clone()));
        if matches!(marked, Some((MarkedState::Busy, _))) {
            self.starting = false;
        }
        self.seen = Seen {
            looked: true,
            marked,
            login_screen: login_screen.map(|screen| screen.name.clone()),
            options: if composer.is_none() { options(view) } else { Vec::new() },
            composer,
        };
        self.note_block();
    }

    fn is_shown(&self, marker: &Marker, composer: Option<&Composer>, view: &View) -> bool {
        if marker.place == Place::Title {
            return marker.pattern.matches(&self.title);
        }
        if marker.state == MarkedState::Blocked && composer.is_some() {
            return false;
        }
        rows_in(marker.place, composer, view).any(|row| marker.pattern.matches(view.text(row)))
    }

    /// The conclusion.
    pub fn readiness(&self) -> Readiness {
        if self.definition.always_ready {
            return Readiness::Ready;
        }
        if let Some(kind) = self.block() {
            let options = self.seen.options.clone();
            return Readiness::Blocked(Block { kind, request: self.request, options });
        }
        let composer_there = self.definition.composer.is_none() || self.seen.composer.is_some();
        match self.reported.as_ref().map(|r| &r.state) {
            Some(Reported::Working) => Readiness::Busy,
            Some(Reported::Idle | Reported::Done | Reported::Error) if composer_there => Readiness::Ready,
            Some(Reported::Idle | Reported::Done | Reported::Error) => Readiness::Unknown,
            _ => match self.seen.marked {
                Some((MarkedState::Busy, _)) => Readiness::Busy,
                Some((MarkedState::Ready, _)) if composer_there && !self.starting => Readiness::Ready,
                _ => Readiness::Unknown,
            },
        }
    }

    /// What blocks, if anything: a dialog on the screen, else the harness's own word.
    fn block(&self) -> Option<String> {
        if let Some((MarkedState::Blocked, kind)) = &self.seen.marked {
            return Some(kind.clone().unwrap_or_else(|| "dialog".to_owned()));
        }
        match self.reported.as_ref().map(|r| &r.state) {
            Some(Reported::Blocked(kind)) => Some(kind.clone().unwrap_or_else(|| "dialog".to_owned())),
            _ => None,
        }
    }

    fn note_block(&mut self) {
        let now = self.block();
        if now.is_some() && now != self.blocked_as {
            self.request += 1;
        }
        self.blocked_as = now;
    }

    /// The composer at the last look.
    pub fn composer(&self) -> Option<&Composer> {
        self.seen.composer.as_ref()
    }

    /// Whether somebody has typed into the composer: it holds text that isn't `ours`, the body being injected.
    pub fn drafting(&self, ours: Option<&str>) -> bool {
        let Some(shown) = self.seen.composer.as_ref().and_then(|c| c.text.as_deref()) else { return false };
        !ours.is_some_and(|ours| self.is_ours(shown, ours))
    }

    /// Whether the composer shows our text and nothing else, so that it was not submitted.
    pub fn composer_shows(&self, ours: &str) -> bool {
        self.seen
            .composer
            .as_ref()
            .and_then(|c| c.text.as_deref())
            .is_some_and(|shown| self.is_ours(shown, ours))
    }

    fn is_ours(&self, shown: &str, ours: &str) -> bool {
        self.definition.composer.as_ref().is_some_and(|rules| composer::is_ours(rules, shown, ours))
    }

    /// The login screen that is shown, by its name in the definition.
    pub fn login_screen(&self) -> Option<&str> {
        self.seen.login_screen.as_deref()
    }

    /// The last report that counted, to be kept for [`adopted`](Self::adopted).
    pub fn last_report(&self) -> Option<&StatusReport> {
        self.reported.as_ref()
    }

    /// How long there has been no output at `now`.
    pub fn quiet_for(&self, now: Duration) -> Duration {
        now.saturating_sub(self.last_output)
    }

    /// Whether text may be typed on account of silence alone: readiness is unknown, the screen was seen since,
    /// nobody drafts, and the definition's quiet time is over.
    pub fn quiet_enough(&self, now: Duration) -> bool {
        let quiet = self.quiet_for(now) >= self.definition.injection.quiet;
        self.readiness() == Readiness::Unknown
            && quiet
            && self.seen.looked
            && self.seen.login_screen.is_none()
            && !self.drafting(None)
    }
}

/// The rows of `view` that a place means.
pub fn rows_in(place: Place, composer: Option<&Composer>, view: &View) -> Box<dyn Iterator<Item = usize>> {
    let used: Vec<usize> = (0..view.rows.len()).filter(|row| !view.text(*row).is_empty()).collect();
    let last = |rows: Vec<usize>, n: usize| rows.into_iter().rev().take(n).collect::<Vec<_>>();
    let rows = match (place, composer) {
        (Place::Title, _) => Vec::new(),
        (Place::Screen, _) => used,
        (Place::Last(n), _) => last(used, usize::from(n)),
        (Place::Footer, None) => last(used, 3),
        (Place::Footer, Some(c)) => used.into_iter().filter(|row| *row >= c.rows.end).collect(),
        (Place::Above(n), None) => last(used, usize::from(n)),
        (Place::Above(n), Some(c)) => {
            last(used.into_iter().filter(|row| *row < c.rows.start).collect(), usize::from(n))
        }
    };
    Box::new(rows.into_iter())
}

/// The numbered choices of a dialog: `❯ 1. Yes`, `2. No`, inside a box or not.
fn options(view: &View) -> Vec<String> {
    let mut options: Vec<String> = Vec::new();
    for row in &view.rows {
        let line = row.text.trim_matches(|c: char| c.is_whitespace() || "│❯›●>•".contains(c));
        let Some((number, choice)) = line.split_once(". ") else { continue };
        match number.parse::<usize>() {
            // A list in the prose above doesn't mix with the dialog's: each starts with 1.
            Ok(1) => options = vec![choice.trim().to_owned()],
            Ok(n) if n == options.len() + 1 && n <= MOST_OPTIONS => options.push(choice.trim().to_owned()),
            _ => {}
        }
    }
    options
}

#[cfg(test)]
mod tests {
    use super::super::catalog::Catalog;
    use super::super::osc::{self, StatusCommand};
    use super::*;

    const RULE: &str = "────────────────────";

    fn tracker(harness: &str) -> ReadinessTracker {
        ReadinessTracker::new(Catalog::builtin().unwrap().get(harness).unwrap())
    }

    fn report(payload: &str) -> StatusReport {
        match osc::parse(format!("7501;{payload}").as_bytes()) {
            Some(StatusCommand::Report(report)) => report,
            other => panic!("{other:?}"),
        }
    }

    fn claude_idle(above: &str) -> View {
        View::of_text(&format!("{above}\n{RULE}\n❯\n{RULE}\n  ⏵⏵ auto mode on (shift+tab to cycle)"))
    }

    fn kind(readiness: &Readiness) -> &str {
        match readiness {
            Readiness::Blocked(block) => &block.kind,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn generic_is_always_ready_and_never_drafting() {
        let mut generic = tracker("generic");
        assert_eq!(generic.readiness(), Readiness::Ready);
        generic.look(&View::of_text("$ half a comm"));
        assert!(!generic.drafting(None));
    }

    #[test]
    fn a_report_outranks_the_screen_and_needs_a_composer_to_be_ready() {
        let mut claude = tracker("claude");
        assert_eq!(claude.readiness(), Readiness::Unknown);
        assert!(claude.status(&report("state=idle:app=claude-code")));
        assert_eq!(claude.readiness(), Readiness::Unknown, "no composer yet");
        claude.look(&claude_idle(""));
        assert_eq!(claude.readiness(), Readiness::Ready);
        claude.title("✳ Claude Code");
        claude.status(&report("state=working:app=claude-code"));
        claude.look(&claude_idle(""));
        assert_eq!(claude.readiness(), Readiness::Busy);
        claude.status(&report("state=error:app=claude-code"));
        assert_eq!(claude.readiness(), Readiness::Ready, "a failed turn leaves the composer usable");
    }

    #[test]
    fn another_programs_report_does_not_count() {
        let mut claude = tracker("claude");
        claude.look(&claude_idle(""));
        claude.status(&report("state=idle:app=claude-code"));
        assert!(!claude.status(&report("state=blocked:app=codex:kind=permission")));
        assert!(!claude.status(&report("state=clear")));
        assert_eq!(claude.readiness(), Readiness::Ready);
    }

    #[test]
    fn without_reports_the_screen_and_the_title_tell_once_the_start_is_over() {
        let mut claude = tracker("claude");
        claude.look(&claude_idle(""));
        assert_eq!(claude.readiness(), Readiness::Unknown, "a dialog may still come");
        assert!(claude.quiet_enough(Duration::from_secs(60)));
        let mut claude = ReadinessTracker::adopted(claude.definition, None);
        claude.look(&claude_idle(""));
        assert_eq!(claude.readiness(), Readiness::Ready);
        claude.title("◐ Claude Code");
        claude.look(&claude_idle(""));
        assert_eq!(claude.readiness(), Readiness::Busy);

        let mut claude = tracker("claude");
        claude.title("◐ Claude Code");
        claude.look(&claude_idle(""));
        claude.title("✳ Claude Code");
        claude.look(&claude_idle(""));
        assert_eq!(claude.readiness(), Readiness::Ready, "who has worked has started");
    }

    #[test]
    fn a_dialog_blocks_even_if_the_harness_says_idle_and_gives_its_options() {
        let mut claude = tracker("claude");
        claude.status(&report("state=idle:app=claude-code"));
        claude.look(&View::of_text(&format!(
            "1. a list in prose\n2. two\n3. three\n{RULE}\n Do you want to proceed?\n ❯ 1. Yes\n   2. Yes, always\n   3. No"
        )));
        let Readiness::Blocked(block) = claude.readiness() else { panic!("not blocked") };
        assert_eq!(block.kind, "permission");
        assert_eq!(block.options, ["Yes", "Yes, always", "No"]);
        assert_eq!(block.request, 1);
        claude.look(&claude_idle(""));
        claude.status(&report("state=blocked:app=claude-code:kind=auth"));
        assert_eq!(kind(&claude.readiness()), "auth");
        let Readiness::Blocked(block) = claude.readiness() else { panic!("not blocked") };
        assert_eq!(block.request, 2, "a new block has a new number");
    }

    #[test]
    fn prose_that_quotes_a_dialog_blocks_nothing() {
        let done = report("state=done:app=claude-code");
        let mut claude = ReadinessTracker::adopted(tracker("claude").definition, Some(done));
        claude
            .look(&claude_idle("● It then asks\n Do you want to proceed?\n ❯ 1. Yes\n Select login method"));
        assert_eq!(claude.readiness(), Readiness::Ready);
        assert_eq!(claude.login_screen(), None);
    }

    #[test]
    fn the_login_menu_is_named() {
        let mut codex = tracker("codex");
        codex.status(&report("state=idle:app=codex"));
        codex.look(&View::of_text(
            "  Welcome to Codex, OpenAI's command-line coding agent\n\n> 1. Sign in with ChatGPT\n\n  2. Sign in with Device Code\n\n  Press enter to continue",
        ));
        assert_eq!(kind(&codex.readiness()), "login");
        assert_eq!(codex.login_screen(), Some("codex sign-in menu"));
        assert!(!codex.quiet_enough(Duration::from_secs(100)));
    }

    #[test]
    fn a_draft_is_somebody_elses_until_it_is_ours() {
        let mut claude = tracker("claude");
        claude
            .look(&View::of_text(&format!("{RULE}\n❯ [from bob] run the tests\n{RULE}\n  ? for shortcuts")));
        assert!(claude.drafting(None));
        assert!(claude.drafting(Some("[from eve] something else entirely")));
        assert!(!claude.drafting(Some("[from bob] run the tests")));
        assert!(claude.composer_shows("[from bob] run the tests"));
    }

    #[test]
    fn silence_is_enough_only_while_nothing_is_known() {
        let mut codex = tracker("codex");
        codex.output(Duration::from_secs(1));
        assert!(!codex.quiet_enough(Duration::from_secs(60)), "the screen was never seen");
        codex.look(&View::of_text("something new"));
        assert!(!codex.quiet_enough(Duration::from_secs(5)));
        assert!(codex.quiet_enough(Duration::from_secs(60)));
        codex.status(&report("state=working:app=codex"));
        assert!(!codex.quiet_enough(Duration::from_secs(60)));
    }
}
