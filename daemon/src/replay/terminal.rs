//! A recorded terminal: what a session would have put together of each failure, at the moment it would have reported it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::judge::Judge;
use super::player::{Looks, Player, Seen};
use super::recording::Event;
use crate::failover::failure::{Harmless, Verdict};
use crate::harness::definition::Definition;
use crate::session::live::{LOOKS_EVERY, SETTLES};
use crate::session::suspicion::Suspicion;

/// The looks of a session.
const LOOKS: Looks = Looks { rest: SETTLES, at_least_every: LOOKS_EVERY, read_unrested: false };

/// Plays it, to its end.
pub fn play(definition: Arc<Definition>, events: &[Event], exit: Option<i32>, judge: &mut Judge) {
    let harness = definition.name.clone();
    // The clock of what is gathered; only differences count.
    let epoch = Instant::now();
    let mut suspicion = Suspicion::default();
    let mut player = Player::new(definition, LOOKS);
    player.play(events, |at, seen| {
        // A pause between two events is time, too.
        report(&mut suspicion, &harness, epoch, at, judge);
        match seen {
            Seen::Typed(text) if text.contains('\r') && suspicion.wakes_at().is_none() => suspicion.clear(),
            Seen::TurnBegan => suspicion.clear(),
            Seen::Notice(notice) => suspicion.notice(notice, epoch + at),
            Seen::Typed(_) | Seen::State(_) | Seen::Time => {}
        }
    });
    let end = events.last().map_or(Duration::ZERO, |event| event.at);
    if exit.is_some() {
        for notice in player.end(end) {
            suspicion.notice(notice, epoch + end);
        }
        suspicion.exited(exit, epoch + end);
    }
    if let Some(due) = suspicion.wakes_at() {
        let at = due.saturating_duration_since(epoch);
        report(&mut suspicion, &harness, epoch, at, judge);
    }
    if judge.decisions().is_empty() {
        judge.note(end, &Verdict::NotAFailure(Harmless::NoMatch));
    }
}

/// Decides about what was gathered, once it is due.
fn report(suspicion: &mut Suspicion, harness: &str, epoch: Instant, now: Duration, judge: &mut Judge) {
    let Some(due) = suspicion.wakes_at().map(|due| due.saturating_duration_since(epoch)) else { return };
    if due <= now
        && let Some(seen) = suspicion.observation(harness, epoch + due)
    {
        judge.decide(due, &seen);
    }
}
