//! Which versions of each harness's program have run here. One that never did is announced: what is known of a harness
//! was measured with one version, and a new one may speak of its failures in other words.
//!
//! A program is asked beside the session that runs it, once for every build of it that is found, and nothing waits for
//! the answer.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::{mpsc, watch};

use super::definition::Definition;
use super::version;
use crate::clock::Clock;
use crate::journal::{
    Document, DocumentKey, DocumentKind, DocumentValue, Done, Durability, EventData, EventKind, NewEvent, Op,
    Subject, Writer,
};

/// Programs that wait to be asked; further ones are asked when they run again.
const QUEUE: usize = 64;
/// Versions that are remembered of one harness; the oldest are forgotten first.
const REMEMBERED: usize = 64;

/// Where runs are reported.
#[derive(Clone, Debug)]
pub struct Versions {
    ran: mpsc::Sender<Ran>,
    latest: watch::Receiver<BTreeMap<String, String>>,
}

/// A harness's program was started.
#[derive(Debug)]
struct Ran {
    definition: Arc<Definition>,
    dirs: Vec<PathBuf>,
}

impl Versions {
    /// Starts the actor with what the journal kept: documents of [`DocumentKind::Harness`]. Needs a runtime.
    #[must_use]
    pub fn start(kept: &[Document], owner: u32, journal: Writer, clock: Clock) -> Self {
        let kept = kept.iter().filter_map(|document| {
            let seen = document.value.parse::<Seen>();
            let seen = seen
                .inspect_err(|e| tracing::error!(key = %document.key.key, "failed to read versions: {e}"));
            Some((document.key.key.to_string(), seen.ok()?))
        });
        let (ran, reports) = mpsc::channel(QUEUE);
        let (told, latest) = watch::channel(BTreeMap::new());
        let actor = Actor { seen: kept.collect(), asked: BTreeMap::new(), told, owner, journal, clock };
        tokio::spawn(actor.run(reports));
        Self { ran, latest }
    }

    /// A run of this harness began, with this `PATH`. Never waits.
    pub fn ran(&self, definition: &Arc<Definition>, path: &str) {
        // Of a program that nobody measured there is nothing that a new version could change.
        if definition.measured.is_none() {
            return;
        }
        let dirs = std::env::split_paths(path).collect();
        if self.ran.try_send(Ran { definition: Arc::clone(definition), dirs }).is_err() {
            tracing::debug!(harness = definition.name, "its version is asked for another time");
        }
    }

    /// The version of a harness that ran last, once it is known.
    #[must_use]
    pub fn latest(&self, harness: &str) -> Option<String> {
        self.latest.borrow().get(harness).cloned()
    }
}

/// The versions of one harness that have run here, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    versions: Vec<String>,
}

impl Seen {
    /// Remembers one; whether it is new.
    fn add(&mut self, version: &str) -> bool {
        let is_new = !self.versions.iter().any(|known| known == version);
        if is_new {
            self.versions.push(version.to_owned());
            let surplus = self.versions.len().saturating_sub(REMEMBERED);
            self.versions.drain(..surplus);
        }
        is_new
    }
}

/// A program file as it lies there; an upgrade changes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Build {
    path: PathBuf,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Build {
    /// Follows links to the file itself, as package managers move a link from version to version.
    fn of(program: &Path) -> Option<Self> {
        let path = std::fs::canonicalize(program).ok()?;
        let meta = std::fs::metadata(&path).ok()?;
        Some(Self { path, inode: meta.ino(), size: meta.size(), modified: (meta.mtime(), meta.mtime_nsec()) })
    }
}

struct Actor {
    seen: BTreeMap<String, Seen>,
    /// What each build said, so that it is asked once.
    asked: BTreeMap<Build, String>,
    told: watch::Sender<BTreeMap<String, String>>,
    owner: u32,
    journal: Writer,
    clock: Clock,
}

impl Actor {
    async fn run(mut self, mut reports: mpsc::Receiver<Ran>) {
        while let Some(ran) = reports.recv().await {
            if let Some((program, version)) = self.version_of(&ran).await {
                self.note(&ran.definition, &program, &version);
            }
        }
    }

    async fn version_of(&mut self, ran: &Ran) -> Option<(PathBuf, String)> {
        let program = version::find(ran.definition.launch.program.as_deref()?, &ran.dirs)?;
        let build = Build::of(&program)?;
        if let Some(version) = self.asked.get(&build) {
            return Some((program, version.clone()));
        }
        let said = version::ask(&program).await;
        let said = said.inspect_err(|error| tracing::info!("failed to {error}")).ok()?;
        let number = version::number(&said)?.to_owned();
        // A build that was replaced is not met again.
        self.asked.retain(|known, _| known.path != build.path);
        self.asked.insert(build, number.clone());
        Some((program, number))
    }

    fn note(&mut self, definition: &Definition, program: &Path, version: &str) {
        let harness = &definition.name;
        self.told.send_modify(|latest| drop(latest.insert(harness.clone(), version.to_owned())));
        let seen = self.seen.entry(harness.clone()).or_default();
        if !seen.add(version) {
            return;
        }
        let value = match DocumentValue::of(seen) {
            Ok(value) => value,
            Err(error) => return tracing::error!(harness, %error, "failed to remember a version"),
        };
        let key =
            DocumentKey { kind: DocumentKind::Harness, owner: self.owner, key: harness.as_str().into() };
        let measured = definition.measured.as_deref().unwrap_or_default();
        let data = json!({
            "version": version, "measured": measured, "program": program, "message": announcement(harness, version, measured),
        });
        let event = NewEvent {
            owner: self.owner,
            kind: EventKind::new("harness.version"),
            subject: Subject::Named(harness.as_str().into()),
            cause: None,
            actor: None,
            data: EventData::of(&data).unwrap_or_default(),
            at_ms: u64::try_from(self.clock.now().as_millisecond()).unwrap_or_default(),
        };
        let ops = vec![Op::Put(Document { key, value }), Op::Event(event)];
        if let Err(error) = self.journal.submit(ops, Durability::Relaxed, Done::None) {
            tracing::error!(harness, %error, "the announcement of a version was lost");
        }
    }
}

fn announcement(harness: &str, version: &str, measured: &str) -> String {
    if version == measured {
        return format!(
            "{harness} {version} runs here for the first time; it is the version its definition was measured with"
        );
    }
    format!(
        "{harness} {version} runs here for the first time; its definition was measured with {measured}, so a failure \
         may read otherwise: posthouse failure ls shows what no rule knew"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_new_once_and_memory_is_bounded() {
        let mut seen = Seen::default();
        assert!(seen.add("1.0.0") && !seen.add("1.0.0") && seen.add("1.0.1"));
        for patch in 2..200 {
            assert!(seen.add(&format!("1.0.{patch}")));
        }
        assert_eq!(seen.versions.len(), REMEMBERED);
        assert!(!seen.add("1.0.199"));
    }

    #[test]
    fn a_build_is_told_from_the_one_before_it_behind_the_same_link() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new, link) = (dir.path().join("1"), dir.path().join("2"), dir.path().join("codex"));
        std::fs::write(&old, "a").unwrap();
        std::fs::write(&new, "b").unwrap();
        std::os::unix::fs::symlink(&old, &link).unwrap();
        let before = Build::of(&link).unwrap();
        assert_eq!(Build::of(&link), Some(before.clone()));
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&new, &link).unwrap();
        assert_ne!(Build::of(&link), Some(before));
    }
}
