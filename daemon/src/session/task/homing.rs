//! Going back: between turns, a session that runs on a fallback asks whether it should return to a mount that its
//! route prefers; one that is parked looks again when something became usable.

use std::time::{Duration, Instant};

use posthouse_protocol::ErrorCode;
use tokio::sync::oneshot;

use super::failing::MOVE_GRACE;
use super::order::News;
use super::phase::{Phase, Then};
use super::{Flow, Task};
use crate::failover::command::{Assignment, FailoverCommand, Homeward};
use crate::failover::route::Cost;
use crate::failover::stagger::stagger;
use crate::session::command::{Reply, SessionError};
use crate::session::injection::sight::Gate;

/// Sessions that something becomes usable for spread over this time.
const SPREAD: Duration = Duration::from_secs(2);

impl Task {
    /// A turn ended well, or a run began: is this where the session wants to be?
    pub(super) fn think_of_home(&mut self) {
        self.homeward_at = self.is_away().then(Instant::now);
    }

    /// Whether the route lists something before what the session runs on.
    fn is_away(&self) -> bool {
        let first = self.spec().route.as_ref().and_then(|route| route.ranked().next());
        let Phase::Running(live) = &self.phase else { return false };
        first.is_some() && live.record.mount.is_some() && first != live.record.mount.as_ref()
    }

    /// Nothing is under way that a move would cut off.
    fn is_between_turns(&self) -> bool {
        let Phase::Running(live) = &self.phase else { return false };
        matches!(self.sight.gate, Gate::Ready)
            && !live.record.turn.is_open()
            && !live.record.turn.is_failing()
            && live.exit.is_none()
            && live.suspicion.wakes_at().is_none()
            && self.injector.is_empty()
            && self.reports == 0
            && self.retry.is_none()
            && self.waiter.is_none()
    }

    /// Asks failover, once it is time and the session rests.
    pub(super) fn ask_homeward_if_due(&mut self, now: Instant) {
        if self.homeward_at.is_none_or(|at| at > now) || !self.is_between_turns() {
            return;
        }
        self.homeward_at = None;
        let (Some(route), Some(live)) = (self.spec().route.clone(), self.phase.live()) else { return };
        let (Some(mount), run) = (live.record.mount.clone(), live.record.run) else { return };
        let (reply, answer) = oneshot::channel();
        let command = FailoverCommand::Homeward { session: self.name().to_owned(), route, mount, reply };
        let (failover, desk) = (self.house.failover.commands.clone(), self.desk.clone());
        tokio::spawn(async move {
            if failover.send(command).await.is_ok()
                && let Ok(answer) = answer.await
            {
                let _ = desk.send(News::Homeward(run, answer));
            }
        });
    }

    /// Failover answered.
    pub(super) async fn homeward(&mut self, answer: Homeward) -> Flow {
        match answer {
            Homeward::Stay => Flow::On,
            Homeward::Later(wait) => {
                self.homeward_at = Some(Instant::now() + wait);
                Flow::On
            }
            // A message came first. It is asked again when that is done.
            Homeward::Now(_) if !self.is_between_turns() => {
                self.homeward_at = Some(Instant::now());
                Flow::On
            }
            Homeward::Now(why) => {
                self.pack_because(why);
                if let Some(luggage) = &mut self.record.luggage {
                    luggage.returning = true;
                }
                self.end(Then::Choose, MOVE_GRACE);
                self.tell_viewers();
                self.end_if_gone().await
            }
        }
    }

    /// Something may be usable that was not.
    pub(super) fn something_reopened(&mut self) -> Flow {
        // All that changed up to now is one change.
        self.reopened.borrow_and_update();
        let at = Instant::now() + stagger(self.name(), SPREAD);
        if let Phase::Parked { until, .. } = &mut self.phase {
            *until = Some(until.map_or(at, |until| until.min(at)));
        } else if self.is_away() {
            self.homeward_at = Some(self.homeward_at.map_or(at, |due| due.min(at)));
        }
        self.may_be_free();
        Flow::On
    }

    /// The session's route has a name, and says something else by now.
    pub(super) fn take_route(&mut self, assignment: &Assignment) {
        if assignment.route.is_some() && self.record.spec.route != assignment.route {
            self.record.spec.route.clone_from(&assignment.route);
            self.dirty = true;
        }
    }

    /// A person lets the session go on where it is billed by use.
    pub(super) async fn allow(&mut self, reply: Reply<()>) -> Flow {
        let Some(route) = self.record.spec.route.take() else {
            let message = "allow costs: the session has no route";
            let _ = reply.send(Err(SessionError::new(ErrorCode::BadRoute, message)));
            return Flow::On;
        };
        self.record.spec.route = Some(route.with_cost(Cost::Allow));
        self.keep();
        let _ = reply.send(Ok(()));
        if let Phase::Parked { until, .. } = &mut self.phase {
            *until = Some(Instant::now());
        }
        Flow::On
    }
}
