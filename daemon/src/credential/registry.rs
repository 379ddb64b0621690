//! Every credential and what is known of it: the pure part. Files and the journal are the actor's.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::id::CredentialId;
use super::login::Fingerprint;
use super::record::{Record, Source};
use super::state::{CredentialState, CredentialStatus, Proof};
use super::tokens::Account;

/// A use after which a proof is renewed at the earliest, in seconds: every turn proves anew, the journal need not know.
const PROOF_WORTH_KEEPING: i64 = 300;

/// A look at a login.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sighting {
    /// What its files look like.
    pub seen: Fingerprint,
    /// Whose it is, where it says so.
    pub account: Option<Account>,
    /// The machine it was looked at on.
    pub host: Option<String>,
}

/// What is new about a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was written anew: refreshed by its harness, or made anew by a person.
    Login,
    /// It is another account's now.
    Account {
        /// Whose it was.
        from: Account,
        /// Whose it is.
        to: Account,
    },
}

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
        sighting: Sighting,
    ) -> Record {
        let (status, renewals) = match self.records.get(&id) {
            Some(record) => {
                (record.status.clone().into_next(CredentialState::Unknown), record.renewals.saturating_add(1))
            }
            None => (CredentialStatus::new(), 0),
        };
        let Sighting { seen, account, host } = sighting;
        let record = Record {
            id: id.clone(),
            source,
            base_url,
            status,
            renewals,
            seen,
            account,
            host,
            begun: None,
            // That is the provider's, and not of this login.
            device_after: self.records.get(&id).and_then(|record| record.device_after),
        };
        self.records.insert(id, record.clone());
        record
    }

    /// Changes what is noted beside the state.
    pub fn change(&mut self, id: &CredentialId, change: impl FnOnce(&mut Record)) -> Option<Record> {
        let record = self.records.get_mut(id)?;
        change(record);
        Some(record.clone())
    }

    /// Forgets one.
    pub fn remove(&mut self, id: &CredentialId) -> Option<Record> {
        self.records.remove(id)
    }

    /// A login was looked at: if it changed since it was found dead, nothing is known of it any more. A cooldown is
    /// about the account and survives a new login of the same one; of another account nothing is known.
    pub fn look(&mut self, id: &CredentialId, now: Sighting) -> Option<(Record, Change)> {
        let record = self.records.get_mut(id)?;
        if record.seen == now.seen {
            return None;
        }
        record.seen = now.seen;
        record.host = now.host;
        let before = record.account.clone();
        if now.account.is_some() {
            record.account = now.account;
        }
        let change = match (before, &record.account) {
            (Some(from), Some(to)) if from.mark != to.mark => Change::Account { from, to: to.clone() },
            _ => Change::Login,
        };
        let dead = match &record.status.state {
            CredentialState::NeedsLogin { .. } | CredentialState::Disabled { .. } => true,
            CredentialState::Cooling { why, unproven, .. } => *unproven && why.class.is_auth(),
            _ => false,
        };
        match change {
            Change::Account { .. } => record.change_hands(),
            Change::Login if dead => record.renew(),
            Change::Login => {}
        }
        Some((record.clone(), change))
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
        registry.add(id(), Source::Key, None, Sighting::default());
        registry
    }

    fn seen() -> Sighting {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("a"), "").unwrap();
        Sighting { seen: Fingerprint::of(home.path(), &["a".to_owned()]), ..Sighting::default() }
    }

    fn of(mark: &str, login: Sighting) -> Sighting {
        Sighting { account: Some(Account { mark: mark.to_owned(), shown: format!("{mark}…") }), ..login }
    }

    #[test]
    fn a_new_login_ends_a_death_but_not_a_cooldown() {
        let mut registry = registry();
        registry.charge(&id(), 0, CredentialState::NeedsLogin { why: why(Class::TokenRevoked) }).unwrap();
        assert_eq!(registry.look(&id(), Sighting::default()), None, "nothing changed");
        let (after, change) = registry.look(&id(), seen()).unwrap();
        assert_eq!(change, Change::Login);
        assert_eq!((after.status.generation, after.status.state), (2, CredentialState::Unknown));
        let spent = CredentialState::Cooling { until: at(100), why: why(Class::QuotaReset), unproven: false };
        registry.charge(&id(), 2, spent.clone()).unwrap();
        assert_eq!(registry.look(&id(), Sighting::default()).unwrap().0.status.state, spent);
    }

    #[test]
    fn file_changed_by_the_harness_is_adopted() {
        let mut registry = Registry::default();
        registry.add(id(), Source::Key, None, of("a", Sighting::default()));
        let spent = CredentialState::Cooling { until: at(100), why: why(Class::QuotaReset), unproven: false };
        registry.charge(&id(), 0, spent.clone()).unwrap();
        let (refreshed, change) = registry.look(&id(), of("a", seen())).unwrap();
        assert_eq!((change, &refreshed.status.state, refreshed.renewals), (Change::Login, &spent, 0));
        let (unsaid, change) = registry.look(&id(), Sighting::default()).unwrap();
        assert_eq!((change, unsaid.account.unwrap().mark), (Change::Login, "a".to_owned()));
        let (other, change) = registry.look(&id(), of("b", seen())).unwrap();
        assert!(matches!(change, Change::Account { from, to } if from.mark == "a" && to.mark == "b"));
        assert_eq!(
            (other.status.state, other.renewals),
            (CredentialState::Unknown, 1),
            "a cooldown is the account's"
        );
    }

    #[test]
    fn logging_in_anew_ends_a_death_but_not_the_accounts_cooldown() {
        let mut registry = registry();
        let spent = CredentialState::Cooling { until: at(100), why: why(Class::QuotaReset), unproven: false };
        registry.charge(&id(), 0, spent.clone()).unwrap();
        let after = registry.change(&id(), Record::renew).unwrap();
        assert_eq!((after.status.generation, &after.status.state, after.renewals), (2, &spent, 1));
        let doubted =
            CredentialState::Cooling { until: at(200), why: why(Class::AuthAmbiguous), unproven: true };
        registry.charge(&id(), 2, doubted).unwrap();
        let after = registry.change(&id(), Record::renew).unwrap();
        assert_eq!(after.status.state, CredentialState::Unknown);
    }

    #[test]
    fn blame_of_an_earlier_generation_is_dropped() {
        let mut registry = registry();
        registry.add(id(), Source::Key, None, Sighting::default());
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
