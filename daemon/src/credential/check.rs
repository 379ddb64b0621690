//! CHECK: looks at a credential again, and asks its provider where there is a way to. The room goes on meanwhile.

use jiff::Timestamp;
use posthouse_protocol::Json;
use posthouse_protocol::payload::CredentialResponse;
use serde_json::json;
use tokio::sync::oneshot;

use super::actor::Actor;
use super::command::{CredentialCommand, CredentialError};
use super::errand::{Errand, Target};
use super::id::CredentialId;
use super::login::Fingerprint;
use super::probe::{self, Outcome};
use super::record::{Record, Source};
use super::request::read;
use super::state::CredentialState;

/// Where an answer goes.
pub(super) type Reply = oneshot::Sender<Result<CredentialResponse, CredentialError>>;

/// How often a provider is asked again because the login was written anew meanwhile.
const AGAIN: u8 = 2;

/// A probe on its way.
#[derive(Debug)]
pub(super) struct Flight {
    about: About,
    /// How often it may set out once more.
    again: u8,
    waiting: Vec<Reply>,
}

/// Exactly which login or key is asked about: what is found out says nothing of another one.
#[derive(Debug, PartialEq, Eq)]
struct About {
    generation: u64,
    seen: Fingerprint,
}

impl Actor {
    /// Whoever asks while the provider is being asked gets the same answer.
    pub(super) async fn check(&mut self, name: &str, reply: Reply) {
        match read(name) {
            Ok(id) => match self.flights.get_mut(&id) {
                Some(flight) => flight.waiting.push(reply),
                None => self.set_out(id, AGAIN, vec![reply]).await,
            },
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// Asks about credentials though nobody waits to hear of it; what is found out is kept all the same.
    pub(super) async fn verify(&mut self, ids: Vec<CredentialId>) {
        for id in ids {
            if !self.flights.contains_key(&id) {
                self.set_out(id, AGAIN, Vec::new()).await;
            }
        }
    }

    async fn set_out(&mut self, id: CredentialId, again: u8, waiting: Vec<Reply>) {
        let errand = match self.errand(&id).await {
            Ok(Some(errand)) => errand,
            Ok(None) => {
                let seen = self.one(&id, Some(self.seen(&id)));
                return answer(waiting, &seen.map(|seen| with(seen, json!({ "asked": false }))));
            }
            Err(error) => return answer(waiting, &Err(error)),
        };
        let Some(about) = self.about(&id) else { return answer(waiting, &Err(self.unknown(&id))) };
        self.flights.insert(id.clone(), Flight { about, again, waiting });
        let (http, desk) = (self.http.clone(), self.desk.clone());
        tokio::spawn(async move {
            let outcome = errand.run(&http).await;
            if let Some(desk) = desk.upgrade() {
                let _ = desk.send(CredentialCommand::Probed { id, outcome }).await;
            }
        });
    }

    /// The errand to be run; `None` where nobody can be asked about such a credential.
    async fn errand(&mut self, id: &CredentialId) -> Result<Option<Errand>, CredentialError> {
        self.look(id).await;
        let record = self.registry.get(id).ok_or_else(|| self.unknown(id))?;
        let target = self.target(record)?;
        Ok(target.map(|(harness, target)| Errand { id: id.clone(), harness, target }))
    }

    fn about(&self, id: &CredentialId) -> Option<About> {
        let record = self.registry.get(id)?;
        let seen = self.fingerprint(&record.id, &record.source);
        Some(About { generation: record.status.generation, seen })
    }

    fn target(&self, record: &Record) -> Result<Option<(String, Target)>, CredentialError> {
        let id = &record.id;
        let dir = match &record.source {
            Source::Home { dir } => dir,
            Source::Key => {
                let secret = self.vault.load(id).map_err(|e| CredentialError::bad(e.to_string()))?;
                return Ok(self.harnesses(id).find_map(|definition| {
                    let probe = definition.credential.key_use(&secret)?.probe.as_ref()?;
                    let request = probe::request(probe, &secret, record.base_url.as_deref(), None);
                    Some((definition.name.clone(), Target::Key(request)))
                }));
            }
        };
        Ok(self.harnesses(id).find_map(|definition| {
            let how = Box::new(definition.credential.login.clone()?);
            let own = self.lineage(record).map(Box::new);
            Some((definition.name.clone(), Target::Login { how, home: dir.clone(), own }))
        }))
    }

    /// A probe came back.
    pub(super) async fn probed(&mut self, id: CredentialId, outcome: Outcome) {
        let Some(Flight { about, again, waiting }) = self.flights.remove(&id) else { return };
        // A login that was written anew meanwhile, or a key that was replaced, is another one.
        if self.about(&id).is_some_and(|now| now != about) && again > 0 {
            return self.set_out(id, again - 1, waiting).await;
        }
        let told = self.take_over(&id, &about, outcome).await;
        answer(waiting, &told);
    }

    async fn take_over(
        &mut self,
        id: &CredentialId,
        about: &About,
        outcome: Outcome,
    ) -> Result<CredentialResponse, CredentialError> {
        let record = self.registry.get(id).ok_or_else(|| self.unknown(id))?;
        let same = self.about(id).is_some_and(|now| now == *about);
        let outcome =
            if same { outcome } else { Outcome::Unsure("it changed while it was asked about".to_owned()) };
        let words = match &outcome {
            Outcome::Works => "its provider takes it".to_owned(),
            Outcome::Absent(why) => format!("failed to {why}"),
            Outcome::Refused(failure) => format!("its provider refuses it: {}", failure.class.phrase()),
            Outcome::Unsure(why) => format!("the probe shows nothing: {why}"),
        };
        if let Some(state) = probe::follows(&outcome, &record.status.state, Timestamp::now())
            && let Some(record) = self.registry.learn(id, state)
        {
            self.keep(&record, "probed", &words, "daemon").await;
        }
        let left = match &outcome {
            Outcome::Unsure(_) => self.left_as_it_was(id),
            _ => String::new(),
        };
        let found = self.one(id, Some(format!("{id}: {words}{left}")))?;
        Ok(with(found, json!({ "asked": true, "works": outcome == Outcome::Works })))
    }

    /// What to add where nothing was found out about a login that failed.
    fn left_as_it_was(&self, id: &CredentialId) -> String {
        let dead = self.registry.get(id).filter(|record| {
            let state = &record.status.state;
            matches!(state, CredentialState::NeedsLogin { .. } | CredentialState::Disabled { .. })
        });
        dead.map_or_else(String::new, |record| {
            let generation = record.status.generation;
            format!("; nothing was repaired, it is still the one that failed (generation {generation})")
        })
    }

    /// What is known without asking anyone.
    fn seen(&self, id: &CredentialId) -> String {
        let Some(record) = self.registry.get(id) else { return String::new() };
        format!(
            "{id}: {} (generation {}); there is nothing that its provider could be asked{}",
            record.status.state.as_str(),
            record.status.generation,
            self.left_as_it_was(id)
        )
    }
}

/// The answer with what programs want to know of it.
fn with(answer: CredentialResponse, more: serde_json::Value) -> CredentialResponse {
    CredentialResponse { more: Some(Json::from(more)), ..answer }
}

/// Tells everyone who waits. Whoever went away is not told.
fn answer(waiting: Vec<Reply>, answer: &Result<CredentialResponse, CredentialError>) {
    for reply in waiting {
        let _ = reply.send(answer.clone());
    }
}
