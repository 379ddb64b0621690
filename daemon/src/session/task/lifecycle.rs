//! The life of a session: choosing a mount, starting a run, adopting one, ending it, moving on, resting.

use std::time::{Duration, Instant};

use posthouse_protocol::payload::AgentInfo;
use posthouse_protocol::{ErrorCode, ReceiptState};
use serde_json::json;
use tokio::sync::oneshot;

use super::failing::MOVE_GRACE;
use super::order::{News, Order};
use super::phase::{Phase, Releasing, Then};
use super::{Adopted, Begin, Flow, Task, Waiter};
use crate::fail_point::{self, Point};
use crate::failover::command::{Assignment, Choice, FailoverCommand, Parking};
use crate::holder::link::place;
use crate::holder::run::{RunId, StreamId};
use crate::holder::script::{OperationId, Step};
use crate::post::command::{Earlier, PostCommand, SessionSink};
use crate::session::command::{SessionError, Spawned, Started};
use crate::session::ending::{EndMove, Ending};
use crate::session::house::new_id;
use crate::session::injection::injector::Fate;
use crate::session::injection::prompt::Source;
use crate::session::injection::rules::Rules;
use crate::session::injection::sight::{Gate, Sight};
use crate::session::live::{Live, exit_words};
use crate::session::spec::Rest;
use crate::session::start::{self, Beginning};
use crate::session::variables;

impl Task {
    pub(super) async fn begin(&mut self, begin: Begin) -> Flow {
        match begin {
            Begin::Spawn(waiter) => {
                let until = waiter.ready_within.map(|time| Instant::now() + time);
                self.waiter = Some((waiter, until));
                self.choose_or_start().await
            }
            Begin::Adopt(adopted) => self.adopt(*adopted).await,
            Begin::Lost { how, rebooted } => self.was_lost(how, rebooted).await,
            Begin::Rest(lost) => {
                if let Some(why) = lost {
                    self.fail(why).await;
                    return Flow::On;
                }
                match self.record.rest.clone() {
                    // Nothing of the old run is left, and a new one, if one was about to be started, never lived.
                    Rest::Moving => return self.choose_or_start().await,
                    Rest::Live if self.record.luggage.is_some() => return self.choose_or_start().await,
                    Rest::Live | Rest::Failed { .. } => {
                        let why = match &self.record.rest {
                            Rest::Failed { why } => why.clone(),
                            _ => "it was being started when the daemon ended".to_owned(),
                        };
                        self.phase = Phase::Failed { why, live: None };
                        self.leave_post(false).await;
                    }
                    Rest::Restarting { at, how } => self.go_on_waiting(at, how),
                    Rest::Exited { how } => {
                        self.phase = Phase::Exited { how, live: None };
                        self.leave_post(false).await;
                    }
                    Rest::Parked { .. } => return self.choose_or_start().await,
                }
                Flow::On
            }
        }
    }

    /// A session with a route asks where to run; one without runs on whatever login its harness finds.
    pub(super) async fn choose_or_start(&mut self) -> Flow {
        let Some(route) = self.spec().route.clone() else {
            let beginning = self.begin_on(None).await;
            return self.start(None, beginning).await;
        };
        let (reply, chosen) = oneshot::channel();
        let command = FailoverCommand::Choose { session: self.name().to_owned(), route, reply };
        let (failover, desk) = (self.house.failover.commands.clone(), self.desk.clone());
        tokio::spawn(async move {
            let refused = || Choice::Refused("choose a mount: failover does not answer".to_owned());
            let choice = match failover.send(command).await {
                Ok(()) => chosen.await.unwrap_or_else(|_| refused()),
                Err(_) => refused(),
            };
            let _ = desk.send(News::Chosen(choice));
        });
        Flow::On
    }

    pub(super) async fn chosen(&mut self, choice: Choice) -> Flow {
        if self.released_while_starting().await == Flow::Over {
            return Flow::Over;
        }
        match choice {
            Choice::On(assignment) => {
                self.take_route(&assignment);
                self.record.trouble.clone_from(&assignment.trouble);
                let beginning = self.begin_on(Some(&assignment)).await;
                self.start(Some(assignment), beginning).await
            }
            // A new session that can run nowhere is none; a task can wait.
            Choice::Park(parking) if self.waiter.is_some() && !self.spec().one_shot => {
                self.could_not_start(parking.trouble.message).await
            }
            Choice::Park(parking) => {
                self.park(parking).await;
                Flow::On
            }
            Choice::Refused(why) => self.could_not_start(why).await,
        }
    }

