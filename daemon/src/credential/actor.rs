//! The owner of all credentials: takes commands, looks at logins, writes changes to the journal.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::sync::{mpsc, watch};

use super::check::Flight;
use super::command::{Access, CredentialCommand, CredentialError, Credentials, Member, Pool, Taken};
use super::http::Http;
use super::id::CredentialId;
use super::lease::Leases;
use super::login::Fingerprint;
use super::record::{Record, Source};
use super::registry::{Change, Registry, Sighting};
use super::tokens::{self, Tokens, TokensError};
use super::vault::Vault;
use crate::harness::catalog::Catalog;
use crate::harness::definition::Definition;
use crate::journal::{
    Document, DocumentKey, DocumentKind, DocumentValue, EventData, EventKind, NewEvent, Op, Subject, Writer,
};
use crate::machine;

/// Commands that may wait.
const QUEUE: usize = 256;
/// How often logins that are out of use are looked at.
const LOOKS: Duration = Duration::from_secs(5);

/// Owns the registry.
#[derive(Debug)]
pub struct Actor {
    pub(super) registry: Registry,
    pub(super) vault: Vault,
    pub(super) catalog: Arc<Catalog>,
    journal: Writer,
    owner: u32,
    changes: watch::Sender<u64>,
    pub(super) http: Http,
    /// Where a probe's end is reported. Weak, so that the room ends with those who ask it.
    pub(super) desk: mpsc::WeakSender<CredentialCommand>,
    /// Credentials that are being asked about.
    pub(super) flights: BTreeMap<CredentialId, Flight>,
    /// Logins of Posthouse's own that are being refreshed; says when that is over.
    pub(super) refreshing: BTreeMap<CredentialId, watch::Sender<bool>>,
    pub(super) leases: Leases,
    /// A look at them is on its way.
    pub(super) looking_at_leases: bool,
}

impl Actor {
    /// Starts it with what the journal kept (`documents` of [`DocumentKind::Credential`]). Unreadable documents are
    /// reported and left alone.
    pub fn start(
        documents: &[Document],
        vault: Vault,
        catalog: Arc<Catalog>,
        journal: Writer,
        http: Http,
    ) -> Credentials {
        let read = |document: &Document| match document.value.parse::<Record>() {
            Ok(record) => Some(record),
            Err(e) => {
                tracing::error!(key = %document.key.key, "failed to read a credential's record: {e}");
                None
            }
        };
        let registry = Registry::new(documents.iter().filter_map(read));
        let owner = nix::unistd::getuid().as_raw();
        let (sender, receiver) = mpsc::channel(QUEUE);
        let (changes, watched) = watch::channel(0);
        let actor = Self {
            registry,
            vault,
            catalog,
            journal,
            owner,
            changes,
            http,
            desk: sender.downgrade(),
            flights: BTreeMap::new(),
            refreshing: BTreeMap::new(),
            leases: Leases::default(),
            looking_at_leases: false,
        };
        tokio::spawn(actor.run(receiver));
        Credentials(sender, watched)
    }

