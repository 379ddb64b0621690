//! The failover actor: sessions report what they saw and ask where to run; it asks the credential room what is known,
//! lets the pure core decide, charges whoever has to pay, and journals the decision with its reason.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use posthouse_protocol::Json;
use posthouse_protocol::payload::{MountInfo, RouteExplainResponse, Trouble};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::charge::Charge;
use super::command::{Assignment, Choice, FailoverCommand, FailureReport, Instruction, Parking};
use super::decide::Move;
use super::failure::{Class, Verdict};
use super::ledger::{Known, Ledger, Scene, Told};
use super::pool::{Attempts, Mark, Pool, Reach, Unusable};
use super::route::{Mount, Route};
use crate::credential::command::{Access, CredentialCommand, Credentials, Taken};
use crate::credential::id::CredentialId;
use crate::credential::state::Proof;
use crate::harness::catalog::Catalog;
use crate::harness::home;
use crate::harness::launch::Presentation;
use crate::journal::{
    Document, DocumentKey, DocumentKind, DocumentValue, EventData, EventKind, NewEvent, Op, Subject, Writer,
};

/// Commands that may wait.
const QUEUE: usize = 256;
/// Most characters of an observation that a decision's event quotes.
const QUOTE: usize = 300;

/// A mark as the journal keeps it.
#[derive(Serialize, Deserialize)]
struct KeptMark {
    reach: Reach,
    mark: Mark,
}

/// Owns the ledger.
#[derive(Debug)]
pub struct Actor {
    ledger: Ledger,
    credentials: Credentials,
    catalog: Arc<Catalog>,
    journal: Writer,
    zone: TimeZone,
    owner: u32,
    /// Which login each session's run was started on: what a failure of it is charged to.
    started: BTreeMap<String, (CredentialId, u64)>,
}

impl Actor {
    /// Starts it with what the journal kept (`documents` of [`DocumentKind::Cooldown`]).
    pub fn start(
        documents: &[Document],
        credentials: Credentials,
        catalog: Arc<Catalog>,
        journal: Writer,
    ) -> mpsc::Sender<FailoverCommand> {
        let kept = documents.iter().filter_map(|document| document.value.parse::<KeptMark>().ok());
        let ledger = Ledger::new(super::decide::Policy::default(), kept.map(|kept| (kept.reach, kept.mark)));
        let owner = nix::unistd::getuid().as_raw();
        let zone = TimeZone::system();
        let actor = Self { ledger, credentials, catalog, journal, zone, owner, started: BTreeMap::new() };
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(actor.run(receiver));
        sender
    }