    /// Plans a run, notes it in the journal, and has it started.
    async fn start(&mut self, assignment: Option<Assignment>, beginning: Beginning) -> Flow {
        let size = self.wanted_size();
        // What the house has to say now takes the place of what it had not come to say.
        if beginning.speaks() {
            self.record.owed.retain(|prompt| prompt.source != Source::House);
        }
        let planned =
            start::plan(&self.house, self.spec(), &self.variables, assignment.as_ref(), beginning, size);
        let plan = match planned {
            Ok(plan) => plan,
            Err(why) => return self.could_not_start(why).await,
        };
        if let Some(typed) = plan.typed.clone() {
            self.record.owed.insert(0, typed);
        }
        self.record.run = Some(plan.record.clone());
        self.record.rest = Rest::Live;
        // The next daemon must find a run that this one started and did not live to see.
        if let Err(why) = self.house.store_and_wait(&self.record).await {
            return self.could_not_start(why).await;
        }
        if !matches!(self.phase, Phase::Starting { .. }) {
            self.phase = Phase::Starting { then_release: None };
        }
        self.announce_run();
        let (house, desk) = (self.house.clone(), self.desk.clone());
        let turn = assignment.map(|assignment| assignment.turn);
        tokio::spawn(async move {
            if let Some(turn) = turn {
                turn.come().await;
            }
            let outcome = start::start(&house, plan, size).await.map(Box::new);
            let _ = desk.send(News::Started(outcome));
        });
        Flow::On
    }

    pub(super) async fn started(&mut self, outcome: Result<Box<Live>, String>) -> Flow {
        match outcome {
            Err(why) => {
                if self.released_while_starting().await == Flow::Over {
                    return Flow::Over;
                }
                self.could_not_start(why).await
            }
            Ok(mut live) => {
                // Its harness may have asked for its key meanwhile, and got another one than it was started for.
                if let Some(run) = self.record.run.as_ref().filter(|run| run.run == live.record.run) {
                    live.record.mount.clone_from(&run.mount);
                    live.record.renewals = run.renewals;
                }
                let release = match &mut self.phase {
                    Phase::Starting { then_release } => then_release.take(),
                    _ => None,
                };
                self.house.event(
                    "session.started",
                    self.name(),
                    &json!({ "pid": live.pid, "run": live.record.run, "mount": live.record.mount_name() }),
                );
                self.live(live, false).await;
                if let Some(releasing) = release {
                    self.end(Then::Release(releasing), Duration::ZERO);
                }
                Flow::On
            }
        }
    }

    /// A run is there: messages can flow.
    async fn live(&mut self, mut live: Box<Live>, adopted: bool) {
        let now = Instant::now();
        self.follow_conversation(&mut live, adopted);
        self.record.has_past |= adopted || live.record.resumed;
        self.injector.run_began(live.record.id(), Rules::of(&live.definition));
        let run = live.record.id().to_string();
        let spawned = Spawned { pid: live.pid, run: run.clone(), mount: live.record.mount_name() };
        self.sight = Sight::away("starting");
        self.phase = Phase::Running(live);
        self.dirty = true;
        self.offer_owed(adopted.then_some(run.as_str()), now).await;
        // Over a move post goes on to hand messages over.
        if !std::mem::replace(&mut self.is_up, true) {
            self.come_up(spawned.pid, &run).await;
        }
        // Whoever hears of the start may ask for the list at once.
        self.publish();
        if let Some((waiter, until)) = self.waiter.take() {
            if waiter.ready_within.is_some() {
                self.waiter = Some((waiter, until));
            } else {
                let _ = waiter.reply.send(Ok(Started::Runs(spawned)));
            }
        }
        self.unpack().await;
        self.decide_about_adrift(now).await;
        self.may_be_free();
        self.think_of_home();
        self.keep();
        self.tell_viewers();
        self.draw_anew();
    }

