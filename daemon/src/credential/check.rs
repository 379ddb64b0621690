//! CHECK: looks at a credential again, and asks its provider where there is a way to. The room goes on meanwhile.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use posthouse_protocol::payload::CredentialResponse;
use tokio::sync::oneshot;

use super::actor::Actor;
use super::command::{CredentialCommand, CredentialError};
use super::http::Request;
use super::id::CredentialId;
use super::probe::{self, Outcome};
use super::record::Source;
use super::request::read;
use super::state::CredentialState;

/// Where an answer goes.
pub(super) type Reply = oneshot::Sender<Result<CredentialResponse, CredentialError>>;

impl Actor {
    pub(super) async fn check(&mut self, name: &str, reply: Reply) {
        let begun = self.begin_check(name).await;
        let (id, generation, harness, request) = match begun {
            Ok(Some(begun)) => begun,
            Ok(None) => {
                let seen = read(name).and_then(|id| self.one(&id, Some(self.seen(&id))));
                return drop(reply.send(seen));
            }
            Err(error) => return drop(reply.send(Err(error))),
        };
        let (http, desk) = (self.http.clone(), self.desk.clone());
        tokio::spawn(async move {
            let answer = http.send(request).await;
            let outcome = probe::judge(&harness, &id, answer, Timestamp::now(), &TimeZone::system());
            if let Some(desk) = desk.upgrade() {
                let _ = desk.send(CredentialCommand::Probed { id, generation, outcome, reply }).await;
            }
        });
    }

    /// The probe to be made; `None` where there is none for such a credential.
    async fn begin_check(
        &mut self,
        name: &str,
    ) -> Result<Option<(CredentialId, u64, String, Request)>, CredentialError> {
        let id = read(name)?;
        self.look(&id).await;
        let record = self.registry.get(&id).ok_or_else(|| self.unknown(&id))?;
        if matches!(record.source, Source::Home { .. }) {
            return Ok(None);
        }
        let secret = self.vault.load(&id).map_err(|e| CredentialError::bad(e.to_string()))?;
        let found = self.catalog.definitions().find_map(|definition| {
            let is_its = definition.provider.as_deref() == Some(id.provider());
            let probe = definition.credential.key_use(&secret)?.probe.as_ref()?;
            is_its.then(|| {
                (definition.name.clone(), probe::request(probe, &secret, record.base_url.as_deref()))
            })
        });
        let Some((harness, request)) = found else { return Ok(None) };
        let generation = record.status.generation;
        if !self.probing.insert(id.clone()) {
            return Err(CredentialError::bad(format!("check {id}: it is being checked already")));
        }
        Ok(Some((id, generation, harness, request)))
    }

    pub(super) async fn probed(
        &mut self,
        id: &CredentialId,
        generation: u64,
        outcome: Outcome,
    ) -> Result<CredentialResponse, CredentialError> {
        self.probing.remove(id);
        let record = self.registry.get(id).ok_or_else(|| self.unknown(id))?;
        let words = match &outcome {
            Outcome::Works => "its provider takes it".to_owned(),
            Outcome::Refused(failure) => format!("its provider refuses it: {}", failure.class.phrase()),
            Outcome::Unsure(why) => format!("the probe shows nothing: {why}"),
        };
        let next = probe::follows(&outcome, &record.status.state, Timestamp::now());
        // A key that was replaced meanwhile is another key.
        if record.status.generation == generation
            && let Some(state) = next
            && let Some(record) = self.registry.learn(id, state)
        {
            self.keep(&record, "probed", &words, "daemon").await;
        }
        self.one(id, Some(format!("{id}: {words}")))
    }

    /// What is known without asking anyone.
    fn seen(&self, id: &CredentialId) -> String {
        let Some(record) = self.registry.get(id) else { return String::new() };
        let generation = record.status.generation;
        match &record.status.state {
            CredentialState::NeedsLogin { .. } | CredentialState::Disabled { .. } => format!(
                "{id}: nothing was repaired, the login is still the one that failed (generation {generation})"
            ),
            state => format!(
                "{id}: {} (generation {generation}); a login directory is not probed, its harness refreshes it",
                state.as_str()
            ),
        }
    }
}
