//! What people ask of credentials: add, list, show, check, remove.

use std::path::{Path, PathBuf};

use posthouse_protocol::Later;
use posthouse_protocol::payload::{
    Credential, CredentialInfo, CredentialResponse, CredentialSource, LoginInfo,
};
use secrecy::SecretString;

use super::actor::Actor;
use super::check::Reply;
use super::command::CredentialError;
use super::id::CredentialId;
use super::record::{Record, Source};
use super::registry::Sighting;
use super::repair;
use super::state::CredentialState;
use crate::machine;

impl Actor {
    /// Answers at once, but for CHECK, which takes its time beside the room.
    pub(super) async fn request(&mut self, request: Credential, actor: &str, reply: Reply) {
        let answer = match request {
            Credential::Add { provider, alias, source, base_url } => {
                let id =
                    CredentialId::new(&provider, &alias).map_err(|e| CredentialError::bad(e.to_string()));
                match id {
                    Ok(id) => self.add(id, source, base_url, actor).await,
                    Err(why) => Err(why),
                }
            }
            Credential::List => {
                let ids: Vec<CredentialId> =
                    self.registry.records().map(|record| record.id.clone()).collect();
                for id in &ids {
                    self.look(id).await;
                }
                let credentials = self.registry.records().map(|record| self.info(record)).collect();
                Ok(CredentialResponse { credentials, message: None, more: None })
            }
            Credential::Show { name } => match read(&name) {
                Ok(id) => {
                    self.look(&id).await;
                    self.one(&id, None)
                }
                Err(why) => Err(why),
            },
            Credential::Check { name } => return self.check(&name, reply).await,
            Credential::Login { name, home, device } => self.begin_login(&name, home, device, actor).await,
            Credential::LoginEnded { name, device, failed, said } => {
                self.end_login(&name, device, failed, &said, actor).await
            }
            Credential::Remove { name } => match read(&name) {
                Ok(id) => self.remove(&id, actor).await,
                Err(why) => Err(why),
            },
        };
        // Nobody may wait for it any more.
        let _ = reply.send(answer);
    }

    pub(super) async fn add(
        &mut self,
        id: CredentialId,
        source: CredentialSource,
        base_url: Option<String>,
        actor: &str,
    ) -> Result<CredentialResponse, CredentialError> {
        let source = match source {
            CredentialSource::Home { dir } if base_url.is_some() => {
                return Err(CredentialError::bad(format!(
                    "register {id}: the endpoint of the login in {dir} is set in its own configuration, not with --base-url"
                )));
            }
            CredentialSource::Home { dir } => Source::Home { dir: self.home(&id, &dir)? },
            CredentialSource::Key { secret } => {
                let stored = self.vault.store(&id, &SecretString::from(secret));
                stored.map_err(|e| CredentialError::internal(e.to_string()))?;
                Source::Key
            }
        };
        let seen = self.fingerprint(&id, &source);
        let sighting = Sighting { seen, account: None, host: machine::host() };
        let mut record = self.registry.add(id.clone(), source, base_url, sighting);
        if let Some(Ok(tokens)) = self.tokens(&record) {
            let account = tokens.facts.account;
            record = self.registry.change(&id, |record| record.account = account).unwrap_or(record);
        }
        self.keep(&record, "added", "it was registered", actor).await;
        self.one(&id, Some(format!("registered {id}; use it in a route as {}", self.example(&id))))
    }

    /// One login directory is one lineage of tokens: two aliases for it would bench each other's twin.
    fn home(&self, id: &CredentialId, dir: &str) -> Result<PathBuf, CredentialError> {
        let bad = |why: String| CredentialError::bad(format!("register {id}: {why}"));
        let given = Path::new(dir);
        if !given.is_absolute() {
            return Err(bad(format!("{dir} is not an absolute path")));
        }
        let real = given.canonicalize().map_err(|e| bad(format!("{dir}: {e}")))?;
        if !real.is_dir() {
            return Err(bad(format!("{dir} is not a directory")));
        }
        let twin = self.registry.records().find(|record| match &record.source {
            Source::Home { dir } => record.id != *id && *dir == real,
            Source::Key => false,
        });
        match twin {
            Some(twin) => Err(bad(format!("{dir} is registered as {} already", twin.id))),
            None => Ok(real),
        }
    }

