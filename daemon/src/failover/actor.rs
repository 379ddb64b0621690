//! The failover actor: sessions report what they saw and ask where to run; it asks the credential room what is known,
//! lets the pure core decide, charges whoever has to pay, and journals the decision with its reason.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use posthouse_protocol::payload::Trouble;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};

use self::routes::Routes;
use self::telling::{harmless, millis, words};
use super::charge::Charge;
use super::classify;
use super::command::{Assignment, Choice, Failover, FailoverCommand, FailureReport, Instruction, Parking};
use super::decide::Move;
use super::drift::shelf::Shelf;
use super::drift::{self, redact::redact};
use super::failure::Verdict;
use super::kept::Kept;
use super::ledger::{Known, Ledger, Scene, Told};
use super::pool::{Pool, Reach};
use super::route::{Cost, Mount, Route};
use super::stagger::stagger;
use crate::clock::Clock;
use crate::credential::command::{Access, CredentialCommand, Credentials, Taken};
use crate::credential::id::CredentialId;
use crate::credential::lease::Turn;
use crate::credential::state::{CredentialState, Proof};
use crate::harness::catalog::Catalog;
use crate::harness::home;
use crate::harness::launch::Presentation;
use crate::journal::{Document, Done, Durability, EventData, EventKind, NewEvent, Op, Subject, Writer};

mod freed;
mod homeward;
mod keeping;
mod keying;
mod routes;
mod telling;

/// Commands that may wait.
const QUEUE: usize = 256;
/// When after the start the rules are made ready: a daemon that comes back has more urgent things to do.
const WARM_AFTER: Duration = Duration::from_secs(1);
/// Most characters of an observation that a decision's event quotes.
const QUOTE: usize = 300;

/// Owns the ledger.
#[derive(Debug)]
pub struct Actor {
    ledger: Ledger,
    credentials: Credentials,
    catalog: Arc<Catalog>,
    journal: Writer,
    zone: TimeZone,
    clock: Clock,
    shelf: Shelf,
    owner: u32,
    routes: Routes,
    reopened: watch::Sender<u64>,
    /// Which login each session's run was started on, and how often that was renewed before.
    started: BTreeMap<String, (CredentialId, u64)>,
    /// Where helpers report. Weak, so that the room ends with those who ask it.
    desk: mpsc::WeakSender<FailoverCommand>,
}

impl Actor {
    /// Starts it with what the journal kept: documents of [`DocumentKind::Cooldown`](crate::journal::DocumentKind) and
    /// [`DocumentKind::Route`](crate::journal::DocumentKind).
    pub fn start(
        cooldowns: &[Document],
        routes: &[Document],
        credentials: Credentials,
        catalog: Arc<Catalog>,
        journal: Writer,
        clock: Clock,
        shelf: Shelf,
    ) -> Failover {
        let kept = cooldowns.iter().filter_map(|document| document.value.parse::<Kept>().ok());
        let ledger = Ledger::new(super::decide::Policy::default(), kept);
        let owner = nix::unistd::getuid().as_raw();
        let zone = TimeZone::system();
        let (reopened, watched) = watch::channel(0);
        let (sender, receiver) = mpsc::channel(QUEUE);
        let actor = Self {
            ledger,
            credentials,
            catalog,
            journal,
            zone,
            clock,
            shelf,
            owner,
            routes: Routes::new(routes),
            reopened,
            started: BTreeMap::new(),
            desk: sender.downgrade(),
        };
        tokio::spawn(actor.run(receiver));
        tokio::spawn(async {
            tokio::time::sleep(WARM_AFTER).await;
            let _ = tokio::task::spawn_blocking(classify::warm).await;
        });
        Failover { commands: sender, reopened: watched }
    }

