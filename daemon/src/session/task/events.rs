//! What the holder says, and what the task's own helpers report.

use std::time::Instant;

use serde_json::json;

use super::order::News;
use super::phase::{Phase, Then};
use super::{Flow, Task};
use crate::harness::osc::Reported;
use crate::harness::screen::Screen;
use crate::holder::link::{self, HolderEvent, LinkError};
use crate::holder::run::{Exit, Size, StreamId};
use crate::holder::script::{Report, State};
use crate::post::command::PostCommand;
use crate::session::adopt::{self, HOLDER_DIED, Left};
use crate::session::command::SessionError;
use crate::session::injection::injector::{Fate, Sign};
use crate::session::restart::End;

impl Task {
    /// The holder speaks.
    pub(super) async fn hear(&mut self, events: Vec<HolderEvent>) -> Flow {
        for event in events {
            let now = Instant::now();
            match event {
                HolderEvent::Output { stream: StreamId::TERMINAL, offset, bytes } => {
                    self.output(offset, bytes, now).await;
                }
                HolderEvent::Gap { stream: StreamId::TERMINAL, to, .. } => self.lost_output(to),
                HolderEvent::Progress(report) => self.reported(report).await,
                HolderEvent::Exited(exit) => self.exited(exit).await,
                HolderEvent::Remains(survivors) => {
                    let left: Vec<_> =
                        survivors.iter().map(|s| json!({ "pid": s.pid, "name": s.name })).collect();
                    self.house.event("session.remains", self.name(), &json!({ "processes": left }));
                }
                HolderEvent::Gone => {
                    if let Some(live) = self.phase.live_mut() {
                        live.gone = true;
                    }
                    if matches!(self.phase, Phase::Ending { .. }) && self.ended().await == Flow::Over {
                        return Flow::Over;
                    }
                }
                HolderEvent::NotGone(survivors) => {
                    let names: Vec<_> = survivors.iter().map(|s| format!("{} ({})", s.name, s.pid)).collect();
                    self.not_ended(&names.join(", ")).await;
                }
                HolderEvent::Lost { why } => self.lost(&why),
                HolderEvent::Output { .. } | HolderEvent::Gap { .. } | HolderEvent::StreamEnd { .. } => {}
            }
        }
        Flow::On
    }

    async fn output(&mut self, offset: u64, bytes: bytes::Bytes, now: Instant) {
        let Some(live) = self.phase.live_mut() else { return };
        let brought = live.output(offset, bytes, now);
        live.read_last_words(now);
        if let Some((offset, bytes)) = brought.fresh {
            self.viewers.output(offset, &bytes);
            self.unseen = true;
        }
        for report in brought.reports {
            match report.state {
                Reported::Working => {
                    let effects = self.injector.sign(Sign::TurnBegan, now);
                    self.carry_out(effects).await;
                }
                Reported::Done => self.turn_done(),
                _ => {}
            }
            // Each state is looked at, however briefly it was shown.
            self.look(now).await;
        }
        self.read_on();
    }

    fn lost_output(&mut self, to: u64) {
        let Some(live) = self.phase.live_mut() else { return };
        if !live.lost_output(to) {
            return;
        }
        live.read_last_words(Instant::now());
        let (rows, cols) = live.screen().size();
        let link = live.link.clone();
        // A harness draws everything anew when its window changes.
        tokio::spawn(async move {
            let _ = link.resize(Size { rows: rows.saturating_sub(1).max(1), cols }).await;
            let _ = link.resize(Size { rows, cols }).await;
        });
    }

    async fn reported(&mut self, report: Report) {
        if report.state.is_final()
            && let Some(reply) = self.keys.remove(&report.operation)
        {
            let _ = reply.send(match report.state {
                State::Done => Ok(()),
                _ => Err(SessionError::new(
                    posthouse_protocol::ErrorCode::NotReady,
                    "type the keys: the terminal did not take them",
                )),
            });
        }
        let effects = self.injector.reported(report, Instant::now());
        self.carry_out(effects).await;
    }

    /// A helper reports.
    pub(super) async fn learn(&mut self, news: News) -> Flow {
        let now = Instant::now();
        match news {
            News::Noted(prompt, outcome) => {
                let effects = self.injector.noted(prompt, outcome, now);
                self.carry_out(effects).await;
            }
            News::Reported(report) => self.reported(report).await,
            News::NotSeen(operation) => {
                let effects = self.injector.not_seen(operation, now);
                self.carry_out(effects).await;
            }
            News::Said(run, said) if self.is_run(run) => self.said(said).await,
            News::Instructed(run, instruction) => {
                self.reports = self.reports.saturating_sub(1);
                if self.is_run(run) {
                    return self.instructed(instruction).await;
                }
            }
            News::Said(..) => {}
            News::Told(told) => self.told = Some(*told),
            News::Started(outcome) => return self.started(outcome).await,
            News::Chosen(choice) => return self.chosen(choice).await,
            News::Homeward(run, answer) if self.is_run(run) => return self.homeward(answer).await,
            News::Homeward(..) => {}
            News::Freed(run, assignment) if self.is_run(run) => return self.freed(assignment).await,
            News::Freed(..) => {}
            News::Keyed(run, answer, reply) => return self.keyed(run, answer, reply).await,
            News::Relinked(outcome) => return self.relinked(outcome).await,
            News::Gathered(gathered, whom) => self.gathered(gathered, whom),
        }
        Flow::On
    }

