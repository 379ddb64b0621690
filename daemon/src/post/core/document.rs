//! What the journal keeps of a name, so that it, its channels and its resume token outlive the daemon.

use posthouse_protocol::payload::AgentInfo;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::commits::Then;
use super::directory::{Entry, Identity};
use super::receipt::REWRITE;
use super::timer::Due;
use super::{Core, NameId};
use crate::journal::{Document, DocumentKey, DocumentKind, DocumentValue, Op};

/// The document of one name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct NameDocument {
    #[serde(default)]
    session_id: String,
    /// Hash of the resume token, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(default)]
    person: bool,
    #[serde(default)]
    channels: Vec<String>,
    info: AgentInfo,
}

impl NameDocument {
    fn of(entry: &Entry) -> Self {
        Self {
            session_id: entry.identity.session_id.clone(),
            token: entry.identity.token.as_ref().map(|hash| hex(hash)),
            person: entry.identity.person,
            channels: entry.channels.iter().map(|channel| channel.to_string()).collect(),
            info: entry.info.clone(),
        }
    }

    /// Makes `entry` what it was.
    pub fn restore(self, entry: &mut Entry) {
        let token = self.token.as_deref().and_then(unhex);
        entry.identity = Identity { session_id: self.session_id, token, person: self.person };
        entry.channels = self.channels.into_iter().map(Into::into).collect();
        entry.info = self.info;
    }
}

/// How long a name that has just come in may wait for the journal, in milliseconds.
const SOON: u64 = 100;

impl Core {
    /// Journals what is to be kept of a name together with whatever is journaled next, and soon at the latest. What the
    /// daemon has acknowledged thus never names anybody whom the journal does not know; and a client that comes and says
    /// nothing, as most that come in crowds do, costs no commit of its own. A daemon that is killed before it has no
    /// more to forget than a resume token.
    pub(super) fn keep_soon(&mut self, name: NameId) {
        self.keep_within(name, SOON);
    }

    fn keep_within(&mut self, name: NameId, ms: u64) {
        if self.unkept.is_empty() {
            self.timers.set(self.now.mono + ms, Due::Keep);
        }
        if !self.unkept.contains(&name) {
            self.unkept.push(name);
        }
    }

    /// The journal has a name, or could not write it.
    pub(super) fn kept(&mut self, name: NameId, written: bool) {
        if !written {
            self.keep_within(name, REWRITE);
        }
    }

    /// Journals the names that have come in since this was last done.
    pub fn keep_newcomers(&mut self) {
        for name in std::mem::take(&mut self.unkept) {
            self.keep(name);
        }
    }

    /// Journals what is to be kept of a name.
    pub(super) fn keep(&mut self, name: NameId) {
        let Some(entry) = self.names.get(name) else { return };
        match DocumentValue::of(&NameDocument::of(entry)) {
            Ok(value) => {
                let document = Document { key: key(entry), value };
                self.commits.note(Op::Put(document), Some(Then::Kept(name)));
            }
            Err(error) => tracing::warn!(name = %entry.name, %error, "name not journaled"),
        }
    }

    /// Removes what was kept of a name.
    pub(super) fn discard(&mut self, name: NameId) {
        if let Some(entry) = self.names.get(name) {
            self.commits.note(Op::Delete(key(entry)), None);
        }
    }
}

fn key(entry: &Entry) -> DocumentKey {
    DocumentKey { kind: DocumentKind::Name, owner: entry.owner, key: entry.name.clone() }
}

/// What is kept of a resume token.
pub(super) fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 2 * bytes.len() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_back_as_it_was() {
        let mut entry = Entry::new("alice".into(), 7);
        entry.identity = Identity { session_id: "s".into(), token: Some(hash("secret")), person: true };
        entry.channels = vec!["general".into()];
        let kept = DocumentValue::of(&NameDocument::of(&entry)).unwrap();
        assert!(!kept.as_str().contains("secret"));
        let mut again = Entry::new("alice".into(), 7);
        kept.parse::<NameDocument>().unwrap().restore(&mut again);
        assert_eq!((again.identity, again.channels), (entry.identity, entry.channels));
    }

    #[test]
    fn half_a_hash_is_none() {
        assert_eq!(unhex("ab"), None);
        assert_eq!(unhex(&"zz".repeat(32)), None);
    }
}
