//! When a turn fails: what was seen is reported to failover, and what failover says is done.

use std::time::{Duration, Instant};

use posthouse_protocol::payload::Trouble;
use serde_json::json;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::order::News;
use super::phase::{Phase, Then};
use super::{Flow, Task};
use crate::failover::command::{Assignment, FailoverCommand, FailureReport, Instruction, Parking};
use crate::failover::observation::Observation;
use crate::harness::definition::TranscriptKind;
use crate::harness::screen::Screen;
use crate::harness::transcript::Event;
use crate::session::brief::go_on;
use crate::session::carry::{Carried, carry};
use crate::session::conversation::{Follower, Said, Subject};
use crate::session::handover;
use crate::session::house::new_id;
use crate::session::injection::injector::{Fate, Sign};
use crate::session::injection::prompt::{Prompt, Source, squeezed};
use crate::session::live::Live;
use crate::session::luggage::{Departed, Luggage};
use crate::session::spec::SessionRecord;
use crate::session::start::Beginning;
use crate::session::turn::Open;

/// How often the conversation is looked at while a submission waits to be confirmed.
const LOOK_CONFIRMING: Duration = Duration::from_millis(40);
/// The same while a failure is being put together.
const LOOK_SUSPECTING: Duration = Duration::from_millis(60);
/// The same while a turn runs.
const LOOK_WORKING: Duration = Duration::from_millis(500);
/// How long a run may take to end before a move.
pub(super) const MOVE_GRACE: Duration = Duration::from_secs(2);

/// A failed turn is to be tried again on the same mount.
#[derive(Debug)]
pub(super) struct Retry {
    pub at: Instant,
}

impl Task {
    /// Begins to follow the run's conversation, where there is one to follow.
    pub(super) fn follow_conversation(&self, live: &mut Live, adopted: bool) {
        let kind = live.definition.transcript;
        let Some(home) = live.record.home.clone().filter(|_| kind != TranscriptKind::None) else { return };
        let started = Duration::from_millis(live.record.started_at.saturating_sub(1000));
        let subject = Subject {
            kind,
            home,
            cwd: self.spec().cwd.clone(),
            conversation: live.record.conversation.clone(),
            since: std::time::UNIX_EPOCH + started,
            from: live.record.conversation_from,
            has_history: adopted,
        };
        live.suspicion.keeps_records(true);
        let (desk, run) = (self.desk.clone(), live.record.run);
        live.follower = Some(Follower::begin(subject, move |said| {
            let _ = desk.send(News::Said(run, said));
        }));
    }

    /// Has the conversation looked at when there may be something in it that matters now.
    pub(super) fn look_at_conversation(&mut self, now: Instant) {
        let confirming = self.injector.is_confirming();
        let Some(live) = self.phase.live_mut() else { return };
        let Some(follower) = &live.follower else { return };
        let every = if confirming {
            LOOK_CONFIRMING
        } else if live.suspicion.wakes_at().is_some() {
            LOOK_SUSPECTING
        } else if live.record.turn.is_open() || (live.record.conversation.is_none() && live.sought.lasts(now))
        {
            LOOK_WORKING
        } else {
            self.conversation_at = None;
            return;
        };
        if self.conversation_at.is_none_or(|at| at <= now) {
            let mut sought = live.record.turn.sought();
            sought.extend(self.injector.under_way().map(|prompt| prompt.sought.clone()));
            follower.look(live.sought.refresh(sought, now));
            self.conversation_at = Some(now + every);
        } else {
            self.conversation_at = self.conversation_at.map(|at| at.min(now + every));
        }
    }

    /// The conversation says something.
    pub(super) async fn said(&mut self, said: Said) {
        let now = Instant::now();
        if said.is_history {
            self.catch_up(&said.events, now);
        }
        for event in said.events {
            let Some(live) = self.phase.live_mut() else { return };
            match event {
                Event::SessionId(id) => self.note_conversation(id),
                Event::UserMessage { text } | Event::Queued { text } => self.recorded(&text, now).await,
                _ if said.is_history => {}
                Event::ToolUsed { .. } => {
                    if live.record.turn.tool_ran() {
                        self.keep();
                    }
                }
                // A harness that prints tells by itself.
                Event::ApiError(error) if error.last && !live.definition.prints => {
                    live.record.turn.failed();
                    live.suspicion.recorded(error, now);
                }
                Event::TurnEnded { aborted: false }
                    if live.definition.status.is_none() && !live.definition.prints =>
                {
                    self.turn_done();
                }
                Event::AgentMessage { .. }
                | Event::TurnStarted
                | Event::TurnEnded { .. }
                | Event::ApiError(_) => {}
            }
        }
    }

