//! When a run ended that nobody ended: the session rests, or is started again on its own conversation.

use std::time::{Duration, Instant};

use serde_json::json;

use super::failing::MOVE_GRACE;
use super::phase::{Phase, Then};
use super::{Flow, Task};
use crate::harness::screen::Screen as _;
use crate::holder::run::Exit;
use crate::session::house::{chance, now_ms};
use crate::session::live::exit_words;
use crate::session::luggage::Luggage;
use crate::session::restart::{BUDGET, End, Verdict};
use crate::session::spec::Rest;

/// Sessions that a reboot ended come back within this time, not all in the same moment.
const AFTER_REBOOT: Duration = Duration::from_secs(3);

impl Task {
    /// The harness has ended, and nobody has anything to say about it.
    pub(super) async fn exited_by_itself(&mut self, exit: Exit) -> Flow {
        let ran_out = self.phase.live().is_some_and(|live| live.saw_memory_run_out());
        let how = match exit {
            Exit::Signal(9) if ran_out => format!("{} (memory ran out meanwhile)", exit_words(exit)),
            _ => exit_words(exit),
        };
        self.note_outcome(exit);
        let end = if exit == Exit::Code(0) { End::Well } else { End::Badly };
        self.ended_by_itself(how, end).await
    }

    /// The run is over, and may be followed by another one.
    pub(super) async fn ended_by_itself(&mut self, how: String, end: End) -> Flow {
        // Whoever waits for a new session to become ready is told that it did not.
        let verdict = if self.waiter.is_some() { Verdict::Rest } else { self.judge(&how, end) };
        match verdict {
            Verdict::Rest => self.rest_as_exited(how).await,
            Verdict::GiveUp => self.rest_as_exited(given_up(&how)).await,
            Verdict::Again(wait) => {
                self.pack_because(how.clone());
                self.spare_what_killed_twice();
                self.restart_after(wait, how).await;
            }
        }
        Flow::On
    }

    /// A run of an earlier daemon is gone, and proven to be: its holder died, or the machine was restarted.
    pub(super) async fn was_lost(&mut self, how: String, rebooted: bool) -> Flow {
        let verdict = if rebooted && self.can_resume() {
            Verdict::Again(AFTER_REBOOT.mul_f64(f64::from(chance()) / f64::from(u32::MAX)))
        } else {
            self.judge(&how, End::Badly)
        };
        match verdict {
            Verdict::Rest => self.fail(how).await,
            Verdict::GiveUp => self.fail(given_up(&how)).await,
            Verdict::Again(wait) => {
                if let Some(run) = &mut self.record.run {
                    // Nobody saw what became of the turn, so tools may have run in it.
                    let open = run.turn.take(false);
                    let mut luggage = Luggage::pack(run.clone(), open, how.clone(), "");
                    luggage.unsure = false;
                    self.record.luggage = Some(luggage);
                }
                self.restart_after(wait, how).await;
            }
        }
        Flow::On
    }

    /// A daemon before this one was about to start it again.
    pub(super) fn go_on_waiting(&mut self, at: u64, how: String) {
        let live = std::mem::replace(&mut self.phase, Phase::Starting { then_release: None }).into_live();
        let due = Instant::now() + Duration::from_millis(at.saturating_sub(now_ms()));
        self.phase = Phase::Restarting { how, at, due, live };
        self.dirty = true;
    }

    /// Once the time has come: what is left of the old run is ended, and a new one started.
    pub(super) async fn restart_if_due(&mut self, now: Instant) -> Flow {
        if !matches!(&self.phase, Phase::Restarting { due, .. } if *due <= now) {
            return Flow::On;
        }
        if self.phase.live().is_none() {
            self.phase = Phase::Starting { then_release: None };
            return self.choose_or_start().await;
        }
        self.end(Then::Choose, MOVE_GRACE);
        self.end_if_gone().await
    }

    /// A message that was submitted twice and ended the harness both times is not given to it again: as if a tool had run
    /// for it, the conversation is told to go on instead.
    fn spare_what_killed_twice(&mut self) {
        let Some(luggage) = &mut self.record.luggage else { return };
        for open in luggage.open.iter_mut().filter(|open| open.prompt.attempt >= 2) {
            open.worked = true;
        }
    }

    fn judge(&mut self, how: &str, end: End) -> Verdict {
        let began = self.record.run.as_ref().map_or(0, |run| run.started_at);
        let life = Duration::from_millis(now_ms().saturating_sub(began));
        let restarting = &mut self.record.restarting;
        let verdict = restarting.ended(end, life, chance());
        if end == End::Badly || verdict != Verdict::Rest {
            let screen = self.phase.live_mut().map(|live| live.screen().view().contents());
            restarting.crashed(now_ms(), how, screen.as_deref().unwrap_or_default());
        }
        verdict
    }

    async fn restart_after(&mut self, wait: Duration, how: String) {
        let now = Instant::now();
        let at = now_ms() + u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let effects = self.injector.run_ended("restarting", now);
        self.carry_out(effects).await;
        self.drafting.reset();
        let attempt = self.record.restarting.attempts;
        let data = json!({ "how": how, "attempt": attempt, "budget": BUDGET, "next_at": at });
        self.house.event("session.crashed", self.name(), &data);
        self.go_on_waiting(at, how.clone());
        self.rest(Rest::Restarting { at, how }).await;
    }

    /// Whether the harness can go on with the conversation of the last run.
    fn can_resume(&self) -> bool {
        let Some(run) = &self.record.run else { return false };
        let definition = self.house.catalog.get(&run.harness);
        run.conversation.is_some() && definition.is_ok_and(|definition| !definition.launch.resume.is_empty())
    }
}

fn given_up(how: &str) -> String {
    format!("{how}, after {BUDGET} starts without a turn that ended well; it is not started again by itself")
}
