//! The rooms, the clock, the sessions and what happens to them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use posthouse_protocol::payload::{self, Credential, CredentialSource, RouteExplainResponse};
use posthoused::clock::Clock;
use posthoused::credential::actor::Actor as CredentialActor;
use posthoused::credential::command::{CredentialCommand, Credentials};
use posthoused::credential::http::Http;
use posthoused::credential::vault::Vault;
use posthoused::failover::actor::Actor;
use posthoused::failover::command::{
    Choice, Failover, FailoverCommand, FailureReport, Homeward, Instruction,
};
use posthoused::failover::drift::shelf::Shelf;
use posthoused::harness::catalog::Catalog;
use posthoused::journal::{EventFilter, EventKind, Journal, Options, Seq};
use tokio::sync::oneshot;

use crate::agent::{Agent, State, later};
use crate::outage::{Kind, Outage};

/// Between the end of a run and the start of the next.
const START: i64 = 3;

pub struct World {
    pub agents: Vec<Agent>,
    pub outages: Vec<Outage>,
    pub moves: usize,
    pub restores: usize,
    pub unexplained: Vec<String>,
    start: Timestamp,
    time: Arc<AtomicI64>,
    failover: Failover,
    credentials: Credentials,
    journal: Journal,
    homes: tempfile::TempDir,
    _state: tempfile::TempDir,
}

