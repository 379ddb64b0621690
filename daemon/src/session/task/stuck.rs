//! A session whose turn failed and for which nothing else is usable stays where it is, and goes on by itself once that has
//! changed: its login was renewed, or another mount came back.

use std::time::{Duration, Instant};

use posthouse_protocol::payload::Trouble;
use tokio::sync::oneshot;

use super::order::News;
use super::phase::Phase;
use super::{Flow, Task};
use crate::failover::command::{Assignment, FailoverCommand, Instruction};
use crate::failover::stagger::stagger;

/// Sessions that a new login sets free spread over this time.
const SPREAD: Duration = Duration::from_secs(2);

impl Task {
    /// Failover knows of nothing that would help now.
    pub(super) async fn gets_stuck(&mut self, trouble: Trouble) -> Flow {
        self.record.stuck = true;
        // Noted with it.
        self.stays(Some(trouble)).await
    }

    /// Something may be usable that was not.
    pub(super) fn may_be_free(&mut self) {
        if self.record.stuck {
            self.free_at = Some(Instant::now() + stagger(self.name(), SPREAD));
        }
    }

    /// Asks failover, once it is time, unless the session has gone on meanwhile.
    pub(super) fn ask_whether_free_if_due(&mut self, now: Instant) {
        if self.free_at.is_none_or(|at| at > now) {
            return;
        }
        self.free_at = None;
        let Phase::Running(live) = &self.phase else { return };
        if !self.record.stuck || live.exit.is_some() || self.reports > 0 || self.retry.is_some() {
            return;
        }
        let (Some(mount), Some(route)) = (live.record.mount.clone(), self.spec().route.clone()) else {
            return;
        };
        let (run, session) = (live.record.run, self.name().to_owned());
        let (reply, answer) = oneshot::channel();
        let command = FailoverCommand::Freed { session, route, mount, run: run.to_string(), reply };
        let (failover, desk) = (self.house.failover.commands.clone(), self.desk.clone());
        tokio::spawn(async move {
            if failover.send(command).await.is_ok()
                && let Ok(Some(assignment)) = answer.await
            {
                let _ = desk.send(News::Freed(run, assignment));
            }
        });
    }

    /// There is a way again: the failed turn is done there.
    pub(super) async fn freed(&mut self, mut assignment: Assignment) -> Flow {
        // Whoever went on has no use for it.
        if !self.record.stuck {
            return Flow::On;
        }
        // It is over once a turn has shown that.
        assignment.trouble = self.record.trouble.take();
        self.instructed(Instruction::Move(assignment)).await
    }
}
