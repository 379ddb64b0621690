//! Every credential and what is known of it: the pure part. Files and the journal are the actor's.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::id::CredentialId;
use super::login::Fingerprint;
use super::record::{Record, Source};
use super::state::{CredentialState, CredentialStatus, Proof};

/// A use after which a proof is renewed at the earliest, in seconds: every turn proves anew, the journal need not know.
const PROOF_WORTH_KEEPING: i64 = 300;

/// The credentials by name.
#[derive(Debug, Default)]
pub struct Registry {
    records: BTreeMap<CredentialId, Record>,
    users: BTreeMap<CredentialId, BTreeSet<String>>,
}

impl Registry {
    /// What the journal kept.
    pub fn new(records: impl IntoIterator<Item = Record>) -> Self {
        let records = records.into_iter().map(|record| (record.id.clone(), record)).collect();
        Self { records, users: BTreeMap::new() }
    }

    /// Every record, by name.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    /// One record.
    pub fn get(&self, id: &CredentialId) -> Option<&Record> {
        self.records.get(id)
    }

    /// Sessions that run on it, sorted.
    pub fn users(&self, id: &CredentialId) -> Vec<String> {
        self.users.get(id).map(|users| users.iter().cloned().collect()).unwrap_or_default()
    }

    /// Registers one. Under a name that exists it is the same credential with a new login or key: a new generation.
    pub fn add(
        &mut self,
        id: CredentialId,
        source: Source,
        base_url: Option<String>,
        seen: Fingerprint,
    ) -> Record {
        let (status, renewals) = match self.records.get(&id) {
            Some(record) => {
                (record.status.clone().into_next(CredentialState::Unknown), record.renewals.saturating_add(1))
            }
            None => (CredentialStatus::new(), 0),
        };
        let record = Record { id: id.clone(), source, base_url, status, renewals, seen };
        self.records.insert(id, record.clone());
        record
    }

    /// Forgets one.
    pub fn remove(&mut self, id: &CredentialId) -> Option<Record> {
        self.records.remove(id)
    }

    /// A login was looked at: if it changed since it was found dead, nothing is known of it any more. A cooldown is
    /// about the account and survives a new login.
    pub fn look(&mut self, id: &CredentialId, now_seen: Fingerprint) -> Option<Record> {
        let record = self.records.get_mut(id)?;
        if record.seen == now_seen {
            return None;
        }
        record.seen = now_seen;
        let dead = match &record.status.state {
            CredentialState::NeedsLogin { .. } | CredentialState::Disabled { .. } => true,
            CredentialState::Cooling { why, unproven, .. } => *unproven && why.class.is_auth(),
            _ => false,
        };
        if dead {
            record.status = record.status.clone().into_next(CredentialState::Unknown);
            record.renewals = record.renewals.saturating_add(1);
        }
        Some(record.clone())
    }

    /// Charges a failure, unless the credential changed since the request was made. A cooldown never gets shorter.
    pub fn charge(&mut self, id: &CredentialId, generation: u64, state: CredentialState) -> Option<Record> {
        let record = self.records.get_mut(id)?;
        if record.status.generation != generation {
            return None;
        }
        let shorter = matches!((record.status.state.reopens_at(), state.reopens_at()), (Some(old), Some(new)) if new <= old);
        if shorter || record.status.state == state {
            return None;
        }
        record.status = record.status.clone().into_next(state);
        Some(record.clone())
    }

    /// Takes over what was found out. The generation counts changes of what may be done with it; a renewed proof is none.
    pub fn learn(&mut self, id: &CredentialId, state: CredentialState) -> Option<Record> {
        let record = self.records.get_mut(id)?;
        record.status = match (&record.status.state, &state) {
            (CredentialState::Valid { .. } | CredentialState::Unknown, CredentialState::Valid { .. }) => {
                CredentialStatus { generation: record.status.generation, state }
            }
            _ => record.status.clone().into_next(state),
        };
        Some(record.clone())
    }

    /// Notes that it worked. Only news is returned.
    pub fn prove(&mut self, id: &CredentialId, proof: Proof, at: Timestamp) -> Option<Record> {
        let record = self.records.get(id)?;
        let recent = match &record.status.state {
            CredentialState::Valid { at: last, .. } => {
                at.as_second() - last.as_second() < PROOF_WORTH_KEEPING
            }
            _ => false,
        };
        if recent {
            return None;
        }
        self.learn(id, CredentialState::Valid { proof, at })
    }

    /// Notes which sessions run on it.
    pub fn used(&mut self, id: &CredentialId, session: String, on: bool) {
        let users = self.users.entry(id.clone()).or_default();
        if on {
            users.insert(session)
        } else {
            users.remove(&session)
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::credential::state::Why;
    use crate::failover::failure::{Class, Evidence};

    fn id() -> CredentialId {
        CredentialId::new("openai", "work").unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn why(class: Class) -> Why {
        Why { class, evidence: Evidence::Typed, at: at(0) }
    }

    fn registry() -> Registry {
        let mut registry = Registry::default();
        registry.add(id(), Source::Key, None, Fingerprint::default());
        registry
    }

    fn seen() -> Fingerprint {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("a"), "").unwrap();
        Fingerprint::of(home.path(), &["a".to_owned()])
    }

    #[test]
    fn a_new_login_ends_a_death_but_not_a_cooldown() {
        let mut registry = registry();
        registry.charge(&id(), 0, CredentialState::NeedsLogin { why: why(Class::TokenRevoked) }).unwrap();
        assert_eq!(registry.look(&id(), Fingerprint::default()), None, "nothing changed");
        let after = registry.look(&id(), seen()).unwrap();
        assert_eq!((after.status.generation, after.status.state), (2, CredentialState::Unknown));
        let spent = CredentialState::Cooling { until: at(100), why: why(Class::QuotaReset), unproven: false };
        registry.charge(&id(), 2, spent.clone()).unwrap();
        assert_eq!(registry.look(&id(), Fingerprint::default()).unwrap().status.state, spent);
    }

    #[test]
    fn blame_of_an_earlier_generation_is_dropped() {
        let mut registry = registry();
        registry.add(id(), Source::Key, None, Fingerprint::default());
        let dead = CredentialState::NeedsLogin { why: why(Class::InvalidKey) };
        assert_eq!(registry.charge(&id(), 0, dead.clone()), None);
        assert!(registry.charge(&id(), 1, dead).is_some());
    }

    proptest! {
        #[test]
        fn generations_only_grow_and_cooldowns_only_lengthen(steps in prop::collection::vec((0u8..4, 0i64..1000), 0..60)) {
            let mut registry = registry();
            for (what, n) in steps {
                let before = registry.get(&id()).unwrap().status.clone();
                match what {
                    0 => drop(registry.charge(&id(), before.generation, CredentialState::Cooling { until: at(n), why: why(Class::RateLimit), unproven: false })),
                    1 => drop(registry.charge(&id(), before.generation, CredentialState::NeedsLogin { why: why(Class::TokenRevoked) })),
                    2 => drop(registry.prove(&id(), Proof::Use, at(n))),
                    _ => drop(registry.look(&id(), seen())),
                }
                let after = registry.get(&id()).unwrap().status.clone();
                prop_assert!(after.generation >= before.generation);
                if after.state.as_str() != before.state.as_str() && before.state.as_str() != "unknown" {
                    prop_assert!(after.generation > before.generation);
                }
                if let (Some(old), Some(new)) = (before.state.reopens_at(), after.state.reopens_at()) {
                    prop_assert!(new >= old);
                }
            }
        }
    }
}