    /// What was recorded while no daemon was there has happened all the same.
    fn catch_up(&mut self, events: &[Event], now: Instant) {
        let Some(live) = self.phase.live_mut() else { return };
        for event in events {
            if let Event::UserMessage { text } | Event::Queued { text } = event {
                live.remember(text);
            }
        }
        let caught = live.record.turn.catch_up(events);
        if let Some(error) = caught.failure.filter(|_| !live.definition.prints) {
            live.record.turn.failed();
            live.suspicion.recorded(error, now);
        }
        if caught.ended && !live.definition.prints {
            self.tell_turn_done();
        }
        self.keep();
    }

    async fn recorded(&mut self, text: &str, now: Instant) {
        let Some(prompt) = self.injector.under_way() else { return };
        if !prompt.sought.is_empty() && squeezed(text).contains(&prompt.sought) {
            let effects = self.injector.sign(Sign::Recorded(prompt.id), now);
            self.carry_out(effects).await;
        }
    }

    fn note_conversation(&mut self, id: String) {
        let Some(live) = self.phase.live_mut() else { return };
        if live.record.conversation.as_ref() != Some(&id) {
            live.record.conversation = Some(id);
            self.dirty = true;
            self.keep();
        }
    }

    /// A turn ended well.
    pub(super) fn turn_done(&mut self) {
        let Some(live) = self.phase.live_mut() else { return };
        if live.record.turn.ended() {
            self.tell_turn_done();
            self.keep();
        }
    }

    fn tell_turn_done(&mut self) {
        let Some(live) = self.phase.live() else { return };
        self.record.has_past = true;
        self.dirty |= self.record.restarting.healthy();
        let mount = live.record.mount.clone();
        self.house.event("session.turn_ended", self.name(), &json!({}));
        let first = self.spec().route.as_ref().and_then(|route| route.mounts().first());
        if mount.is_some() && first == mount.as_ref() {
            self.record.trouble = None;
            self.dirty = true;
        }
        self.think_of_home();
        let done = FailoverCommand::TurnDone { session: self.name().to_owned(), mount };
        if self.house.failover.commands.try_send(done).is_err() {
            tracing::debug!("failover did not hear of a turn that ended well");
        }
    }

    /// Reports what was put together of a failure. `true` if an answer will come.
    pub(super) fn report_suspicion(&mut self, now: Instant) -> bool {
        let Some(live) = self.phase.live_mut() else { return false };
        let Some(seen) = live.suspicion.observation(&live.definition.name, now) else { return false };
        // A command of which nothing is known has no account that could fail.
        if live.definition.provider.is_none() && live.record.mount.is_none() {
            return false;
        }
        live.record.turn.failed();
        self.keep();
        self.report(seen);
        true
    }

    fn report(&mut self, mut seen: Observation) {
        let Some(live) = self.phase.live() else { return };
        let mount = live.record.mount.clone();
        seen.credential = mount.as_ref().map(|mount| mount.credential.clone());
        seen.model = mount.as_ref().and_then(|mount| mount.model.clone());
        seen.observed_at = Some(jiff::Timestamp::now());
        seen.version = self.house.versions.latest(&live.definition.name);
        let report = FailureReport {
            session: self.name().to_owned(),
            route: self.spec().route.clone(),
            mount,
            run: live.record.id().to_string(),
            observation: seen,
        };
        let (reply, instructed) = oneshot::channel();
        let command = FailoverCommand::Report { report: Box::new(report), reply };
        let (failover, desk, run) =
            (self.house.failover.commands.clone(), self.desk.clone(), live.record.run);
        tokio::spawn(async move {
            let instruction = match failover.send(command).await {
                Ok(()) => instructed.await.unwrap_or(Instruction::Stay { trouble: None }),
                Err(_) => Instruction::Stay { trouble: None },
            };
            let _ = desk.send(News::Instructed(run, instruction));
        });
    }