    /// Whatever was being written when the run before ended, and nobody has decided about: others wait behind it.
    async fn decide_about_adrift(&mut self, now: Instant) {
        if self.injector.adrift().is_some() {
            let fate = Fate::Uncertain(
                "its run was ended while it was being written; the harness may have taken it, or not"
                    .to_owned(),
            );
            let effects = self.injector.decide(fate, now);
            self.carry_out(effects).await;
        }
    }

    /// What is still to be typed goes to the injector anew. In an adopted run an earlier daemon may have begun with the
    /// first of it.
    async fn offer_owed(&mut self, adopted: Option<&str>, now: Instant) {
        if let Some(begun) = self.injector.recall()
            && let Some(owed) = self.record.owed.iter_mut().find(|owed| owed.id == begun)
        {
            *owed = owed.clone().again(true);
        }
        let mut begun_in = adopted;
        for prompt in self.record.owed.clone() {
            let earlier = begun_in.take().map(|run| Earlier {
                state: ReceiptState::Queued,
                run: run.to_owned(),
                attempt: prompt.attempt,
            });
            let effects = self.injector.offer(prompt, earlier.as_ref(), now);
            self.carry_out(effects).await;
        }
    }

    /// Post may hand messages over from now on.
    async fn come_up(&self, pid: u32, run: &str) {
        let info = AgentInfo {
            name: self.name().to_owned(),
            cli: Some(self.spec().harness.clone()),
            idle: None,
            parent: Some(self.spec().spawned_by.clone()),
            team: self.spec().team.clone(),
            pid: Some(pid),
            session: Some(true),
        };
        let run = Some(run.to_owned());
        let sink = SessionSink { injections: self.sink.clone(), run };
        let up = PostCommand::SessionUp { name: self.name().to_owned(), info: Box::new(info), sink };
        if self.house.post.send(up).await.is_err() {
            tracing::debug!("post is gone");
        }
    }

    /// Whoever waits for readiness is answered when it is there, or when the time is up.
    pub(super) fn look_after_waiter(&mut self, now: Instant) {
        let ready = matches!(self.sight.gate, Gate::Ready);
        let due = matches!(&self.waiter, Some((_, Some(until))) if ready || *until <= now);
        if let (true, Some(live)) = (due, self.phase.live()) {
            let spawned =
                Spawned { pid: live.pid, run: live.record.id().to_string(), mount: live.record.mount_name() };
            self.answer_waiter(Ok(Started::Runs(spawned)));
        }
    }

    fn answer_waiter(&mut self, answer: Result<Started, SessionError>) {
        if let Some((Waiter { reply, .. }, _)) = self.waiter.take() {
            let _ = reply.send(answer);
        }
    }

    /// A new session that can't start leaves nothing behind; one that ran before fails.
    async fn could_not_start(&mut self, why: String) -> Flow {
        if let Some((waiter, _)) = self.waiter.take() {
            self.forget("session.not_started", None, &json!({ "why": why }));
            self.leave_post(true).await;
            self.publish_gone();
            let _ = waiter.reply.send(Err(SessionError::new(ErrorCode::BadRoute, why)));
            return Flow::Over;
        }
        self.fail(why).await;
        Flow::On
    }

    /// A run of an earlier daemon is taken over.
    async fn adopt(&mut self, adopted: Adopted) -> Flow {
        let Adopted { record, definition, link, status } = adopted;
        let mut live = Box::new(Live::adopted(record, definition, link, &status));
        let (link, from) = (live.link.clone(), live.next());
        tokio::spawn(async move {
            let _ = link.follow(StreamId::TERMINAL, from).await;
        });
        if let Some(mount) = &live.record.mount {
            let (session, renewals) = (self.name().to_owned(), live.record.renewals);
            let adopted =
                FailoverCommand::Adopted { session, credential: mount.credential.clone(), renewals };
            if self.house.failover.commands.send(adopted).await.is_err() {
                tracing::debug!("failover did not hear of an adopted run");
            }
        }
        self.house.event("session.adopted", self.name(), &json!({ "pid": live.pid, "run": live.record.run }));
        match (status.exit, &self.record.rest) {
            (_, Rest::Moving) => {
                self.phase = Phase::Running(live);
                self.end(Then::Choose, MOVE_GRACE);
                return self.end_if_gone().await;
            }
            (None, _) => {
                live.gone = false;
                self.live(live, true).await;
            }
            // Nobody has judged its end yet.
            (Some(_), Rest::Live) => {
                live.read_last_words(Instant::now());
                self.live(live, true).await;
            }
            (Some(_), Rest::Restarting { at, how }) => {
                let (at, how) = (*at, how.clone());
                self.phase = Phase::Running(live);
                self.go_on_waiting(at, how);
            }
            (Some(exit), _) => {
                self.phase = Phase::Running(live);
                self.rest_as_exited(exit_words(exit)).await;
            }
        }
        Flow::On
    }