impl World {
    pub async fn open(routes: &[(&str, &str)], outages: Vec<Outage>) -> Self {
        let (state, homes) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let start: Timestamp = "2026-11-16T00:00:00Z".parse().unwrap();
        let time = Arc::new(AtomicI64::new(start.as_millisecond()));
        let told = time.clone();
        let clock =
            Clock::told_by(move || Timestamp::from_millisecond(told.load(Ordering::Relaxed)).unwrap());
        let journal = Journal::open(state.path(), Options::default()).unwrap();
        let catalog = Arc::new(Catalog::builtin().unwrap());
        let vault = Vault::new(state.path().join("keys"));
        let credentials =
            CredentialActor::start(&[], vault, catalog.clone(), journal.writer(), Http::from_env(|_| None));
        let shelf = Shelf::of(state.path());
        let failover = Actor::start(&[], &[], credentials.clone(), catalog, journal.writer(), clock, shelf);
        let mut world = Self {
            agents: Vec::new(),
            outages,
            moves: 0,
            restores: 0,
            unexplained: Vec::new(),
            start,
            time,
            failover,
            credentials,
            journal,
            homes,
            _state: state,
        };
        for (provider, alias) in
            [("openai", "work"), ("openai", "personal"), ("anthropic", "max"), ("anthropic", "team")]
        {
            world.log_in(provider, alias);
            let dir = world.home(provider, alias).display().to_string();
            let source = CredentialSource::Home { dir };
            let (provider, alias) = (provider.to_owned(), alias.to_owned());
            let request = Credential::Add { provider, alias, source, base_url: None };
            let (reply, answer) = oneshot::channel();
            let command = CredentialCommand::Request { request, actor: "test".into(), reply };
            world.credentials.0.send(command).await.unwrap();
            answer.await.unwrap().unwrap();
        }
        for (name, mounts) in routes {
            let request =
                payload::Route::Set { name: (*name).into(), mounts: Some((*mounts).into()), cost: None };
            let routes = |reply| FailoverCommand::Routes { request, actor: "test".into(), reply };
            world.ask(routes).await.unwrap();
        }
        for n in 0..10 {
            let (name, _) = routes[n % routes.len()];
            let route = world.ask(|reply| FailoverCommand::Named { name: name.into(), reply }).await.unwrap();
            let mut agent = Agent::new(format!("agent-{n}"), route, start, n as u64);
            assert!(world.choose(&mut agent).await);
            world.agents.push(agent);
        }
        world
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.time.load(Ordering::Relaxed)).unwrap()
    }

    fn since_start(&self) -> SignedDuration {
        self.now().duration_since(self.start)
    }

    fn home(&self, provider: &str, alias: &str) -> PathBuf {
        self.homes.path().join(format!("{provider}-{alias}"))
    }

    /// A person logs in.
    fn log_in(&self, provider: &str, alias: &str) {
        let home = self.home(provider, alias);
        std::fs::create_dir_all(&home).unwrap();
        for file in ["auth.json", ".credentials.json"] {
            std::fs::write(home.join("new"), format!("{{\"at\":\"{}\"}}", self.now())).unwrap();
            std::fs::rename(home.join("new"), home.join(file)).unwrap();
        }
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> FailoverCommand) -> T {
        let (reply, answer) = oneshot::channel();
        self.failover.commands.send(command(reply)).await.unwrap();
        answer.await.unwrap()
    }

    /// Lets so much time pass, and then what is under way come to its end.
    pub async fn run(&mut self, length: SignedDuration) {
        let end = self.start.checked_add(length).unwrap();
        let most = end.checked_add(SignedDuration::from_hours(24)).unwrap();
        let mut repairs: Vec<(Timestamp, &'static str)> = self
            .outages
            .iter()
            .filter(|o| o.kind == Kind::Revoked)
            .map(|o| (self.start.checked_add(o.end()).unwrap(), o.place))
            .collect();
        let mut steps = 0;
        loop {
            let due =
                self.agents.iter().enumerate().filter_map(|(i, agent)| Some((agent.wakes_at()?, i))).min();
            let Some((at, who)) = due else { break };
            if let Some((when, place)) = repairs.first().copied().filter(|(when, _)| *when <= at) {
                repairs.remove(0);
                self.move_to(when);
                let (provider, alias) = place.split_once('/').unwrap();
                self.log_in(provider, alias);
                // A person looks whether it is well now.
                let (reply, answer) = oneshot::channel();
                let request = Credential::Show { name: place.into() };
                let command = CredentialCommand::Request { request, actor: "test".into(), reply };
                self.credentials.0.send(command).await.unwrap();
                answer.await.unwrap().unwrap();
            } else if at > most {
                break;
            } else {
                self.move_to(at);
                let mut agent = std::mem::replace(
                    &mut self.agents[who],
                    Agent::new("-".into(), "c@o/a".parse().unwrap(), at, 0),
                );
                self.step(&mut agent, at <= end).await;
                self.agents[who] = agent;
            }
            self.look_again().await;
            steps += 1;
            assert!(steps < 200_000, "it spins");
        }
    }

    fn move_to(&self, at: Timestamp) {
        self.time.fetch_max(at.as_millisecond(), Ordering::Relaxed);
    }

    /// Something became usable: those who wait for that look again.
    async fn look_again(&mut self) {
        // Whatever the rooms tell each other has been told once both have answered.
        let (reply, answer) = oneshot::channel();
        self.credentials.0.send(CredentialCommand::Pool { reply }).await.unwrap();
        answer.await.unwrap();
        if !self.failover.reopened.has_changed().unwrap() {
            return;
        }
        self.failover.reopened.borrow_and_update();
        let soon = later(self.now(), 1);
        for agent in &mut self.agents {
            match &mut agent.state {
                State::Parked(at) => *at = Some(at.map_or(soon, |at| at.min(soon))),
                _ if agent.mount != agent.first => {
                    agent.homeward = Some(agent.homeward.map_or(soon, |at| at.min(soon)));
                }
                _ => {}
            }
        }
    }

    async fn step(&mut self, agent: &mut Agent, sends: bool) {
        let now = self.now();
        if agent.next <= now {
            agent.next = if sends { later(now, agent.between(15, 90) * 60) } else { later(now, 1 << 30) };
            if sends {
                agent.sent += 1;
                agent.waiting += 1;
            }
        }
        match agent.state {
            State::Idle if agent.homeward.is_some_and(|at| at <= now) => self.go_home(agent).await,
            State::Idle => {}
            State::Works(at) if at <= now => self.turn_ends(agent).await,
            State::Waits(at) if at <= now => self.begin(agent),
            State::Parked(Some(at)) if at <= now => self.wake(agent).await,
            _ => {}
        }
        if agent.state == State::Idle && agent.waiting > 0 {
            self.begin(agent);
        }
    }

    async fn wake(&mut self, agent: &mut Agent) {
        if self.choose(agent).await {
            agent.tries = 0;
            agent.state = State::Idle;
        }
    }

    /// A turn begins; if something is wrong there, it fails soon.
    fn begin(&self, agent: &mut Agent) {
        let now = self.now();
        agent.tries(now);
        let broken = self.outages.iter().any(|outage| outage.strikes(&agent.mount, self.since_start()));
        let length = if broken { 8 } else { agent.between(2, 20) * 60 };
        agent.state = State::Works(later(now, length));
    }

    async fn turn_ends(&mut self, agent: &mut Agent) {
        let at = self.since_start();
        let (start, now) = (self.start, self.now());
        if let Some(outage) = self.outages.iter_mut().find(|outage| outage.strikes(&agent.mount, at)) {
            outage.hits += 1;
            let seen = outage.seen(&agent.mount, start, now);
            return self.fails(agent, seen).await;
        }
        agent.answered += 1;
        agent.waiting -= 1;
        agent.tries = 0;
        agent.state = State::Idle;
        let done =
            FailoverCommand::TurnDone { session: agent.name.clone(), mount: Some(agent.mount.clone()) };
        self.failover.commands.send(done).await.unwrap();
        self.go_home(agent).await;
    }

    async fn fails(
        &mut self,
        agent: &mut Agent,
        observation: posthoused::failover::observation::Observation,
    ) {
        let report = Box::new(FailureReport {
            session: agent.name.clone(),
            route: Some(agent.route.clone()),
            mount: Some(agent.mount.clone()),
            run: "run".into(),
            observation,
        });
        let from = agent.mount.clone();
        let now = self.now();
        let after = |wait: Duration| later(now, i64::try_from(wait.as_secs()).unwrap() + 1);
        match self.ask(|reply| FailoverCommand::Report { report, reply }).await {
            Instruction::Move(assignment) => {
                self.moves += 1;
                agent.mount = assignment.mount;
                agent.state = State::Waits(later(now, START));
                self.explained(agent, &[&from.to_string(), &agent.mount.to_string()]).await;
            }
            Instruction::Retry { wait, .. } => {
                agent.state = State::Waits(after(wait));
                self.explained(agent, &[&from.to_string(), "trying again there"]).await;
            }
            Instruction::Park(parking) => {
                agent.state = State::Parked(parking.wait.map(after));
                self.explained(agent, &[&from.to_string(), "parked until"]).await;
            }
            // What was seen was of a login that is not there any more, or condemns nobody: tried again by hand.
            Instruction::Stay { .. } | Instruction::Stuck { .. } => {
                agent.state = State::Waits(later(now, 60))
            }
        }
    }

    async fn choose(&mut self, agent: &mut Agent) -> bool {
        let (session, route) = (agent.name.clone(), agent.route.clone());
        match self.ask(|reply| FailoverCommand::Choose { session, route, reply }).await {
            Choice::On(assignment) => {
                agent.mount = assignment.mount;
                true
            }
            Choice::Park(parking) => {
                let seconds = parking.wait.map(|wait| i64::try_from(wait.as_secs()).unwrap() + 1);
                agent.state = State::Parked(seconds.map(|seconds| later(self.now(), seconds)));
                false
            }
            Choice::Refused(why) => panic!("{why}"),
        }
    }

    async fn go_home(&mut self, agent: &mut Agent) {
        agent.homeward = None;
        if agent.mount == agent.first {
            return;
        }
        let (session, route, mount) = (agent.name.clone(), agent.route.clone(), agent.mount.clone());
        match self.ask(|reply| FailoverCommand::Homeward { session, route, mount, reply }).await {
            Homeward::Stay => {}
            Homeward::Later(wait) => {
                agent.homeward = Some(later(self.now(), i64::try_from(wait.as_secs()).unwrap() + 1));
            }
            Homeward::Now(_) => {
                self.restores += 1;
                let from = agent.mount.clone();
                assert!(self.choose(agent).await, "it was told that there is a mount");
                assert_ne!(agent.mount, from, "a run was ended for nothing");
                self.explained(agent, &["going back", &from.to_string(), &agent.mount.to_string()]).await;
                agent.homeward = Some(later(self.now(), START)).filter(|_| agent.mount != agent.first);
            }
        }
    }

    /// What `route explain` says must name what happened.
    async fn explained(&mut self, agent: &Agent, words: &[&str]) {
        let (session, route) = (agent.name.clone(), Some(agent.route.clone()));
        let explain = |reply| FailoverCommand::Explain {
            session,
            route,
            mount: Some(agent.mount.clone()),
            failure: None,
            reply,
        };
        let answer: RouteExplainResponse = self.ask(explain).await;
        let told = answer.lines.join("\n");
        if !words.iter().all(|word| told.contains(word)) {
            self.unexplained.push(format!("{}: {words:?} are not in {told:?}", agent.name));
        }
    }

    /// The decisions that were journaled, by their word.
    pub async fn decisions(&self) -> BTreeMap<String, usize> {
        let owner = nix::unistd::getuid().as_raw();
        let (mut after, mut count) = (Seq(0), BTreeMap::new());
        loop {
            let filter = EventFilter::default();
            let page =
                self.journal.desk().ask(move |r| r.events(owner, after, 1_000, &filter)).await.unwrap();
            let Some(last) = page.rows.last() else { return count };
            after = last.seq;
            for event in page.rows.iter().filter(|event| event.what.kind == EventKind::DECISION) {
                let data: serde_json::Value = event.what.data.parse().unwrap();
                *count.entry(data["move"].as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
    }
}
