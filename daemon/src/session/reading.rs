//! From what a run shows to what the injector needs to know of it.

use std::borrow::Cow;
use std::time::Instant;

use super::drafting::Drafting;
use super::injection::prompt::{Prompt, squeezed};
use super::injection::sight::{Composer, Gate, Sight};
use super::live::Live;
use crate::harness::readiness::Readiness;
use crate::harness::screen::Screen;

/// The prompt that is looked for, and what of it is typed.
pub type UnderWay<'a> = Option<(&'a Prompt, Cow<'a, str>)>;

/// Looks at a run at `now`.
pub fn look(live: &mut Live, drafting: &mut Drafting, under_way: UnderWay<'_>, now: Instant) -> Sight {
    if live.exit.is_some() {
        return Sight::away("exited");
    }
    let readiness = live.tracker(now).readiness();
    let settled = live.is_settled(now);
    let composer = composer(live, under_way.as_ref().map(|(_, typed)| typed.as_ref()));
    let is_left_over = composer == Composer::Other && shows_last_typed(live);
    if !is_left_over && settled && under_way.is_none() {
        live.last_typed = None;
    }
    let empty = match composer {
        Composer::Unknown => None,
        Composer::Empty | Composer::Ours => Some(true),
        Composer::Other => Some(is_left_over),
    };
    let gate = match readiness {
        _ if live.definition.prints => Gate::Busy,
        Readiness::Ready => Gate::Ready,
        Readiness::Busy => Gate::Busy,
        Readiness::Blocked(block) => Gate::Blocked(block.kind),
        Readiness::Unknown if live.is_quiet(now) => Gate::Ready,
        Readiness::Unknown if live.was_ready() => Gate::Unknown,
        Readiness::Unknown => Gate::Away("starting".to_owned()),
    };
    if matches!(gate, Gate::Ready | Gate::Busy) {
        live.note_ready();
    }
    let shown = settled
        && matches!(composer, Composer::Empty | Composer::Other)
        && under_way.is_some_and(|(prompt, _)| is_shown(live, prompt));
    Sight { gate, composer, drafting: drafting.is_open(empty, now), shown, settled }
}

fn composer(live: &Live, typed: Option<&str>) -> Composer {
    let tracker = live.last_seen();
    match tracker.composer() {
        None => Composer::Unknown,
        Some(composer) if composer.text.is_none() => Composer::Empty,
        Some(_) if typed.is_some_and(|typed| tracker.composer_shows(typed)) => Composer::Ours,
        Some(_) => Composer::Other,
    }
}

/// Whether the composer still shows what was submitted last: a harness may draw later than it reports.
fn shows_last_typed(live: &Live) -> bool {
    live.last_typed.as_deref().is_some_and(|typed| live.last_seen().composer_shows(typed))
}

/// Whether the prompt stands on the screen outside of the composer, however it was wrapped.
fn is_shown(live: &mut Live, prompt: &Prompt) -> bool {
    let composer = live.last_seen().composer().map(|composer| composer.rows.clone());
    let view = live.screen().view();
    let outside = view
        .rows
        .iter()
        .enumerate()
        .filter(|(at, _)| composer.as_ref().is_none_or(|rows| !rows.contains(at)));
    let text: String = outside.map(|(_, row)| squeezed(&row.text)).collect();
    !prompt.sought.is_empty() && text.contains(&prompt.sought)
}
