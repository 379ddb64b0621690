//! When a turn fails: what was seen is reported to failover, and what failover says is done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::oneshot;

use super::order::News;
use super::phase::{Phase, Then};
use super::{Flow, Task};
use crate::failover::command::{Assignment, FailoverCommand, FailureReport, Instruction, Parking};
use crate::failover::observation::Observation;
use crate::harness::definition::{Definition, TranscriptKind};
use crate::harness::screen::Screen;
use crate::harness::transcript::{Event, copy, find, resume};
use crate::session::brief::{Handover, go_on};
use crate::session::conversation::{Follower, Said, Subject};
use crate::session::house::new_id;
use crate::session::injection::injector::{Fate, Sign};
use crate::session::injection::prompt::{Prompt, squeezed};
use crate::session::live::Live;
use crate::session::spec::RunRecord;
use crate::session::start::Beginning;
use crate::session::turn::Open;

/// How often the conversation is looked at while a submission waits to be confirmed.
const LOOK_CONFIRMING: Duration = Duration::from_millis(40);
/// The same while a failure is being put together.
const LOOK_SUSPECTING: Duration = Duration::from_millis(60);
/// The same while a turn runs.
const LOOK_WORKING: Duration = Duration::from_millis(500);
/// How long a run may take to end before a move.
const MOVE_GRACE: Duration = Duration::from_secs(2);

