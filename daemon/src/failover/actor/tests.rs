//! The actor with the real credential room and a real journal: what it answers, whom it charges, what it journals.

use std::path::Path;

use posthouse_protocol::payload::{Credential, CredentialSource};

use super::*;
use crate::credential::actor::Actor as CredentialActor;
use crate::credential::http::Http;
use crate::credential::vault::Vault;
use crate::failover::observation::{Channel, Observation};
use crate::journal::{DocumentKind, EventFilter, Journal, Options, Seq};

const ROUTE: &str = "codex@openai/work, codex@openai/spare, claude@anthropic/max";

struct Rooms {
    journal: Journal,
    credentials: Credentials,
    failover: mpsc::Sender<FailoverCommand>,
    _homes: tempfile::TempDir,
}

async fn rooms(dir: &Path) -> Rooms {
    let rooms = reopened(dir).await;
    for (provider, alias) in [("openai", "work"), ("openai", "spare"), ("anthropic", "max")] {
        let home = rooms._homes.path().join(alias);
        std::fs::create_dir(&home).unwrap();
        let source = CredentialSource::Home { dir: home.display().to_string() };
        let (provider, alias) = (provider.to_owned(), alias.to_owned());
        let request = Credential::Add { provider, alias, source, base_url: None };
        let (reply, answer) = oneshot::channel();
        let command = CredentialCommand::Request { request, actor: "test".into(), reply };
        rooms.credentials.0.send(command).await.unwrap();
        answer.await.unwrap().unwrap();
    }
    rooms
}

/// The rooms on whatever an earlier daemon left.
async fn reopened(dir: &Path) -> Rooms {
    let journal = Journal::open(dir, Options::default()).unwrap();
    let desk = journal.desk();
    let kept = desk.ask(|r| r.documents(DocumentKind::Credential)).await.unwrap();
    let cooldowns = desk.ask(|r| r.documents(DocumentKind::Cooldown)).await.unwrap();
    let catalog = Arc::new(Catalog::builtin().unwrap());
    let vault = Vault::new(dir.join("keys"));
    let credentials =
        CredentialActor::start(&kept, vault, catalog.clone(), journal.writer(), Http::from_env(|_| None));
    let routes = desk.ask(|r| r.documents(DocumentKind::Route)).await.unwrap();
    let clock = Clock::system();
    let shelf = Shelf::of(dir);
    let failover =
        Actor::start(&cooldowns, &routes, credentials.clone(), catalog, journal.writer(), clock, shelf);
    let failover = failover.commands;
    let homes = tempfile::tempdir().unwrap();
    Rooms { journal, credentials, failover, _homes: homes }
}

impl Rooms {
    async fn choose(&self) -> Choice {
        let (reply, answer) = oneshot::channel();
        let (session, route) = ("builder".to_owned(), ROUTE.parse().unwrap());
        self.failover.send(FailoverCommand::Choose { session, route, reply }).await.unwrap();
        answer.await.unwrap()
    }

    async fn report(&self, mount: &str, observation: Observation) -> Instruction {
        let (reply, answer) = oneshot::channel();
        let (route, mount) = (Some(ROUTE.parse().unwrap()), Some(mount.parse().unwrap()));
        let report = Box::new(FailureReport {
            session: "builder".into(),
            route,
            mount,
            run: "run".into(),
            observation,
        });
        self.failover.send(FailoverCommand::Report { report, reply }).await.unwrap();
        answer.await.unwrap()
    }

    async fn state(&self, name: &str) -> String {
        let (reply, answer) = oneshot::channel();
        let request = Credential::Show { name: name.into() };
        let command = CredentialCommand::Request { request, actor: "test".into(), reply };
        self.credentials.0.send(command).await.unwrap();
        answer.await.unwrap().unwrap().credentials.remove(0).state
    }

    async fn decisions(&self) -> Vec<Value> {
        let (owner, filter) = (nix::unistd::getuid().as_raw(), EventFilter::default());
        let events = self.journal.desk().ask(move |r| r.events(owner, Seq(0), 100, &filter)).await.unwrap();
        let decisions = events.rows.iter().filter(|event| event.what.kind == EventKind::DECISION);
        decisions.map(|event| event.what.data.parse().unwrap()).collect()
    }
}

