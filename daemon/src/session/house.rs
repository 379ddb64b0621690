//! What every session needs from the rest of the daemon.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::injection::header::MarkKey;
use super::spec::SessionRecord;
use crate::failover::command::Failover;
use crate::harness::catalog::Catalog;
use crate::harness::versions::Versions;
use crate::holder::confines::Confines;
use crate::holder::link::HolderProgram;
use crate::journal::{
    Document, DocumentKey, DocumentKind, DocumentValue, Done, Durability, EventData, EventKind, NewEvent, Op,
    Subject, Writer,
};
use crate::post::command::PostCommand;

/// Surroundings of all sessions.
#[derive(Clone, Debug)]
pub struct House {
    /// The user whose daemon this is.
    pub owner: u32,
    /// Harness definitions.
    pub catalog: Arc<Catalog>,
    /// The holder's executable.
    pub holder: HolderProgram,
    /// Where holders listen: absolute, 0700.
    pub sockets: PathBuf,
    /// Where private files of sessions are kept: absolute, 0700.
    pub private: PathBuf,
    /// The daemon's own socket, told to every run.
    pub socket: PathBuf,
    /// The program that harnesses ask for their keys, where it is beside the daemon's.
    pub helper: Option<PathBuf>,
    /// The environment that runs inherit from, after the definition's rules.
    pub outer: BTreeMap<String, String>,
    /// The secret behind the marks of header lines.
    pub marks: MarkKey,
    /// The boot of the machine, where the system names it.
    pub boot: Option<String>,
    /// Bytes of terminal output kept per run.
    pub ring: usize,
    /// What runs may take.
    pub confines: Arc<Confines>,
    /// The journal.
    pub journal: Writer,
    /// Post.
    pub post: mpsc::Sender<PostCommand>,
    /// Failover.
    pub failover: Failover,
    /// Which versions of the harnesses run here.
    pub versions: Versions,
}

impl House {
    /// Where people who asked for nothing work.
    pub fn home(&self) -> PathBuf {
        self.outer.get("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from)
    }

    /// Notes an event about a session; it is not waited for.
    pub fn event(&self, kind: &'static str, session: &str, data: &impl Serialize) {
        let op = Op::Event(self.new_event(kind, session, None, data));
        self.submit(vec![op]);
    }

    /// Stores a session's record; it is not waited for.
    pub fn store(&self, record: &SessionRecord) {
        let name = &record.spec.name;
        match DocumentValue::of(record) {
            Ok(value) => self.submit(vec![Op::Put(Document { key: self.key(name), value })]),
            Err(error) => {
                tracing::error!(session = name, %error, "a session's record does not fit the journal")
            }
        }
    }

    /// Stores a session's record and waits until it is safe from the daemon's death.
    ///
    /// # Errors
    /// What the journal said.
    pub async fn store_and_wait(&self, record: &SessionRecord) -> Result<(), String> {
        let value = DocumentValue::of(record).map_err(|e| e.to_string())?;
        let (done, stored) = tokio::sync::oneshot::channel();
        let ops = vec![Op::Put(Document { key: self.key(&record.spec.name), value })];
        self.journal.submit(ops, Durability::Relaxed, Done::Oneshot(done)).map_err(|e| e.to_string())?;
        match stored.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("write the journal: it is closed".to_owned()),
        }
    }

    /// Forgets a session.
    pub fn forget(&self, name: &str, kind: &'static str, actor: Option<&str>, data: &impl Serialize) {
        let event = Op::Event(self.new_event(kind, name, actor, data));
        self.submit(vec![Op::Delete(self.key(name)), event]);
    }

    fn key(&self, name: &str) -> DocumentKey {
        DocumentKey { kind: DocumentKind::Session, owner: self.owner, key: name.into() }
    }

    fn new_event(
        &self,
        kind: &'static str,
        session: &str,
        actor: Option<&str>,
        data: &impl Serialize,
    ) -> NewEvent {
        let data = EventData::of(data).unwrap_or_else(|error| {
            tracing::warn!(session, kind, %error, "an event's particulars were left out");
            EventData::empty()
        });
        NewEvent {
            owner: self.owner,
            kind: EventKind::new(kind),
            subject: Subject::Named(session.into()),
            cause: None,
            actor: actor.map(Into::into),
            data,
            at_ms: now_ms(),
        }
    }

    fn submit(&self, ops: Vec<Op>) {
        if let Err(error) = self.journal.submit(ops, Durability::Relaxed, Done::None) {
            tracing::error!(%error, "a session's event was lost");
        }
    }
}

/// The wall clock, Unix milliseconds.
pub fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

/// A number that nobody can foresee, evenly from all there are.
pub fn chance() -> u32 {
    let mut bytes = [0; 4];
    // Without randomness everything is due at its earliest.
    let _ = getrandom::fill(&mut bytes);
    u32::from_le_bytes(bytes)
}

/// A new id.
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}