/// What goes along to another mount.
#[derive(Debug, Default)]
pub(super) struct Luggage {
    /// What the failed turn was asked.
    open: Vec<Open>,
    /// What was running, and why it no longer is.
    from: String,
    why: String,
    /// What its screen showed.
    screen: String,
    /// The run that is left.
    left: Option<RunRecord>,
    /// Nobody knows what the last turn was asked: a daemon before this one might have.
    unsure: bool,
}

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
        } else if live.turn.is_open() {
            LOOK_WORKING
        } else {
            self.conversation_at = None;
            return;
        };
        if self.conversation_at.is_none_or(|at| at <= now) {
            let mut sought = live.turn.sought();
            sought.extend(self.injector.under_way().map(|prompt| prompt.sought.clone()));
            follower.look(sought);
            self.conversation_at = Some(now + every);
        } else {
            self.conversation_at = self.conversation_at.map(|at| at.min(now + every));
        }
    }

    /// The conversation says something.
    pub(super) async fn said(&mut self, said: Said) {
        let now = Instant::now();
        for event in said.events {
            let Some(live) = self.phase.live_mut() else { return };
            match event {
                Event::SessionId(id) => self.note_conversation(id),
                Event::UserMessage { text } | Event::Queued { text } => self.recorded(&text, now).await,
                _ if said.is_history => {}
                Event::ToolUsed => live.turn.tool_ran(),
                Event::ApiError(error) if error.last => {
                    live.turn.failed();
                    live.suspicion.recorded(error, now);
                }
                Event::TurnEnded { aborted: false } if live.definition.status.is_none() => self.turn_done(),
                Event::TurnStarted | Event::TurnEnded { .. } | Event::ApiError(_) => {}
            }
        }
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
            self.record.run = Some(live.record.clone());
            self.dirty = true;
            self.house.store(&self.record);
        }
    }

    /// A turn ended well.
    pub(super) fn turn_done(&mut self) {
        let Some(live) = self.phase.live_mut() else { return };
        if !live.turn.ended() {
            return;
        }
        self.has_past = true;
        let mount = live.record.mount.clone();
        self.house.event("session.turn_ended", self.name(), &json!({}));
        let first = self.spec().route.as_ref().and_then(|route| route.mounts().first());
        if mount.is_some() && first == mount.as_ref() {
            self.trouble = None;
            self.dirty = true;
        }
        let done = FailoverCommand::TurnDone { session: self.name().to_owned(), mount };
        if self.house.failover.try_send(done).is_err() {
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
        live.turn.failed();
        self.report(seen);
        true
    }

    fn report(&mut self, mut seen: Observation) {
        let Some(live) = self.phase.live() else { return };
        let mount = live.record.mount.clone();
        seen.credential = mount.as_ref().map(|mount| mount.credential.clone());
        seen.model = mount.as_ref().and_then(|mount| mount.model.clone());
        seen.observed_at = Some(jiff::Timestamp::now());
        let report = FailureReport {
            session: self.name().to_owned(),
            route: self.spec().route.clone(),
            mount,
            run: live.record.id().to_string(),
            observation: seen,
        };
        let (reply, instructed) = oneshot::channel();
        let command = FailoverCommand::Report { report: Box::new(report), reply };
        let (failover, desk, run) = (self.house.failover.clone(), self.desk.clone(), live.record.run);
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
            Instruction::Stay { trouble } => {
                if trouble.is_some() {
                    self.trouble = trouble;
                    self.dirty = true;
                    self.tell_viewers();
                }
                self.rest_if_exited().await;
            }
            Instruction::Retry { wait, trouble } => {
                self.trouble = Some(trouble);
                self.dirty = true;
                self.tell_viewers();
                self.retry = Some(Retry { at: Instant::now() + wait });
            }
            Instruction::Move(assignment) => {
                self.trouble.clone_from(&assignment.trouble);
                self.pack();
                self.end(Then::Move(Box::new(assignment)), MOVE_GRACE);
                self.tell_viewers();
                return self.end_if_gone().await;
            }
            Instruction::Park(parking) => return self.pack_and_park(parking).await,
        }
        Flow::On
    }

    async fn pack_and_park(&mut self, parking: Parking) -> Flow {
        self.trouble = Some(parking.trouble.clone());
        self.pack();
        self.end(Then::Park(parking), MOVE_GRACE);
        self.tell_viewers();
        self.end_if_gone().await
    }

    /// A run that is gone already has no more news.
    async fn end_if_gone(&mut self) -> Flow {
        if self.phase.live().is_some_and(|live| live.gone) { self.ended().await } else { Flow::On }
    }

    /// Notes what the next run has to know.
    fn pack(&mut self) {
        let Some(live) = self.phase.live_mut() else { return };
        let open = live.turn.take(live.follower.is_some());
        self.luggage = Some(Luggage {
            unsure: open.is_empty(),
            open,
            from: live.record.mount_name(),
            why: self
                .trouble
                .as_ref()
                .map_or_else(|| "it failed".to_owned(), |trouble| trouble.message.clone()),
            screen: live.screen().view().contents(),
            left: Some(live.record.clone()),
        });
    }

    /// A turn that failed for the moment is tried again.
    pub(super) async fn retry_if_due(&mut self, now: Instant) -> Flow {
        if self.retry.as_ref().is_none_or(|retry| now < retry.at) {
            return Flow::On;
        }
        self.retry = None;
        let Phase::Running(live) = &mut self.phase else { return Flow::On };
        let why = self.trouble.as_ref().map_or_else(String::new, |trouble| trouble.message.clone());
        if live.exit.is_some() {
            self.pack();
            self.end(Then::Choose, MOVE_GRACE);
            return self.end_if_gone().await;
        }
        let open = live.turn.take(live.follower.is_some());
        self.submit_again(open, &why).await;
        Flow::On
    }

    /// What was not begun is submitted again; a turn that had begun to work is told to go on.
    async fn submit_again(&mut self, open: Vec<Open>, why: &str) {
        let now = Instant::now();
        let adrift = self.injector.adrift().map(|prompt| prompt.id);
        if open.iter().any(|open| open.worked) {
            let effects = self.injector.offer(Prompt::of_house(new_id(), go_on(why)), None, now);
            self.carry_out(effects).await;
        }
        for Open { prompt, .. } in
            open.into_iter().filter(|open| !open.worked && Some(open.prompt.id) != adrift)
        {
            let again = prompt.again(true);
            self.house.event(
                "session.resubmits",
                self.name(),
                &json!({ "message": again.id.to_string(), "attempt": again.attempt }),
            );
            let effects = self.injector.offer(again, None, now);
            self.carry_out(effects).await;
        }
    }

    /// The old run is gone: how does the new one begin?
    pub(super) async fn begin_on(&mut self, assignment: &Assignment) -> Beginning {
        let task = self.spec().task.clone();
        if self.luggage.is_none() {
            // A daemon before this one parked it.
            let Some(left) = self.record.run.clone() else { return Beginning::New(task) };
            let (from, why) = (left.mount_name(), "it was parked".to_owned());
            self.luggage = Some(Luggage { from, why, left: Some(left), unsure: true, ..Luggage::default() });
        }
        let Some(luggage) = &self.luggage else { return Beginning::New(task) };
        for open in luggage.open.iter().filter(|open| !open.worked) {
            self.heard.forget(open.prompt.id);
        }
        let untouched = luggage.open.iter().find(|open| !open.worked).map(|open| open.prompt.sought.clone());
        let worked = luggage.open.iter().any(|open| open.worked);
        let resumed = match (&luggage.left, self.house.catalog.get(&assignment.mount.harness)) {
            (Some(left), Ok(definition)) => {
                carry(definition, left.clone(), assignment.clone(), untouched.filter(|_| !worked)).await
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
                self.house.event("session.not_resumed", self.name(), &json!({ "why": why }));
                if !worked && !self.has_past && !luggage.unsure {
                    return Beginning::New(None);
                }
                let handover = Handover {
                    session: self.name(),
                    from: &luggage.from,
                    why: &luggage.why,
                    cwd: &self.spec().cwd,
                    task: task.as_deref(),
                    heard: &self.heard,
                    screen: &luggage.screen,
                };
                Beginning::New(Some(handover.brief()))
            }
        }
    }

    /// The new run lives: what the failed turn was asked follows it.
    pub(super) async fn unpack(&mut self) {
        let now = Instant::now();
        let Some(luggage) = self.luggage.take() else { return };
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
        if let Some(adrift) = self.injector.adrift().map(|prompt| prompt.id) {
            let worked = luggage.open.iter().any(|open| open.prompt.id == adrift && open.worked);
            let fate = if worked {
                Fate::Uncertain("its run failed after a tool had run".to_owned())
            } else {
                Fate::Again
            };
            let effects = self.injector.decide(fate, now);
            self.carry_out(effects).await;
        }
        // A brief tells of what was begun; a resumed conversation is told to go on with it.
        let open = luggage.open.into_iter().filter(|open| resumed || !open.worked).collect();
        self.submit_again(open, &luggage.why).await;
    }
}