    async fn run(mut self, mut commands: mpsc::Receiver<CredentialCommand>) {
        let mut looks = tokio::time::interval(LOOKS);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.handle(command).await,
                    None => return,
                },
                // Sessions may be waiting for a login that a person makes by the harness itself.
                _ = looks.tick() => self.look_at_doubtful().await,
            }
        }
    }

    /// Looks at the logins of those out of use.
    async fn look_at_doubtful(&mut self) {
        let now = Timestamp::now();
        let out = |record: &&Record| !record.status.state.is_usable(now);
        let doubtful: Vec<CredentialId> = self.registry.records().filter(out).map(|r| r.id.clone()).collect();
        for id in doubtful {
            self.look(&id).await;
        }
    }

    // A reply nobody waits for any more is not an error: the caller went away.
    async fn handle(&mut self, command: CredentialCommand) {
        match command {
            CredentialCommand::Probed { id, outcome } => self.probed(id, outcome).await,
            CredentialCommand::Refreshed { id, outcome } => self.refreshed(&id, outcome).await,
            CredentialCommand::LookAtLeases => self.look_at_leases(),
            CredentialCommand::Verify { ids } => self.verify(ids).await,
            CredentialCommand::Request { request, actor, reply } => {
                self.request(request, &actor, reply).await;
            }
            CredentialCommand::Take { id, reply } => {
                let _ = reply.send(self.take(&id).await);
            }
            CredentialCommand::Turn { id, reply } => {
                let _ = reply.send(self.turn(&id));
            }
            CredentialCommand::Pool { reply } => {
                let _ = reply.send(self.pool().await);
            }
            CredentialCommand::Charge { id, generation, state, message } => {
                if let Some(record) = self.registry.charge(&id, generation, state) {
                    self.keep(&record, "charged", &message, "daemon").await;
                }
            }
            CredentialCommand::Prove { id, proof, at } => {
                if let Some(record) = self.registry.prove(&id, proof, at) {
                    self.keep(&record, "proven", "it works", "daemon").await;
                }
            }
            CredentialCommand::Use { id, session, on } => self.registry.used(&id, session, on),
        }
    }

    async fn take(&mut self, id: &CredentialId) -> Result<Taken, CredentialError> {
        self.look(id).await;
        let Some(record) = self.registry.get(id) else { return Err(self.unknown(id)) };
        let access = match &record.source {
            Source::Home { dir } => Access::Home(dir.clone()),
            Source::Key => Access::Key {
                secret: self.vault.load(id).map_err(|e| CredentialError::bad(e.to_string()))?,
                base_url: record.base_url.clone(),
                home: self.vault.home(id),
            },
        };
        Ok(Taken { renewals: record.renewals, access })
    }

    async fn pool(&mut self) -> Pool {
        self.look_at_doubtful().await;
        let member = |record: &Record| Member {
            status: record.status.clone(),
            renew: self.renew(record),
            metered: self.is_metered(record),
            renewals: record.renewals,
        };
        self.registry.records().map(|record| (record.id.clone(), member(record))).collect()
    }

    /// Whether it is billed by use: a key is, unless the harness's definition knows keys of its kind for subscriptions.
    fn is_metered(&self, record: &Record) -> bool {
        if matches!(record.source, Source::Home { .. }) {
            return false;
        }
        let Ok(secret) = self.vault.load(&record.id) else { return true };
        let mut uses =
            self.harnesses(&record.id).filter_map(|definition| definition.credential.key_use(&secret));
        !uses.any(|how| how.subscription)
    }

    /// Looks at the login again and keeps what changed. Returns whether something did.
    pub(super) async fn look(&mut self, id: &CredentialId) -> bool {
        let Some(record) = self.registry.get(id) else { return false };
        let seen = self.fingerprint(&record.id, &record.source);
        if record.seen == seen {
            return false;
        }
        let account = match self.tokens(record) {
            // It is being written just now, and will be looked at again.
            Some(Err(TokensError::Partial { .. })) => return false,
            Some(Ok(tokens)) => tokens.facts.account,
            Some(Err(_)) | None => None,
        };
        let Some((record, change)) =
            self.registry.look(id, Sighting { seen, account, host: machine::host() })
        else {
            return false;
        };
        match change {
            Change::Login => self.keep(&record, "changed", "its login was written anew", "daemon").await,
            Change::Account { from, to } => {
                let message =
                    format!("its account changed from {from} to {to}: nothing is known of that one");
                self.keep(&record, "account_changed", &message, "daemon").await;
            }
        }
        true
    }

    /// What its login says, where the harness's definition knows how to read it. One look; blocks for a small file.
    pub(super) fn tokens(&self, record: &Record) -> Option<Result<Tokens, TokensError>> {
        let Source::Home { dir } = &record.source else { return None };
        let how = self.harnesses(&record.id).find_map(|definition| definition.credential.login.as_ref())?;
        Some(tokens::read_once(how, dir))
    }

    pub(super) fn fingerprint(&self, id: &CredentialId, source: &Source) -> Fingerprint {
        match source {
            Source::Home { dir } => Fingerprint::of(dir, &self.login_files(id)),
            Source::Key => Fingerprint::of(Path::new(""), &[]),
        }
    }

    /// The harnesses that run on accounts of a credential's provider.
    pub(super) fn harnesses<'a>(&'a self, id: &'a CredentialId) -> impl Iterator<Item = &'a Arc<Definition>> {
        self.catalog.definitions().filter(|definition| definition.provider.as_deref() == Some(id.provider()))
    }

    /// The files that hold its login, by the definitions of those.
    fn login_files(&self, id: &CredentialId) -> Vec<String> {
        self.harnesses(id).flat_map(|definition| definition.credential.login_files.iter().cloned()).collect()
    }

    pub(super) fn unknown(&self, id: &CredentialId) -> CredentialError {
        let known: Vec<String> = self.registry.records().map(|record| record.id.to_string()).collect();
        let known = if known.is_empty() {
            "none is registered".to_owned()
        } else {
            format!("known are {}", known.join(", "))
        };
        let (provider, alias) = (id.provider(), id.alias());
        CredentialError::bad(format!(
            "find the credential {id}: {known}; register it with: posthouse credential add {provider} {alias} --home DIR"
        ))
    }

    /// Journals a record and an event about its change. A journal that cannot write now does not keep the daemon from
    /// acting on what it knows; the next change writes the whole record again.
    pub(super) async fn keep(&self, record: &Record, what: &str, message: &str, actor: &str) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
        let mut ops = vec![self.event(&record.id, what, message, actor, Some(record))];
        match DocumentValue::of(record) {
            Ok(value) => ops.push(Op::Put(Document { key: self.key(&record.id), value })),
            Err(e) => tracing::error!("failed to keep credential {}: {e}", record.id),
        }
        self.commit(ops).await;
    }

    pub(super) async fn forget(&self, id: &CredentialId, actor: &str) {
        let event = self.event(id, "removed", "it was removed", actor, None);
        self.commit(vec![event, Op::Delete(self.key(id))]).await;
    }

    async fn commit(&self, ops: Vec<Op>) {
        if let Err(e) = self.journal.commit(ops).await {
            tracing::error!("failed to journal a credential's change: {e}");
        }
    }

    fn key(&self, id: &CredentialId) -> DocumentKey {
        DocumentKey { kind: DocumentKind::Credential, owner: self.owner, key: id.to_string().into() }
    }

    fn event(
        &self,
        id: &CredentialId,
        what: &str,
        message: &str,
        actor: &str,
        record: Option<&Record>,
    ) -> Op {
        let mut data = BTreeMap::from([("what", json!(what)), ("message", json!(message))]);
        if let Some(record) = record {
            data.insert("status", json!(record.status));
        }
        Op::Event(NewEvent {
            owner: self.owner,
            kind: EventKind::CREDENTIAL,
            subject: Subject::Named(id.to_string().into()),
            cause: None,
            actor: Some(actor.into()),
            data: EventData::of(&data).unwrap_or_default(),
            at_ms: u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use posthouse_protocol::payload::{Credential, CredentialResponse, CredentialSource};
    use tokio::sync::oneshot;

    use super::*;
    use crate::credential::state::{CredentialState, Why};
    use crate::failover::failure::{Class, Evidence};
    use crate::journal::{Journal, Options};

    struct Room {
        _journal: Journal,
        credentials: Credentials,
    }

    async fn open(dir: &Path) -> Room {
        let journal = Journal::open(dir, Options::default()).unwrap();
        let documents = journal.desk().ask(|r| r.documents(DocumentKind::Credential)).await.unwrap();
        let catalog = Arc::new(Catalog::builtin().unwrap());
        let http = Http::from_env(|_| None);
        let credentials =
            Actor::start(&documents, Vault::new(dir.join("keys")), catalog, journal.writer(), http);
        Room { _journal: journal, credentials }
    }

    impl Room {
        async fn ask(&self, request: Credential) -> Result<CredentialResponse, CredentialError> {
            let (reply, answer) = oneshot::channel();
            let command = CredentialCommand::Request { request, actor: "test".into(), reply };
            self.credentials.0.send(command).await.unwrap();
            answer.await.unwrap()
        }

        async fn add_home(&self, alias: &str, dir: &Path) -> Result<CredentialResponse, CredentialError> {
            let source = CredentialSource::Home { dir: dir.display().to_string() };
            let (provider, alias) = ("codex".to_owned(), alias.to_owned());
            self.ask(Credential::Add { provider, alias, source, base_url: None }).await
        }

        async fn show(&self, name: &str) -> posthouse_protocol::payload::CredentialInfo {
            self.ask(Credential::Show { name: name.into() }).await.unwrap().credentials.remove(0)
        }

        async fn kill(&self, name: &str) {
            let why =
                Why { class: Class::TokenRevoked, evidence: Evidence::Typed, at: Timestamp::UNIX_EPOCH };
            let state = CredentialState::NeedsLogin { why };
            let id = name.parse().unwrap();
            let command = CredentialCommand::Charge { id, generation: 0, state, message: "revoked".into() };
            self.credentials.0.send(command).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_dead_login_stays_dead_over_restarts_until_it_is_written_anew() {
        let state = tempfile::tempdir().unwrap();
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("auth.json"), "{}").unwrap();
        let room = open(state.path()).await;
        room.add_home("work", home.path()).await.unwrap();
        room.kill("openai/work").await;
        let shown = room.show("openai/work").await;
        assert_eq!((shown.state.as_str(), shown.generation), ("needs_login", 1));
        assert!(shown.repair.unwrap().contains("posthouse login openai/work"));
        drop(room);
        let room = open(state.path()).await;
        assert_eq!(room.show("openai/work").await.state, "needs_login");
        let checked = room.ask(Credential::Check { name: "openai/work".into() }).await.unwrap();
        assert!(checked.message.unwrap().contains("nothing was repaired"));
        std::fs::write(home.path().join("auth.json"), "{\"new\":true}").unwrap();
        let shown = room.show("openai/work").await;
        assert_eq!((shown.state.as_str(), shown.generation, shown.repair), ("unknown", 2, None));
    }

    #[tokio::test]
    async fn one_login_directory_has_one_alias_and_bad_names_are_told() {
        let state = tempfile::tempdir().unwrap();
        let home = tempfile::tempdir().unwrap();
        let room = open(state.path()).await;
        room.add_home("work", home.path()).await.unwrap();
        let twin = room.add_home("twin", home.path()).await.unwrap_err();
        assert!(twin.message.contains("registered as openai/work already"), "{twin}");
        let lost = room.add_home("lost", Path::new("/nonexistent/x")).await.unwrap_err();
        assert!(lost.message.contains("/nonexistent/x"), "{lost}");
        let unknown = room.ask(Credential::Show { name: "openai/wrok".into() }).await.unwrap_err();
        assert!(unknown.message.contains("known are openai/work"), "{unknown}");
    }

    #[tokio::test]
    async fn a_key_is_in_the_vault_and_nowhere_else() {
        let state = tempfile::tempdir().unwrap();
        let room = open(state.path()).await;
        let secret = "sk-canary-5f1e";
        let source = CredentialSource::Key { secret: secret.into() };
        let (provider, alias) = ("anthropic".to_owned(), "key".to_owned());
        room.ask(Credential::Add { provider, alias, source, base_url: None }).await.unwrap();
        let (reply, answer) = oneshot::channel();
        let id = "anthropic/key".parse().unwrap();
        room.credentials.0.send(CredentialCommand::Take { id, reply }).await.unwrap();
        let taken = answer.await.unwrap().unwrap();
        assert!(matches!(&taken.access, Access::Key { .. }));
        assert!(!format!("{taken:?}").contains(secret));
        drop(room);
        for file in ["journal.db", "journal.db-wal"] {
            let bytes = std::fs::read(state.path().join(file)).unwrap_or_default();
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{file}");
        }
    }
}