    /// Begins to end the run.
    pub(super) fn end(&mut self, then: Then, grace: Duration) {
        let now = Instant::now();
        let phase = std::mem::replace(&mut self.phase, Phase::Starting { then_release: None });
        if let Some(live) = phase.into_live() {
            let mut ending = Ending::new(&live.definition.end, grace, now);
            if live.exit.is_some() {
                ending.hasten(now);
            }
            self.record.stuck = false;
            let moves = !matches!(then, Then::Release(_));
            self.phase = Phase::Ending { live, ending, then };
            // A message that comes now is for the next run.
            self.injector.leaves("moving");
            self.dirty = true;
            if moves {
                self.record.rest = Rest::Moving;
                self.keep();
                fail_point::pass(Point::FailoverEnd);
            }
        }
    }

    pub(super) fn go_on_ending(&mut self, now: Instant) {
        let Phase::Ending { live, ending, .. } = &mut self.phase else { return };
        loop {
            match ending.next_move(now) {
                EndMove::WaitUntil(_) | EndMove::Nothing => return,
                EndMove::Type(keys) => {
                    let operation = OperationId::new(new_id());
                    if let Err(error) = live.link.write_soon(operation, vec![Step::Bytes(keys)]) {
                        tracing::debug!(%error, "keys that end a harness were not sent");
                    }
                }
                EndMove::Climb(rungs) => {
                    let link = live.link.clone();
                    tokio::spawn(async move {
                        // A lost link is noticed by the task; the ladder is then climbed anew.
                        let _ = link.end(rungs).await;
                    });
                }
            }
        }
    }

    /// The run is proven gone.
    pub(super) async fn ended(&mut self) -> Flow {
        let now = Instant::now();
        let phase = std::mem::replace(&mut self.phase, Phase::Starting { then_release: None });
        let Phase::Ending { live, then, .. } = phase else {
            self.phase = phase;
            return Flow::On;
        };
        // The exit is recorded by what follows; the holder may go.
        if live.link.collect().await.is_err() {
            let _ = place::bury(&live.record.socket);
        }
        self.house.confines.remove_of(RunId::new(live.record.run));
        let effects = self.injector.run_ended("moving", now);
        self.carry_out(effects).await;
        self.drafting.reset();
        if !matches!(then, Then::Release(_)) {
            fail_point::at(Point::FailoverSwap).await;
        }
        match then {
            Then::Release(releasing) => {
                let fate = Fate::Uncertain("the session was released while it was being written".to_owned());
                let effects = self.injector.decide(fate, now);
                self.carry_out(effects).await;
                self.released(releasing).await;
                Flow::Over
            }
            Then::Move(assignment) => {
                let beginning = self.begin_on(Some(&assignment)).await;
                self.start(Some(*assignment), beginning).await
            }
            Then::Choose => self.choose_or_start().await,
            Then::Park(parking) => {
                self.park(parking).await;
                Flow::On
            }
        }
    }

    async fn released(&mut self, releasing: Releasing) {
        let Releasing { reason, by, keep_name, replies } = releasing;
        self.viewers.end("the session was released");
        self.answer_waiter(Err(SessionError::new(
            ErrorCode::NoSuchSession,
            "start it: it was released meanwhile",
        )));
        self.forget("session.released", Some(&by), &json!({ "reason": reason }));
        let forget = FailoverCommand::Forget { session: self.name().to_owned() };
        let _ = self.house.failover.commands.try_send(forget);
        if !keep_name {
            self.leave_post(true).await;
        }
        self.publish_gone();
        self.answer_waiter(Err(SessionError::new(
            ErrorCode::NoSuchSession,
            "start it: it was released meanwhile",
        )));
        for reply in replies {
            let _ = reply.send(Ok(()));
        }
    }