fn typed() -> Observation {
    let mut seen = Observation::new(
        "codex",
        Channel::Http,
        r#"{"error":{"message":"used","type":"invalid_request_error","code":"refresh_token_reused"}}"#,
    );
    seen.status = Some(401);
    seen.endpoint = Some(crate::failover::observation::Endpoint::Token);
    seen
}

fn text(line: &str, corroborated: bool) -> Observation {
    let mut seen = Observation::new("codex", Channel::Terminal, line);
    seen.corroboration.osc_error = corroborated;
    seen
}

const DEAD: &str = "■ Your access token could not be refreshed because your refresh token was already used. Please log out and sign in again.";

#[tokio::test]
async fn a_typed_death_moves_on_and_stays_dead_over_restarts() {
    let state = tempfile::tempdir().unwrap();
    let rooms = rooms(state.path()).await;
    assert!(matches!(rooms.choose().await, Choice::On(on) if on.mount.to_string() == "codex@openai/work"));
    let moved = rooms.report("codex@openai/work", typed()).await;
    let Instruction::Move(to) = moved else { panic!("{moved:?}") };
    assert_eq!(to.mount.to_string(), "codex@openai/spare");
    assert!(to.trouble.unwrap().repair.unwrap().contains("posthouse login openai/work"));
    assert_eq!(rooms.state("openai/work").await, "needs_login");
    assert!(matches!(rooms.choose().await, Choice::On(on) if on.mount.to_string() == "codex@openai/spare"));
    let decisions = rooms.decisions().await;
    assert_eq!(decisions.len(), 1);
    assert_eq!(
        (&decisions[0]["move"], &decisions[0]["to"]),
        (&json!("rotate"), &json!("codex@openai/spare"))
    );
}

#[tokio::test]
async fn bare_words_move_nothing_and_borne_out_words_condemn_nothing() {
    let state = tempfile::tempdir().unwrap();
    let rooms = rooms(state.path()).await;
    rooms.choose().await;
    let stayed = rooms.report("codex@openai/work", text(DEAD, false)).await;
    assert!(matches!(stayed, Instruction::Stay { .. }), "{stayed:?}");
    assert_eq!(rooms.state("openai/work").await, "unknown");
    let moved = rooms.report("codex@openai/work", text(DEAD, true)).await;
    assert!(matches!(moved, Instruction::Move(_)), "{moved:?}");
    assert_eq!(rooms.state("openai/work").await, "cooling", "text alone never declares a login dead");
    let quoted = rooms.report("codex@openai/spare", text("the log says: refresh_token_reused", true)).await;
    assert!(matches!(quoted, Instruction::Stay { .. }), "{quoted:?}");
}

