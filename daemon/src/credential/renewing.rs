//! What a start on a login with an access token that is over has to wait for: Posthouse refreshes its own logins first, and
//! for any other one harness after the other starts.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;

use super::actor::Actor;
use super::command::CredentialCommand;
use super::id::CredentialId;
use super::lease::Turn;
use super::record::{Record, Source};
use super::refresh::{Lineage, RefreshError, is_stale};
use super::state::{CredentialState, Proof, Why};

/// How often it is looked whether a login was written anew that others wait for.
const LOOKS: Duration = Duration::from_millis(100);

impl Actor {
    /// When a run that was just given `id` may start.
    pub(super) fn turn(&mut self, id: &CredentialId) -> Turn {
        let Some(record) = self.registry.get(id) else { return Turn::now() };
        if let Some(refreshing) = self.refreshing.get(&record.id) {
            return Turn::later(refreshing.subscribe());
        }
        let stale = self.tokens(record).and_then(Result::ok).filter(|t| is_stale(&t.facts, Timestamp::now()));
        if stale.is_none() {
            return Turn::now();
        }
        if let Some(lineage) = self.lineage(record) {
            return self.refresh(lineage);
        }
        let seen = self.fingerprint(&record.id, &record.source);
        let turn = self.leases.ask(&record.id, seen, Instant::now());
        self.look_again_at_leases();
        turn
    }

    /// The login as one of Posthouse's own; `None` where only its harness may refresh it: it is used where a person has it,
    /// or a session runs on it, whose harness has the refresh token in its memory.
    pub(super) fn lineage(&self, record: &Record) -> Option<Lineage> {
        let Source::Home { dir } = &record.source else { return None };
        if *dir != self.vault.login_home(&record.id) || !self.registry.users(&record.id).is_empty() {
            return None;
        }
        let knows = |how: &&crate::harness::login_file::LoginFile| how.renew.is_some();
        self.harnesses(&record.id).find_map(|definition| {
            let how = definition.credential.login.as_ref().filter(knows)?.clone();
            let (id, harness) = (record.id.clone(), definition.name.clone());
            Some(Lineage { id, harness, how, home: dir.clone() })
        })
    }

    fn refresh(&mut self, lineage: Lineage) -> Turn {
        let (done, turn) = watch::channel(false);
        self.refreshing.insert(lineage.id.clone(), done);
        let (http, desk) = (self.http.clone(), self.desk.clone());
        tokio::spawn(async move {
            let outcome = lineage.refresh(&http).await.map(drop);
            if let Some(desk) = desk.upgrade() {
                let _ = desk.send(CredentialCommand::Refreshed { id: lineage.id, outcome }).await;
            }
        });
        Turn::later(turn)
    }

    /// A refresh came to its end: starts on it go on, on a login that is good or in the knowledge that it is not.
    pub(super) async fn refreshed(&mut self, id: &CredentialId, outcome: Result<(), RefreshError>) {
        self.look(id).await;
        let at = Timestamp::now();
        match outcome {
            Ok(()) => {
                if let Some(record) = self.registry.prove(id, Proof::Refresh, at) {
                    self.keep(&record, "refreshed", "it has a new access token", "daemon").await;
                }
            }
            Err(RefreshError::Refused(failure)) => {
                let why = Why { class: failure.class, evidence: failure.evidence, at };
                if let Some(record) = self.registry.learn(id, CredentialState::NeedsLogin { why }) {
                    let message = format!("it could not be refreshed: {}", failure.class.phrase());
                    self.keep(&record, "refreshed", &message, "daemon").await;
                }
            }
            // Its harness will try for itself, and say what comes of it.
            Err(error) => tracing::warn!(credential = %id, "failed to {error}"),
        }
        if let Some(done) = self.refreshing.remove(id) {
            done.send_replace(true);
        }
    }

    pub(super) fn look_at_leases(&mut self) {
        self.looking_at_leases = false;
        let mut leases = std::mem::take(&mut self.leases);
        let seen = |id: &CredentialId| {
            let record = self.registry.get(id);
            record.map(|record| self.fingerprint(id, &record.source)).unwrap_or_default()
        };
        let left = leases.look(Instant::now(), seen);
        self.leases = leases;
        if left {
            self.look_again_at_leases();
        }
    }

    fn look_again_at_leases(&mut self) {
        if std::mem::replace(&mut self.looking_at_leases, true) {
            return;
        }
        let desk = self.desk.clone();
        tokio::spawn(async move {
            tokio::time::sleep(LOOKS).await;
            if let Some(desk) = desk.upgrade() {
                let _ = desk.send(CredentialCommand::LookAtLeases).await;
            }
        });
    }
}