    fn forget(&self, kind: &'static str, by: Option<&str>, data: &serde_json::Value) {
        self.house.forget(self.name(), kind, by, data);
        if let Err(error) = variables::forget(&self.house.private, self.name()) {
            tracing::warn!(session = self.name(), %error, "a session's variables were not removed");
        }
    }

    /// Takes an order to release the session.
    pub(super) async fn release(&mut self, order: Order) -> Flow {
        let Order::Release { reason, grace, by, keep_name, reply } = order else { return Flow::On };
        let releasing = Releasing { reason, by, keep_name, replies: vec![reply] };
        match &mut self.phase {
            Phase::Starting { then_release } => {
                match then_release {
                    Some(earlier) => earlier.replies.extend(releasing.replies),
                    None => *then_release = Some(releasing),
                }
                Flow::On
            }
            Phase::Ending { then, .. } => {
                match then {
                    Then::Release(earlier) => earlier.replies.extend(releasing.replies),
                    Then::Move(_) | Then::Choose | Then::Park(_) => *then = Then::Release(releasing),
                }
                Flow::On
            }
            Phase::Parked { .. }
            | Phase::Restarting { live: None, .. }
            | Phase::Exited { live: None, .. }
            | Phase::Failed { live: None, .. } => {
                self.released(releasing).await;
                Flow::Over
            }
            Phase::Running(_) | Phase::Restarting { .. } | Phase::Exited { .. } | Phase::Failed { .. } => {
                self.end(Then::Release(releasing), grace);
                // A run that was gone already has no more news.
                if self.phase.live().is_some_and(|live| live.gone) { self.ended().await } else { Flow::On }
            }
        }
    }

    async fn released_while_starting(&mut self) -> Flow {
        let Phase::Starting { then_release } = &mut self.phase else { return Flow::On };
        match then_release.take() {
            Some(releasing) => {
                self.released(releasing).await;
                Flow::Over
            }
            None => Flow::On,
        }
    }

    /// No mount is usable: the session waits, visibly.
    pub(super) async fn park(&mut self, parking: Parking) {
        let now = Instant::now();
        let words =
            parking.until.map_or_else(|| "parked".to_owned(), |until| format!("parked until {until}"));
        let effects = self.injector.run_ended(&words, now);
        self.carry_out(effects).await;
        self.record.trouble = Some(parking.trouble.clone());
        self.answer_waiter(Ok(Started::Parked));
        self.record.rest = Rest::Parked { until: parking.until, why: parking.trouble.message.clone() };
        self.keep();
        self.phase = Phase::Parked { until: parking.wait.map(|wait| now + wait), parking };
        self.dirty = true;
        self.tell_viewers();
    }

    /// A parked session asks again when its time has come.
    pub(super) async fn wake_if_parked(&mut self) {
        if matches!(&self.phase, Phase::Parked { until: Some(until), .. } if *until <= Instant::now()) {
            self.phase = Phase::Starting { then_release: None };
            self.choose_or_start().await;
        }
    }

    /// The session can't go on; nobody touches what may be left of its run.
    pub(super) async fn fail(&mut self, why: String) {
        let now = Instant::now();
        let effects = self.injector.run_ended("failed", now);
        self.carry_out(effects).await;
        let effects = self.injector.decide(Fate::Uncertain(why.clone()), now);
        self.carry_out(effects).await;
        let phase = std::mem::replace(&mut self.phase, Phase::Starting { then_release: None });
        self.phase = Phase::Failed { why: why.clone(), live: phase.into_live() };
        self.rest(Rest::Failed { why }).await;
        self.leave_post(false).await;
    }

    /// Notes how the session rests.
    pub(super) async fn rest(&mut self, rest: Rest) {
        self.dirty = true;
        self.record.rest = rest;
        self.keep();
        if self.waiter.is_some() {
            let words = match &self.record.rest {
                Rest::Exited { how } | Rest::Restarting { how, .. } => {
                    format!("start it: it ended at once ({how})")
                }
                Rest::Failed { why } | Rest::Parked { why, .. } => why.clone(),
                Rest::Live | Rest::Moving => String::new(),
            };
            self.answer_waiter(Err(SessionError::new(ErrorCode::NotReady, words)));
        }
        self.tell_viewers();
    }
}