    /// Failover has decided.
    pub(super) async fn instructed(&mut self, instruction: Instruction) -> Flow {
        if !matches!(self.phase, Phase::Running(_)) {
            return Flow::On;
        }
        match instruction {
            Instruction::Stay { trouble } => return self.stays(trouble).await,
            Instruction::Stuck { trouble } => return self.gets_stuck(trouble).await,
            Instruction::Retry { wait, trouble } => {
                self.record.trouble = Some(trouble);
                self.dirty = true;
                self.tell_viewers();
                self.retry = Some(Retry { at: Instant::now() + wait });
            }
            Instruction::Move(assignment) => {
                self.take_route(&assignment);
                self.record.trouble.clone_from(&assignment.trouble);
                self.pack();
                self.end(Then::Move(Box::new(assignment)), MOVE_GRACE);
                self.tell_viewers();
                return self.end_if_gone().await;
            }
            Instruction::Park(parking) => return self.pack_and_park(parking).await,
        }
        Flow::On
    }

    /// What failed stays as it is.
    pub(super) async fn stays(&mut self, trouble: Option<Trouble>) -> Flow {
        if let Some(live) = self.phase.live_mut() {
            let now = live.next();
            live.record.turn.stays_failed(now);
            self.keep();
        }
        if trouble.is_some() {
            self.record.trouble = trouble;
            self.dirty = true;
            self.tell_viewers();
        }
        self.rest_if_exited().await
    }

    async fn pack_and_park(&mut self, parking: Parking) -> Flow {
        self.record.trouble = Some(parking.trouble.clone());
        self.pack();
        self.end(Then::Park(parking), MOVE_GRACE);
        self.tell_viewers();
        self.end_if_gone().await
    }

    /// A run that is gone already has no more news.
    pub(super) async fn end_if_gone(&mut self) -> Flow {
        if self.phase.live().is_some_and(|live| live.gone) { self.ended().await } else { Flow::On }
    }

    /// Notes what the next run has to know after a failure.
    fn pack(&mut self) {
        let why = self
            .record
            .trouble
            .as_ref()
            .map_or_else(|| "it failed".to_owned(), |trouble| trouble.message.clone());
        self.pack_because(why);
        if let Some(luggage) = &mut self.record.luggage {
            // A turn failed. What is still to be said was not lost with it.
            luggage.unsure = luggage.open.is_empty() && self.record.owed.is_empty();
        }
    }

    /// Notes what the next run has to know.
    pub(super) fn pack_because(&mut self, why: String) {
        let under_way = self.injector.under_way().filter(|prompt| prompt.source == Source::Message);
        let under_way = under_way.map(|prompt| prompt.id);
        let Some(live) = self.phase.live_mut() else { return };
        let open = live.record.turn.take(live.follower.is_some());
        let screen = live.screen().view().contents();
        let mut luggage = Luggage::pack(live.record.clone(), open, why, &screen);
        luggage.under_way = under_way;
        luggage.unsure = false;
        luggage.returning = false;
        self.record.luggage = Some(luggage);
    }

    /// A turn that failed for the moment is tried again.
    pub(super) async fn retry_if_due(&mut self, now: Instant) -> Flow {
        if self.retry.as_ref().is_none_or(|retry| now < retry.at) {
            return Flow::On;
        }
        self.retry = None;
        let Phase::Running(live) = &mut self.phase else { return Flow::On };
        let why = self.record.trouble.as_ref().map_or_else(String::new, |trouble| trouble.message.clone());
        if live.exit.is_some() {
            self.pack();
            self.end(Then::Choose, MOVE_GRACE);
            return self.end_if_gone().await;
        }
        let now = live.next();
        live.record.turn.stays_failed(now);
        let open = live.record.turn.take(live.follower.is_some());
        self.submit_again(open, None, &why).await;
        self.keep();
        Flow::On
    }

    /// What was not begun is submitted again, but for the message that post still has; a turn that had begun to work is
    /// told to go on.
    async fn submit_again(&mut self, open: Vec<Open>, but: Option<Uuid>, why: &str) {
        if open.iter().any(|open| open.worked) {
            self.owe(Prompt::of_house(new_id(), go_on(why))).await;
        }
        for Open { prompt, .. } in open.into_iter().filter(|open| !open.worked && Some(open.prompt.id) != but)
        {
            let again = prompt.again(true);
            self.house.event(
                "session.resubmits",
                self.name(),
                &json!({ "message": again.id.to_string(), "attempt": again.attempt }),
            );
            self.owe(again).await;
        }
    }