    /// Whether this is the run that is there: what was said of an earlier one is of no consequence.
    fn is_run(&self, run: uuid::Uuid) -> bool {
        self.phase.live().is_some_and(|live| live.record.run == run)
    }

    /// The harness ended by itself, or as it was told to.
    async fn exited(&mut self, exit: Exit) {
        let now = Instant::now();
        let Some(live) = self.phase.live_mut() else { return };
        live.ended(exit, now);
        if let Phase::Ending { ending, .. } = &mut self.phase {
            ending.hasten(now);
            return;
        }
        if let Phase::Running(_) = self.phase {
            self.dirty = true;
        }
    }

    /// An ended harness is at rest once nobody has anything to say about its end.
    pub(super) async fn rest_if_exited(&mut self) -> Flow {
        let Phase::Running(live) = &self.phase else { return Flow::On };
        let Some(exit) = live.exit else { return Flow::On };
        if !live.reads_last_words()
            && self.reports == 0
            && self.retry.is_none()
            && live.suspicion.wakes_at().is_none()
        {
            return self.exited_by_itself(exit).await;
        }
        Flow::On
    }

    /// The run is over for the session; what can be read of it stays.
    pub(super) async fn rest_as_exited(&mut self, how: String) {
        let now = Instant::now();
        let effects = self.injector.run_ended("exited", now);
        self.carry_out(effects).await;
        let effects = self.injector.decide(Fate::Uncertain(format!("the harness ended: {how}")), now);
        self.carry_out(effects).await;
        self.drafting.reset();
        let phase = std::mem::replace(&mut self.phase, Phase::Starting { then_release: None });
        self.phase = Phase::Exited { how: how.clone(), live: phase.into_live() };
        self.rest(crate::session::spec::Rest::Exited { how }).await;
        self.leave_post(false).await;
    }

    /// Post keeps what the session can't take any more.
    pub(super) async fn leave_post(&mut self, forget: bool) {
        self.is_up = false;
        let down = PostCommand::SessionDown { name: self.name().to_owned(), forget };
        if self.house.post.send(down).await.is_err() {
            tracing::debug!("post is gone");
        }
    }

    /// The link broke. The holder may well live, and with it the run: it is looked for once.
    fn lost(&mut self, why: &LinkError) {
        tracing::warn!(session = self.name(), %why, "the link to a holder broke");
        let Some(live) = self.phase.live() else { return };
        let (run, socket, desk) = (live.record.id(), live.record.socket.clone(), self.desk.clone());
        tokio::spawn(async move {
            let _ = desk.send(News::Relinked(adopt::relink(run, &socket).await));
        });
    }

    async fn relinked(&mut self, outcome: Result<link::Link, Left>) -> Flow {
        let now = Instant::now();
        match outcome {
            Ok(link) => {
                let Some(live) = self.phase.live_mut() else { return Flow::On };
                live.relink(link);
                let (link, from) = (live.link.clone(), live.next());
                tokio::spawn(async move {
                    let _ = link.follow(StreamId::TERMINAL, from).await;
                });
                let effects = self.injector.relinked(now);
                self.carry_out(effects).await;
                Flow::On
            }
            Err(left) => self.holder_died(left).await,
        }
    }

    /// The holder can't be reached. Without it nothing of the run may be left; if something is, nobody touches it.
    async fn holder_died(&mut self, left: Left) -> Flow {
        let Some(live) = self.phase.live_mut() else { return Flow::On };
        match left {
            Left::Nothing => {
                live.gone = true;
                let _ = link::place::bury(&live.record.socket);
                if let Phase::Ending { .. } = self.phase {
                    return self.ended().await;
                }
                self.ended_by_itself(HOLDER_DIED.to_owned(), End::Badly).await
            }
            Left::Perhaps(what) => {
                self.fail(format!("its holder died and processes of its run may be left: {what}")).await;
                Flow::On
            }
        }
    }

    /// The run could not be ended.
    async fn not_ended(&mut self, left: &str) {
        let why = format!("processes of its run could not be ended: {left}");
        let phase = std::mem::replace(&mut self.phase, Phase::Starting { then_release: None });
        if let Phase::Ending { live, then, .. } = phase {
            if let Then::Release(releasing) = then {
                for reply in releasing.replies {
                    let error = SessionError::new(
                        posthouse_protocol::ErrorCode::Internal,
                        format!("release it: {why}"),
                    );
                    let _ = reply.send(Err(error));
                }
            }
            self.phase = Phase::Failed { why: why.clone(), live: Some(live) };
            self.fail(why).await;
        } else {
            self.phase = phase;
        }
    }
}