    async fn remove(
        &mut self,
        id: &CredentialId,
        actor: &str,
    ) -> Result<CredentialResponse, CredentialError> {
        if self.registry.get(id).is_none() {
            return Err(self.unknown(id));
        }
        let users = self.registry.users(id);
        if !users.is_empty() {
            let list = users.join(", ");
            return Err(CredentialError::bad(format!("remove {id}: {list} runs on it; release that first")));
        }
        self.vault.delete(id).map_err(|e| CredentialError::internal(e.to_string()))?;
        self.registry.remove(id);
        self.forget(id, actor).await;
        Ok(CredentialResponse { credentials: Vec::new(), message: Some(format!("removed {id}")), more: None })
    }

    pub(super) fn one(
        &self,
        id: &CredentialId,
        message: Option<String>,
    ) -> Result<CredentialResponse, CredentialError> {
        let record = self.registry.get(id).ok_or_else(|| self.unknown(id))?;
        Ok(CredentialResponse { credentials: vec![self.info(record)], message, more: None })
    }

    fn info(&self, record: &Record) -> CredentialInfo {
        let state = &record.status.state;
        let (home, kind) = match &record.source {
            Source::Home { dir } => (Some(dir.display().to_string()), "home"),
            Source::Key => (None, "key"),
        };
        let why = match state {
            CredentialState::Cooling { why, unproven, .. } => {
                let doubt = if *unproven { ", unproven" } else { "" };
                Some(format!(
                    "{} ({}, evidence: {}{doubt})",
                    why.class.phrase(),
                    why.class.as_str(),
                    why.evidence.as_str()
                ))
            }
            CredentialState::NeedsLogin { why } | CredentialState::Disabled { why } => Some(format!(
                "{} ({}, evidence: {})",
                why.class.phrase(),
                why.class.as_str(),
                why.evidence.as_str()
            )),
            _ => None,
        };
        let proven_at = match state {
            CredentialState::Valid { at, .. } => u64::try_from(at.as_millisecond()).ok(),
            _ => None,
        };
        CredentialInfo {
            provider: record.id.provider().to_owned(),
            alias: record.id.alias().to_owned(),
            kind: kind.to_owned(),
            home,
            base_url: record.base_url.clone(),
            state: state.as_str().to_owned(),
            generation: record.status.generation,
            why,
            until: state.reopens_at().map(|until| until.to_string()),
            proven_at,
            sessions: self.registry.users(&record.id),
            repair: self.repair(record),
            login: Later(self.login_info(record)),
            verified_by: Later(match state {
                CredentialState::Valid { proof, .. } => Some(proof.as_str().to_owned()),
                _ => None,
            }),
        }
    }

    /// What its login says of itself, if it can be read just now.
    fn login_info(&self, record: &Record) -> Option<LoginInfo> {
        let facts = self.tokens(record)?.ok()?.facts;
        Some(LoginInfo {
            account: facts.account.map(|account| account.shown),
            plan: facts.plan,
            expires_at: facts.expires.and_then(|at| u64::try_from(at.as_millisecond()).ok()),
            renewable: facts.renewable,
            host: record.host.clone(),
        })
    }

    fn repair(&self, record: &Record) -> Option<String> {
        let auth = match &record.status.state {
            CredentialState::NeedsLogin { .. } | CredentialState::Disabled { .. } => true,
            CredentialState::Cooling { why, .. } => why.class.is_auth(),
            _ => false,
        };
        self.renew(record).filter(|_| auth)
    }

    /// The exact command that makes a new login or key.
    pub(super) fn renew(&self, record: &Record) -> Option<String> {
        match &record.source {
            Source::Home { .. } => self.logs_in(&record.id).map(|_| repair::login(&record.id)),
            Source::Key => Some(repair::key(&record.id)),
        }
    }

    fn example(&self, id: &CredentialId) -> String {
        let first = self.harnesses(id).next();
        format!("{}@{id}", first.map_or("HARNESS", |definition| definition.name.as_str()))
    }
}

pub(super) fn read(name: &str) -> Result<CredentialId, CredentialError> {
    name.parse().map_err(|e: super::id::NameError| CredentialError::bad(e.to_string()))
}