    /// Takes on something to be typed that post does not know of.
    async fn owe(&mut self, prompt: Prompt) {
        self.record.owed.push(prompt.clone());
        let effects = self.injector.offer(prompt, None, Instant::now());
        self.carry_out(effects).await;
    }

    /// The old run is gone: how does the new one begin?
    pub(super) async fn begin_on(&mut self, assignment: Option<&Assignment>) -> Beginning {
        if self.spec().one_shot {
            return self.begin_one_shot(assignment).await;
        }
        let task = self.spec().task.clone();
        if self.record.luggage.is_none() {
            // It was parked before it ever ran, or by a daemon that kept no luggage.
            let Some(left) = self.record.run.clone() else { return Beginning::New(task) };
            self.record.luggage = Some(Luggage::pack(left, Vec::new(), "it was parked".to_owned(), ""));
        }
        let SessionRecord { luggage: Some(luggage), heard, owed, has_past, spec, .. } = &mut self.record
        else {
            return Beginning::New(task);
        };
        for open in luggage.untouched() {
            heard.forget(open.prompt.id);
        }
        let untouched = luggage.untouched().next().map(|open| open.prompt.sought.clone());
        let worked = luggage.worked();
        let harness = assignment.map_or(&spec.harness, |assignment| &assignment.mount.harness);
        let resumed = match (&luggage.left, self.house.catalog.get(harness)) {
            // A command is just run again: a shell is told nothing.
            (_, Ok(definition)) if definition.launch.program.is_none() => return Beginning::New(None),
            (Some(left), Ok(definition)) => {
                carry(definition, left.clone(), assignment, untouched.filter(|_| !worked)).await
            }
            _ => Carried::Nothing("its harness is not known any more".to_owned()),
        };
        match resumed {
            Carried::Conversation(conversation) => {
                let say = luggage.unsure.then(|| go_on(&luggage.why));
                Beginning::Resume { conversation, say }
            }
            // Whatever there was is among what is submitted again.
            Carried::Empty if luggage.unsure => Beginning::New(task),
            Carried::Empty => Beginning::New(None),
            Carried::Nothing(why) => {
                self.house.event("session.not_resumed", &spec.name, &json!({ "why": why }));
                let knows_nothing = !worked && !*has_past && !luggage.unsure;
                // The run that is left was to be told everything, and was not yet.
                let was_not_told = luggage.open.is_empty()
                    && luggage.left.as_ref().is_some_and(|left| !left.resumed)
                    && owed.iter().any(|prompt| prompt.source == Source::House);
                if knows_nothing || was_not_told {
                    return Beginning::New(None);
                }
                Beginning::New(Some(handover::brief(&self.house, spec, heard, luggage).await))
            }
        }
    }

    /// The new run lives: what the failed turn was asked follows it.
    pub(super) async fn unpack(&mut self) {
        let now = Instant::now();
        let Some(luggage) = self.record.luggage.take() else { return };
        let resumed = self.phase.live().is_some_and(|live| live.record.resumed);
        self.house.event(
            "session.moved",
            self.name(),
            &json!({
                "from": luggage.from,
                "to": self.phase.live().map(|live| live.record.mount_name()),
                "resumed": resumed,
                "why": luggage.why,
            }),
        );
        let under_way = luggage.under_way;
        if let (Some(message), Some(left)) = (under_way, &luggage.left) {
            let worked = luggage.worked_on(message);
            // A later daemon is handed it anew by post, and has to decide the same.
            self.record.departed = Some(Departed { run: left.run, message, worked });
            let fate = match worked {
                true => Fate::Uncertain("its run failed after a tool had run".to_owned()),
                false => Fate::Again,
            };
            let effects = self.injector.decide(fate, now);
            self.carry_out(effects).await;
        }
        // A one-shot harness was told on its command line.
        if self.spec().one_shot {
            return;
        }
        // A brief tells of what was begun; a resumed conversation is told to go on with it.
        let open = luggage.open.into_iter().filter(|open| resumed || !open.worked).collect();
        self.submit_again(open, under_way, &luggage.why).await;
    }
}