#[tokio::test]
async fn with_nothing_left_the_session_is_parked_until_the_earliest_reset() {
    let state = tempfile::tempdir().unwrap();
    let rooms = rooms(state.path()).await;
    rooms.choose().await;
    let in_an_hour = Timestamp::now().as_second() + 3600;
    let spent = |harness: &str, at: i64| {
        let body =
            format!(r#"{{"error":{{"type":"usage_limit_reached","message":"spent","resets_at":{at}}}}}"#);
        let mut seen = Observation::new(harness, Channel::Http, body);
        seen.status = Some(429);
        seen
    };
    rooms.report("codex@openai/work", spent("codex", in_an_hour + 3600)).await;
    rooms.report("codex@openai/spare", spent("codex", in_an_hour)).await;
    let mut dead = Observation::new(
        "claude",
        Channel::Http,
        r#"{"type":"error","error":{"type":"permission_error","message":"OAuth token has been revoked. Please obtain a new token."}}"#,
    );
    dead.status = Some(403);
    let parked = rooms.report("claude@anthropic/max", dead).await;
    let Instruction::Park(parking) = parked else { panic!("{parked:?}") };
    let until = parking.until.unwrap().as_second();
    assert!((in_an_hour..in_an_hour + 300).contains(&until), "{until} vs {in_an_hour}");
    assert!(matches!(rooms.choose().await, Choice::Park(_)));
}

#[tokio::test]
async fn an_unknown_credential_on_a_route_is_refused_with_the_command_that_adds_it() {
    let state = tempfile::tempdir().unwrap();
    let rooms = rooms(state.path()).await;
    let (reply, answer) = oneshot::channel();
    let route = "codex@openai/nobody".parse().unwrap();
    rooms.failover.send(FailoverCommand::Choose { session: "x".into(), route, reply }).await.unwrap();
    let Choice::Refused(why) = answer.await.unwrap() else { panic!() };
    assert!(why.contains("posthouse credential add openai nobody"), "{why}");
}

#[tokio::test]
async fn foreign_429_does_not_rotate() {
    let state = tempfile::tempdir().unwrap();
    let rooms = rooms(state.path()).await;
    rooms.choose().await;
    let moved = rooms.report("codex@openai/work", typed()).await;
    assert!(matches!(moved, Instruction::Move(_)), "{moved:?}");
    let limit = r#"{"error":{"type":"usage_limit_reached","message":"spent","resets_in_seconds":7200}}"#;
    let mut late = Observation::new("codex", Channel::Http, limit);
    late.status = Some(429);
    late.credential = Some("openai/work".parse().unwrap());
    let stayed = rooms.report("codex@openai/spare", late).await;
    assert!(matches!(stayed, Instruction::Stay { .. }), "it was sent with another credential: {stayed:?}");
    assert_eq!(rooms.state("openai/spare").await, "unknown");
    let mut foreign = Observation::new(
        "codex",
        Channel::Jsonl,
        r#"{"type":"item.completed","item":{"type":"command_execution","command":"curl -i api.github.com","aggregated_output":"HTTP/2 429 rate limit exceeded"}}"#,
    );
    foreign.exit = None;
    let stayed = rooms.report("codex@openai/spare", foreign).await;
    assert!(matches!(stayed, Instruction::Stay { .. }), "a tool was limited: {stayed:?}");
    assert_eq!(rooms.state("openai/spare").await, "unknown");
}

#[tokio::test]
async fn cooldown_survives_restart_and_all_parked_uses_least_parked() {
    let state = tempfile::tempdir().unwrap();
    let hours = |n: i64| {
        let body = format!(
            r#"{{"error":{{"type":"usage_limit_reached","message":"spent","resets_at":{}}}}}"#,
            Timestamp::now().as_second() + n * 3600
        );
        let mut seen = Observation::new("codex", Channel::Http, body);
        seen.status = Some(429);
        seen
    };
    {
        let rooms = rooms(state.path()).await;
        rooms.choose().await;
        rooms.report("codex@openai/work", hours(5)).await;
        rooms.report("codex@openai/spare", hours(2)).await;
        let Instruction::Park(parking) = rooms.report("claude@anthropic/max", hours(3)).await else {
            panic!()
        };
        let wait = parking.wait.unwrap().as_secs();
        assert!((7_190..7_300).contains(&wait), "the one that opens first: {wait}");
    }
    let rooms = reopened(state.path()).await;
    let Choice::Park(parking) = rooms.choose().await else { panic!("a restart forgets nothing") };
    let wait = parking.wait.unwrap().as_secs();
    assert!((7_180..7_300).contains(&wait), "{wait}");
    assert_eq!(rooms.state("openai/work").await, "cooling");
}

#[tokio::test]
async fn failures_in_a_row_are_counted_over_restarts_until_two_turns_end_well() {
    let state = tempfile::tempdir().unwrap();
    let kept = async |rooms: &Rooms| {
        let documents = rooms.journal.desk().ask(|r| r.documents(DocumentKind::Cooldown)).await.unwrap();
        let kept = documents.iter().filter_map(|document| document.value.parse::<Kept>().ok());
        kept.filter_map(|kept| match kept {
            Kept::Strikes { credential, strikes } => Some((credential.to_string(), strikes)),
            Kept::Mark { .. } => None,
        })
        .collect::<Vec<_>>()
    };
    {
        let rooms = rooms(state.path()).await;
        rooms.choose().await;
        rooms.report("codex@openai/work", typed()).await;
        assert_eq!(kept(&rooms).await, [("openai/work".to_owned(), 1)]);
    }
    let rooms = reopened(state.path()).await;
    // A ledger that had forgotten them would have nothing to strike out.
    for left in [1, 0] {
        let mount = Some("codex@openai/work".parse().unwrap());
        let done = FailoverCommand::TurnDone { session: "builder".into(), mount };
        rooms.failover.send(done).await.unwrap();
        rooms.choose().await;
        assert_eq!(kept(&rooms).await.len(), left);
    }
}