    async fn run(mut self, mut commands: mpsc::Receiver<FailoverCommand>) {
        let mut changes = self.credentials.changes();
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.handle(command).await,
                    None => return,
                },
                Ok(()) = changes.changed() => self.reopen(),
            }
        }
    }

    /// Whoever is parked may look again.
    fn reopen(&self) {
        self.reopened.send_modify(|count| *count = count.wrapping_add(1));
    }

    // A reply nobody waits for any more is not an error: the session is gone.
    async fn handle(&mut self, command: FailoverCommand) {
        match command {
            FailoverCommand::Choose { session, route, reply } => {
                let _ = reply.send(self.choose(&session, &route).await);
            }
            FailoverCommand::Report { report, reply } => {
                let _ = reply.send(self.report(&report).await);
            }
            FailoverCommand::TurnDone { session, mount } => self.turn_done(&session, mount.as_ref()).await,
            FailoverCommand::Adopted { session, credential, renewals } => {
                self.runs_on(&session, &credential, renewals).await;
            }
            FailoverCommand::Key { request, reply } => self.key(*request, reply).await,
            FailoverCommand::KeyAfterCheck { request, reply } => {
                let _ = reply.send(self.key_after_check(&request).await);
            }
            FailoverCommand::Freed { session, route, mount, run, reply } => {
                let _ = reply.send(self.freed(&session, &route, &mount, &run).await);
            }
            FailoverCommand::Homeward { session, route, mount, reply } => {
                let _ = reply.send(self.homeward(&session, &route, &mount).await);
            }
            FailoverCommand::Routes { request, actor, reply } => {
                let _ = reply.send(self.request(request, &actor).await);
            }
            FailoverCommand::Named { name, reply } => {
                let _ = reply.send(self.routes.find(&name));
            }
            FailoverCommand::Explain { session, route, mount, failure, reply } => {
                let _ = reply
                    .send(self.explain(&session, route.as_ref(), mount.as_ref(), failure.as_deref()).await);
            }
            FailoverCommand::Forget { session } => {
                self.leave(&session).await;
                self.ledger.forget(&session);
                self.routes.forget(&session);
            }
        }
    }

    async fn choose(&mut self, session: &str, route: &Route) -> Choice {
        let route = &self.current(route);
        self.routes.used(session, route);
        let pool = self.pool().await;
        if let Some(missing) =
            route.mounts().iter().find(|mount| !pool.credentials.contains_key(&mount.credential))
        {
            let (provider, alias) = (missing.credential.provider(), missing.credential.alias());
            return Choice::Refused(format!(
                "use the mount {missing}: there is no credential {provider}/{alias}; register it with: posthouse credential add {provider} {alias} --home DIR"
            ));
        }
        let now = self.clock.now();
        match self.ledger.choose(session, route, &pool, now) {
            Ok(mount) => {
                let last = self.ledger.last(session).filter(|told| told.decision.reason.mount != mount);
                let trouble = last.map(|told| self.trouble(told));
                match self.assign(session, route, mount, trouble).await {
                    Ok(assignment) => Choice::On(assignment),
                    Err(why) => {
                        self.ledger.left(session);
                        Choice::Refused(why)
                    }
                }
            }
            Err(obstacles) => Choice::Park(self.parking(session, &obstacles, now)),
        }
    }

    async fn report(&mut self, report: &FailureReport) -> Instruction {
        let (Some(route), Some(mount)) = (&report.route, &report.mount) else {
            return self.tell(report).await;
        };
        let route = &self.current(route);
        let pool = self.pool().await;
        let now = self.clock.now();
        if self.outdated(&report.session, mount, &pool) {
            return self.start_anew(report, route, &pool, now).await;
        }
        let scene = Scene { session: &report.session, route, mount, now, zone: &self.zone };
        let told = match self.ledger.judge(scene, &report.observation, &pool) {
            Ok(told) => {
                self.keep_drift(report, &Verdict::Failure(told.failure.clone()));
                told
            }
            Err(verdict) => {
                self.keep_drift(report, &verdict);
                self.decision(report, &harmless(&verdict), None).await;
                return Instruction::Stay { trouble: None };
            }
        };
        self.decision(report, &words(&told), Some(&told)).await;
        self.charge(&told, &pool).await;
        self.follow(&report.session, route, &told, now).await
    }

    /// What a session is to do after a decision.
    async fn follow(&mut self, session: &str, route: &Route, told: &Told, now: Timestamp) -> Instruction {
        let trouble = self.trouble(told);
        match &told.decision.action {
            Move::Nothing => Instruction::Stay { trouble: told.failure.class.is_auth().then_some(trouble) },
            // What a person mends by a login is gone on with; what the request itself is at fault for is not.
            Move::Surface if told.decision.charge.is_some() || told.failure.class.is_auth() => {
                Instruction::Stuck { trouble }
            }
            Move::Surface => Instruction::Stay { trouble: Some(trouble) },
            Move::Wait { until } => Instruction::Retry { wait: wait(*until, now), trouble },
            Move::Park { until } => {
                self.leave(session).await;
                let wait = stagger(session, wait(*until, now));
                Instruction::Park(Parking { until: Some(*until), wait: Some(wait), trouble })
            }
            Move::Rotate { to } | Move::NextMount { to } => {
                self.leave(session).await;
                match self.assign(session, route, to.clone(), Some(trouble.clone())).await {
                    Ok(assignment) => Instruction::Move(assignment),
                    Err(why) => {
                        tracing::error!(session, "failed to {why}");
                        Instruction::Stay { trouble: Some(trouble) }
                    }
                }
            }
        }
    }

    /// The route as it is now: one with a name may say something else by now. What was allowed stays allowed.
    fn current(&self, route: &Route) -> Route {
        let Some(named) = route.name().and_then(|name| self.routes.get(name)) else { return route.clone() };
        match route.cost() {
            Cost::Allow => named.clone().with_cost(Cost::Allow),
            Cost::Ask => named.clone(),
        }
    }

    /// Without a route there is nowhere to go; what is seen is still told.
    async fn tell(&self, report: &FailureReport) -> Instruction {
        let verdict = super::classify::classify(&report.observation, self.clock.now(), &self.zone);
        self.keep_drift(report, &verdict);
        let Verdict::Failure(failure) = &verdict else {
            self.decision(report, &harmless(&verdict), None).await;
            return Instruction::Stay { trouble: None };
        };
        let message =
            format!("{}: {}; the session has no route, so it stays", report.session, failure.class.phrase());
        let data = json!({"message": message, "move": "none", "failure": failure, "run": report.run});
        self.decision(report, &data, None).await;
        let trouble = Trouble {
            class: failure.class.as_str().to_owned(),
            credential: None,
            message,
            until: failure.until.map(|until| until.to_string()),
            repair: None,
            evidence: Some(failure.evidence.as_str().to_owned()),
            at: millis(self.clock.now()),
        };
        Instruction::Stay { trouble: failure.corroborated.then_some(trouble) }
    }

    /// Whether the login that this run was started on has been replaced since: its failure says nothing of the new one.
    fn outdated(&self, session: &str, mount: &Mount, pool: &Pool) -> bool {
        let Some((id, renewals)) = self.started.get(session) else { return false };
        let entry = pool.credentials.get(id);
        *id == mount.credential
            && entry.is_some_and(|e| e.renewals > *renewals && e.status.state.is_usable(self.clock.now()))
    }

    async fn start_anew(
        &mut self,
        report: &FailureReport,
        route: &Route,
        pool: &Pool,
        now: Timestamp,
    ) -> Instruction {
        let message = "the login changed since the run was started, so the run is started anew";
        self.decision(report, &json!({"message": message, "move": "restart", "run": report.run}), None).await;
        self.leave(&report.session).await;
        let chosen = self.ledger.choose(&report.session, route, pool, now);
        match chosen {
            Ok(mount) => match self.assign(&report.session, route, mount, None).await {
                Ok(assignment) => Instruction::Move(assignment),
                Err(_) => Instruction::Stay { trouble: None },
            },
            Err(obstacles) => Instruction::Park(self.parking(&report.session, &obstacles, now)),
        }
    }

    async fn turn_done(&mut self, session: &str, mount: Option<&Mount>) {
        if let Some(mount) = mount {
            let mended = self.ledger.turn_done(session, mount, self.clock.now());
            for reach in &mended.marks {
                self.keep_mark(reach).await;
            }
            if mended.struck {
                self.keep_strikes(&mount.credential).await;
            }
            if mended.opened || !mended.marks.is_empty() {
                self.reopen();
            }
            let (id, proof, at) = (mount.credential.clone(), Proof::Use, self.clock.now());
            self.tell_credentials(CredentialCommand::Prove { id, proof, at }).await;
        }
        let message = "the turn ended well, whatever was said in it";
        let mount = mount.map(ToString::to_string);
        self.journal_decision(session, &json!({"message": message, "move": "none", "mount": mount})).await;
    }

    /// Takes the credential for a run of `session` on `mount`.
    async fn assign(
        &mut self,
        session: &str,
        route: &Route,
        mount: Mount,
        trouble: Option<Trouble>,
    ) -> Result<Assignment, String> {
        let definition = self.catalog.get(&mount.harness).map_err(|e| e.to_string())?;
        let Taken { renewals, access } = self.taken(&mount.credential).await?;
        let presentation = match access {
            Access::Home(dir) => Presentation::Home(dir),
            Access::Key { secret, base_url, home } => {
                home::seed(&definition, &home, Some(&secret)).map_err(|e| e.to_string())?;
                Presentation::Key { secret, base_url, home: Some(home) }
            }
        };
        let turn = self.turn(&mount.credential).await;
        self.runs_on(session, &mount.credential, renewals).await;
        let route = route.name().map(|_| route.clone());
        Ok(Assignment { mount, presentation, trouble, route, renewals, turn })
    }

    /// The credential as a run uses it.
    async fn taken(&self, id: &CredentialId) -> Result<Taken, String> {
        let (reply, answer) = oneshot::channel();
        self.tell_credentials(CredentialCommand::Take { id: id.clone(), reply }).await;
        let lost = |_| "take the credential: its room does not answer".to_owned();
        answer.await.map_err(lost)?.map_err(|e| e.to_string())
    }

    /// When a run may start on it.
    async fn turn(&self, id: &CredentialId) -> Turn {
        let (reply, answer) = oneshot::channel();
        self.tell_credentials(CredentialCommand::Turn { id: id.clone(), reply }).await;
        answer.await.unwrap_or_else(|_| Turn::now())
    }

    async fn runs_on(&mut self, session: &str, id: &CredentialId, renewals: u64) {
        self.started.insert(session.to_owned(), (id.clone(), renewals));
        let (id, session) = (id.clone(), session.to_owned());
        self.tell_credentials(CredentialCommand::Use { id, session, on: true }).await;
    }

    /// The session no longer runs on what it was assigned.
    async fn leave(&mut self, session: &str) {
        if let Some((id, _)) = self.started.remove(session) {
            self.tell_credentials(CredentialCommand::Use { id, session: session.to_owned(), on: false })
                .await;
        }
    }

    async fn charge(&self, told: &Told, pool: &Pool) {
        match &told.decision.charge {
            Some(Charge::Credential { credential, state }) => {
                let generation = pool.credentials.get(credential).map_or(0, |entry| entry.status.generation);
                let message = told.decision.reason.sentence.clone();
                let (id, state) = (credential.clone(), state.clone());
                self.tell_credentials(CredentialCommand::Charge { id, generation, state, message }).await;
                self.keep_strikes(credential).await;
            }
            Some(Charge::Mark { reach, .. }) => self.keep_mark(reach).await,
            Some(Charge::Incident { provider, restored, alike, .. }) => {
                self.keep_mark(&Reach::Provider(provider.clone())).await;
                for id in restored {
                    let generation = pool.credentials.get(id).map_or(0, |entry| entry.status.generation);
                    let message = told.decision.reason.sentence.clone();
                    let (id, state) = (id.clone(), CredentialState::Unknown);
                    self.keep_strikes(&id).await;
                    self.tell_credentials(CredentialCommand::Charge { id, generation, state, message }).await;
                }
                // Nobody is blamed on a suspicion, and nobody spared on one.
                let last = told.decision.reason.mount.credential.clone();
                let ids = alike.iter().cloned().chain([last]).collect();
                self.tell_credentials(CredentialCommand::Verify { ids }).await;
            }
            None => {}
        }
    }

    async fn pool(&self) -> Pool {
        let (reply, answer) = oneshot::channel();
        self.tell_credentials(CredentialCommand::Pool { reply }).await;
        let known = answer.await.unwrap_or_default();
        let known = known.into_iter().map(|(id, m)| {
            (id, Known { status: m.status, renew: m.renew, metered: m.metered, renewals: m.renewals })
        });
        self.ledger.pool(known.collect())
    }

    async fn tell_credentials(&self, command: CredentialCommand) {
        if self.credentials.0.send(command).await.is_err() {
            tracing::error!("failed to reach the credential room: it has ended");
        }
    }

    async fn decision(&self, report: &FailureReport, data: &Value, told: Option<&Told>) {
        let mut data = data.clone();
        if let Some(fields) = data.as_object_mut() {
            fields.insert("run".to_owned(), json!(report.run));
            fields.insert("mount".to_owned(), json!(report.mount.as_ref().map(ToString::to_string)));
            fields.insert("channel".to_owned(), json!(report.observation.channel));
            if told.is_some() {
                let quote: String = redact(&report.observation.body, None).chars().take(QUOTE).collect();
                fields.insert("seen".to_owned(), json!(quote));
            }
        }
        self.journal_decision(&report.session, &data).await;
    }

    /// Keeps what no rule knows, beside everything else, and tells of it once.
    fn keep_drift(&self, report: &FailureReport, verdict: &Verdict) {
        if !drift::is_drift(&report.observation, verdict) {
            return;
        }
        let (shelf, journal, owner, now) =
            (self.shelf.clone(), self.journal.clone(), self.owner, self.clock.now());
        let (seen, session) = (report.observation.clone(), report.session.clone());
        tokio::task::spawn_blocking(move || {
            let Some(data) = drift::keep(&shelf, &seen, &session, now) else { return };
            let event = NewEvent {
                owner,
                kind: EventKind::new("failure.unknown"),
                subject: Subject::Named(session.into()),
                cause: None,
                actor: None,
                data: EventData::of(&data).unwrap_or_default(),
                at_ms: millis(now),
            };
            if let Err(error) = journal.submit(vec![Op::Event(event)], Durability::Relaxed, Done::None) {
                tracing::error!(%error, "the event of an unknown failure was lost");
            }
        });
    }

    async fn journal_decision(&self, session: &str, data: &Value) {
        let event = NewEvent {
            owner: self.owner,
            kind: EventKind::DECISION,
            subject: Subject::Named(session.into()),
            cause: None,
            actor: None,
            data: EventData::of(data).unwrap_or_default(),
            at_ms: millis(self.clock.now()),
        };
        self.commit(vec![Op::Event(event)]).await;
    }

    async fn commit(&self, ops: Vec<Op>) {
        if let Err(e) = self.journal.commit(ops).await {
            tracing::error!("failed to journal a decision: {e}");
        }
    }
}

fn wait(until: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