/// What became of a conversation that was to go along.
enum Carried {
    /// It can be resumed under this id.
    Conversation(String),
    /// There was nothing in it but what is submitted again.
    Empty,
    /// It can't go along.
    Nothing(String),
}

/// Carries a conversation to the home of another mount. `cut` is the text of a turn that is submitted again and is not
/// to be in it twice.
async fn carry(
    definition: Arc<Definition>,
    left: RunRecord,
    assignment: Assignment,
    cut: Option<String>,
) -> Carried {
    let carried =
        tokio::task::spawn_blocking(move || carry_files(&definition, &left, &assignment, cut.as_deref()));
    carried.await.unwrap_or_else(|_| Carried::Nothing("it could not be copied".to_owned()))
}

fn carry_files(
    definition: &Definition,
    left: &RunRecord,
    assignment: &Assignment,
    cut: Option<&str>,
) -> Carried {
    use crate::harness::launch::Presentation;
    if definition.name != left.harness {
        return Carried::Nothing(format!(
            "{} can't read the conversations of {}",
            definition.name, left.harness
        ));
    }
    let (Some(id), Some(home)) = (&left.conversation, &left.home) else {
        return match definition.transcript {
            TranscriptKind::None => Carried::Nothing("its conversations are not understood".to_owned()),
            // Nothing was ever recorded: no turn has begun.
            _ => Carried::Empty,
        };
    };
    let Some(file) = find::by_id(definition.transcript, home, id) else {
        return match definition.transcript {
            TranscriptKind::None => Carried::Nothing("its conversations are not understood".to_owned()),
            _ => Carried::Empty,
        };
    };
    if let Some(why) = resume::obstacle(definition, &file, &assignment.presentation) {
        return Carried::Nothing(why);
    }
    let to = match &assignment.presentation {
        Presentation::Home(dir) => dir.clone(),
        Presentation::Key { home: Some(dir), .. } => dir.clone(),
        Presentation::Key { home: None, .. } | Presentation::Ambient => home.clone(),
    };
    match copy::conversation(definition.transcript, id, home, &to, cut) {
        Ok(copied) if copied.has_history => Carried::Conversation(id.clone()),
        Ok(_) => Carried::Empty,
        Err(error) => Carried::Nothing(error.to_string()),
    }
}
