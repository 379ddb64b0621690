//! The stage's failover: it is played by the test. A mount's key is called as its alias.

use posthouse_protocol::payload::{Spawn, Trouble};
use posthoused::credential::lease::Turn;
use posthoused::failover::command::{
    Assignment, Choice, FailoverCommand, FailureReport, Homeward, Instruction,
};
use posthoused::failover::route::Mount;
use posthoused::harness::launch::Presentation;
use tokio::sync::oneshot;

use super::Stage;
use crate::standin::record::Entry;

/// What failover says of a mount.
pub fn assignment(stage: &Stage, mount: &str) -> Assignment {
    let mount: Mount = mount.parse().expect("a mount");
    let key = format!("key-{}", mount.credential.alias());
    let home = stage.path().join(format!("home-{}", mount.credential.alias()));
    let presentation = Presentation::Key { secret: key.into(), base_url: None, home: Some(home) };
    let trouble = Some(trouble("the key of acme/a was revoked"));
    Assignment { mount, presentation, trouble, route: None, renewals: 0, turn: Turn::now() }
}

/// What a person is told.
pub fn trouble(message: &str) -> Trouble {
    Trouble {
        class: "token_revoked".into(),
        credential: Some("acme/a".into()),
        message: message.into(),
        until: None,
        repair: Some("posthouse credential add acme a".into()),
        evidence: None,
        at: 1,
    }
}

impl Stage {
    /// Starts `agent` on a route; failover puts it on the first mount.
    pub async fn routed(&self, route: &str, task: Option<&str>) {
        let first = route.split(',').next().expect("a mount").trim();
        let spawn =
            Spawn { route: Some(route.into()), task: task.map(str::to_owned), ..self.spawn_of("agent") };
        let choose = async {
            let reply = self.next_choose().await;
            reply
                .send(Choice::On(Assignment { trouble: None, ..assignment(self, first) }))
                .expect("it waits");
        };
        let (spawned, ()) = tokio::join!(self.try_spawn(spawn), choose);
        assert_eq!(spawned.expect("a session").mount, first);
    }

    /// The next question for a mount.
    pub async fn next_choose(&self) -> oneshot::Sender<Choice> {
        loop {
            if let FailoverCommand::Choose { reply, .. } = self.next_failover().await {
                return reply;
            }
        }
    }

    /// The next report of a failure.
    pub async fn next_report(&self) -> (FailureReport, oneshot::Sender<Instruction>) {
        loop {
            if let FailoverCommand::Report { report, reply } = self.next_failover().await {
                return (*report, reply);
            }
        }
    }

    /// The next question whether to go back.
    pub async fn next_homeward(&self) -> oneshot::Sender<Homeward> {
        loop {
            if let FailoverCommand::Homeward { reply, .. } = self.next_failover().await {
                return reply;
            }
        }
    }

    /// Something became usable.
    pub fn reopen(&self) {
        self.reopened.send_modify(|count| *count += 1);
    }

    /// Plays a failover that knows one usable mount, until `what` has happened.
    pub async fn with_only<T>(&self, mount: &str, what: impl Future<Output = T>) -> T {
        let play = async {
            loop {
                let there = assignment(self, mount);
                // Whoever asked may have died.
                match self.next_failover().await {
                    FailoverCommand::Choose { reply, .. } => drop(reply.send(Choice::On(there))),
                    FailoverCommand::Report { reply, .. } => drop(reply.send(Instruction::Move(there))),
                    _ => {}
                }
            }
        };
        tokio::select! {
            () = play => unreachable!("it plays on"),
            outcome = what => outcome,
        }
    }

    /// From now on the provider refuses this key, and no other.
    pub fn revoke(&self, key: &str) {
        std::fs::write(self.path().join("revoked"), format!("{key}\n")).expect("a list of revoked keys");
    }

    /// The bodies that reached the harness under a key.
    pub fn under(&self, key: &str) -> Vec<String> {
        let body = |entry: &Entry| {
            entry.text.split_once('\n').map_or(entry.text.clone(), |(_, body)| body.to_owned())
        };
        self.received().iter().filter(|entry| entry.key == key).map(body).collect()
    }
}