    async fn run(mut self, mut commands: mpsc::Receiver<FailoverCommand>) {
        while let Some(command) = commands.recv().await {
            self.handle(command).await;
        }
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
            FailoverCommand::Explain { session, route, mount, failure, reply } => {
                let _ = reply
                    .send(self.explain(&session, route.as_ref(), mount.as_ref(), failure.as_deref()).await);
            }
            FailoverCommand::Forget { session } => {
                self.leave(&session).await;
                self.ledger.forget(&session);
            }
        }
    }

    async fn choose(&mut self, session: &str, route: &Route) -> Choice {
        let pool = self.pool().await;
        if let Some(missing) =
            route.mounts().iter().find(|mount| !pool.credentials.contains_key(&mount.credential))
        {
            let (provider, alias) = (missing.credential.provider(), missing.credential.alias());
            return Choice::Refused(format!(
                "use the mount {missing}: there is no credential {provider}/{alias}; register it with: posthouse credential add {provider} {alias} --home DIR"
            ));
        }
        let now = Timestamp::now();
        match self.ledger.choose(session, route, &pool, now) {
            Ok(mount) => {
                let trouble = self.ledger.last(session).map(|told| self.trouble(told));
                match self.assign(session, mount, trouble).await {
                    Ok(assignment) => Choice::On(assignment),
                    Err(why) => Choice::Refused(why),
                }
            }
            Err(obstacles) => Choice::Park(self.parking(session, &obstacles, now)),
        }
    }

    async fn report(&mut self, report: &FailureReport) -> Instruction {
        let (Some(route), Some(mount)) = (&report.route, &report.mount) else {
            return self.tell(report).await;
        };
        let pool = self.pool().await;
        let now = Timestamp::now();
        if self.outdated(&report.session, mount, &pool) {
            return self.start_anew(report, route, &pool, now).await;
        }
        let scene = Scene { session: &report.session, route, mount, now, zone: &self.zone };
        let told = match self.ledger.judge(scene, &report.observation, &pool) {
            Ok(told) => told,
            Err(verdict) => {
                self.decision(report, &harmless(&verdict), None).await;
                return Instruction::Stay { trouble: None };
            }
        };
        self.decision(report, &words(&told), Some(&told)).await;
        self.charge(&told, &pool).await;
        let trouble = self.trouble(&told);
        match &told.decision.action {
            Move::Nothing => Instruction::Stay { trouble: told.failure.class.is_auth().then_some(trouble) },
            Move::Surface => Instruction::Stay { trouble: Some(trouble) },
            Move::Wait { until } => Instruction::Retry { wait: wait(*until, now), trouble },
            Move::Park { until } => {
                self.leave(&report.session).await;
                Instruction::Park(Parking { until: Some(*until), wait: Some(wait(*until, now)), trouble })
            }
            Move::Rotate { to } | Move::NextMount { to } => {
                self.leave(&report.session).await;
                match self.assign(&report.session, to.clone(), Some(trouble.clone())).await {
                    Ok(assignment) => Instruction::Move(assignment),
                    Err(why) => {
                        tracing::error!(session = report.session, "failed to {why}");
                        Instruction::Stay { trouble: Some(trouble) }
                    }
                }
            }
        }
    }

    /// Without a route there is nowhere to go; what is seen is still told.
    async fn tell(&self, report: &FailureReport) -> Instruction {
        let verdict = super::classify::classify(&report.observation, Timestamp::now(), &self.zone);
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
            at: millis(Timestamp::now()),
        };
        Instruction::Stay { trouble: failure.corroborated.then_some(trouble) }
    }

    /// Whether the login that this run was started on has been replaced since: its failure says nothing of the new one.
    fn outdated(&self, session: &str, mount: &Mount, pool: &Pool) -> bool {
        let Some((id, generation)) = self.started.get(session) else { return false };
        let entry = pool.credentials.get(id);
        *id == mount.credential
            && entry.is_some_and(|e| {
                e.status.generation > *generation && e.status.state.is_usable(Timestamp::now())
            })
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
            Ok(mount) => match self.assign(&report.session, mount, None).await {
                Ok(assignment) => Instruction::Move(assignment),
                Err(_) => Instruction::Stay { trouble: None },
            },
            Err(obstacles) => Instruction::Park(self.parking(&report.session, &obstacles, now)),
        }
    }

    async fn turn_done(&mut self, session: &str, mount: Option<&Mount>) {
        if let Some(mount) = mount {
            self.ledger.turn_done(session, mount);
            let (id, proof, at) = (mount.credential.clone(), Proof::Use, Timestamp::now());
            self.tell_credentials(CredentialCommand::Prove { id, proof, at }).await;
        }
        let message = "the turn ended well, whatever was said in it";
        let mount = mount.map(ToString::to_string);
        self.journal_decision(session, &json!({"message": message, "move": "none", "mount": mount})).await;
    }

    async fn explain(
        &self,
        session: &str,
        route: Option<&Route>,
        mount: Option<&Mount>,
        failure: Option<&str>,
    ) -> RouteExplainResponse {
        let told = self.ledger.last(session);
        let mut answer = RouteExplainResponse {
            name: session.to_owned(),
            mounts: Vec::new(),
            trouble: told.map(|told| self.trouble(told)),
            decision: told.map(|told| Json::from(words(told))),
            lines: told.map(|told| told.decision.reason.sentence.clone()).into_iter().collect(),
        };
        let Some(route) = route else {
            answer
                .lines
                .push("the session has no route: it runs on whatever login its harness finds".to_owned());
            return answer;
        };
        let pool = self.pool().await;
        let now = Timestamp::now();
        answer.mounts =
            route.mounts().iter().map(|listed| self.explain_mount(listed, mount, &pool, now)).collect();
        if let Some(word) = failure {
            let class = serde_json::from_value::<Class>(Value::String(word.to_owned()));
            match (class, mount) {
                (Ok(class), Some(mount)) => {
                    let scene = Scene { session, route, mount, now, zone: &self.zone };
                    let decision = self.ledger.suppose(scene, class, &pool);
                    answer.lines.push(format!("supposing {word}: {}", decision.reason.sentence));
                    answer.decision = Some(Json::of(&decision));
                }
                (Err(_), _) => answer.lines.push(format!("{word} is not a failure class")),
                (_, None) => {
                    answer.lines.push("the session does not run now, so nothing can fail".to_owned())
                }
            }
        }
        answer
    }

    fn explain_mount(
        &self,
        listed: &Mount,
        current: Option<&Mount>,
        pool: &Pool,
        now: Timestamp,
    ) -> MountInfo {
        let checked = pool.check(listed, &Attempts::default(), now);
        let until = checked.as_ref().err().and_then(Unusable::reopens_at).map(|until| until.to_string());
        let reason = match &checked {
            Ok(()) => "usable".to_owned(),
            Err(why) => why.words(),
        };
        MountInfo {
            mount: listed.to_string(),
            current: current == Some(listed),
            usable: checked.is_ok(),
            reason,
            until,
        }
    }

    /// Takes the credential for a run of `session` on `mount`.
    async fn assign(
        &mut self,
        session: &str,
        mount: Mount,
        trouble: Option<Trouble>,
    ) -> Result<Assignment, String> {
        let definition = self.catalog.get(&mount.harness).map_err(|e| e.to_string())?;
        let (reply, answer) = oneshot::channel();
        self.tell_credentials(CredentialCommand::Take { id: mount.credential.clone(), reply }).await;
        let lost = |_| "take the credential: its room does not answer".to_owned();
        let Taken { generation, access } = answer.await.map_err(lost)?.map_err(|e| e.to_string())?;
        let presentation = match access {
            Access::Home(dir) => Presentation::Home(dir),
            Access::Key { secret, base_url, home } => {
                home::seed(&definition, &home, Some(&secret)).map_err(|e| e.to_string())?;
                Presentation::Key { secret, base_url, home: Some(home) }
            }
        };
        let id = mount.credential.clone();
        self.started.insert(session.to_owned(), (id.clone(), generation));
        self.tell_credentials(CredentialCommand::Use { id, session: session.to_owned(), on: true }).await;
        Ok(Assignment { mount, presentation, trouble })
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
            }
            Some(Charge::Mark { reach, .. }) => self.keep_mark(reach).await,
            None => {}
        }
    }

    async fn keep_mark(&self, reach: &Reach) {
        let Some(mark) = self.ledger.mark(reach) else { return };
        let key = serde_json::to_string(reach).unwrap_or_default();
        let kept = KeptMark { reach: reach.clone(), mark: mark.clone() };
        if let Ok(value) = DocumentValue::of(&kept) {
            let key = DocumentKey { kind: DocumentKind::Cooldown, owner: self.owner, key: key.into() };
            self.commit(vec![Op::Put(Document { key, value })]).await;
        }
    }

    fn parking(&self, session: &str, obstacles: &[(Mount, Unusable)], now: Timestamp) -> Parking {
        let until = obstacles.iter().filter_map(|(_, why)| why.reopens_at()).min();
        let list: Vec<String> =
            obstacles.iter().map(|(mount, why)| format!("{mount}: {}", why.words())).collect();
        let message = format!("no mount of the route is usable: {}", list.join("; "));
        let last = self.ledger.last(session).map(|told| self.trouble(told));
        let trouble = Trouble {
            message,
            until: until.map(|until| until.to_string()),
            at: millis(now),
            ..last.unwrap_or(Trouble {
                class: Class::Unknown.as_str().to_owned(),
                credential: None,
                message: String::new(),
                until: None,
                repair: None,
                evidence: None,
                at: 0,
            })
        };
        Parking { until, wait: until.map(|until| wait(until, now)), trouble }
    }

    fn trouble(&self, told: &Told) -> Trouble {
        let reason = &told.decision.reason;
        Trouble {
            class: reason.class.as_str().to_owned(),
            credential: Some(reason.mount.credential.to_string()),
            message: reason.sentence.clone(),
            until: reason.until.map(|until| until.to_string()),
            repair: reason.repair.as_ref().map(|repair| repair.as_str().to_owned()),
            evidence: Some(reason.evidence.as_str().to_owned()),
            at: millis(told.at),
        }
    }

    async fn pool(&self) -> Pool {
        let (reply, answer) = oneshot::channel();
        self.tell_credentials(CredentialCommand::Pool { reply }).await;
        let known = answer.await.unwrap_or_default();
        let known = known.into_iter().map(|(id, m)| (id, Known { status: m.status, renew: m.renew }));
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
                let quote: String = report.observation.body.chars().take(QUOTE).collect();
                fields.insert("seen".to_owned(), json!(quote));
            }
        }
        self.journal_decision(&report.session, &data).await;
    }

    async fn journal_decision(&self, session: &str, data: &Value) {
        let event = NewEvent {
            owner: self.owner,
            kind: EventKind::DECISION,
            subject: Subject::Named(session.into()),
            cause: None,
            actor: None,
            data: EventData::of(data).unwrap_or_default(),
            at_ms: millis(Timestamp::now()),
        };
        self.commit(vec![Op::Event(event)]).await;
    }

    async fn commit(&self, ops: Vec<Op>) {
        if let Err(e) = self.journal.commit(ops).await {
            tracing::error!("failed to journal a decision: {e}");
        }
    }
}

/// A decision as its event says it.
fn words(told: &Told) -> Value {
    let decision = &told.decision;
    let (word, to) = match &decision.action {
        Move::Nothing => ("none", None),
        Move::Wait { .. } => ("wait", None),
        Move::Rotate { to } => ("rotate", Some(to)),
        Move::NextMount { to } => ("next_mount", Some(to)),
        Move::Park { .. } => ("park", None),
        Move::Surface => ("surface", None),
    };
    json!({
        "message": decision.reason.sentence,
        "move": word,
        "to": to.map(ToString::to_string),
        "class": told.failure.class.as_str(),
        "action": told.failure.action,
        "evidence": told.failure.evidence.as_str(),
        "corroborated": told.failure.corroborated,
        "rule": told.failure.rule,
        "until": decision.reason.until,
        "repair": decision.reason.repair.as_ref().map(super::repair::Repair::as_str),
        "charge": decision.charge,
    })
}

fn harmless(verdict: &Verdict) -> Value {
    let why = match verdict {
        Verdict::NotAFailure(why) => json!(why),
        Verdict::Failure(_) => Value::Null,
    };
    json!({"message": "no failure was seen", "move": "none", "because": why})
}

fn wait(until: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or_default()
}

fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
