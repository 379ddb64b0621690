//! Turns to start on a login whose access token is over: its harness gets a new one at its start, and two that start at once
//! would spend one refresh token twice. One goes first; the others follow once the login was written anew, or after a while.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::id::CredentialId;
use super::login::Fingerprint;

/// How long a harness may take to write its login anew before the next one starts all the same.
const LIMIT: Duration = Duration::from_secs(10);

/// When a start may begin.
#[derive(Clone, Debug)]
pub struct Turn(watch::Receiver<bool>);

impl Turn {
    /// At once.
    pub fn now() -> Self {
        Self(watch::channel(true).1)
    }

    /// Once the sender says so, or is gone.
    pub fn later(said: watch::Receiver<bool>) -> Self {
        Self(said)
    }

    /// Waits for it.
    pub async fn come(mut self) {
        // Whoever gave the turns is gone: nobody else starts on it either.
        let _ = self.0.wait_for(|may| *may).await;
    }
}

/// Who starts on which login.
#[derive(Debug, Default)]
pub struct Leases(BTreeMap<CredentialId, Lease>);

#[derive(Debug)]
struct Lease {
    /// What the login looked like when the first one started.
    seen: Fingerprint,
    until: Instant,
    waiting: VecDeque<watch::Sender<bool>>,
}

impl Leases {
    /// Asks for a turn to start on `id`, whose login looks so and has an access token that is over.
    pub fn ask(&mut self, id: &CredentialId, seen: Fingerprint, now: Instant) -> Turn {
        if let Some(lease) = self.0.get_mut(id) {
            let (may, turn) = watch::channel(false);
            lease.waiting.push_back(may);
            return Turn(turn);
        }
        self.0.insert(id.clone(), Lease { seen, until: now + LIMIT, waiting: VecDeque::new() });
        Turn::now()
    }

    /// Gives turns. Says whether somebody's time still runs.
    pub fn look(&mut self, now: Instant, seen: impl Fn(&CredentialId) -> Fingerprint) -> bool {
        self.0.retain(|id, lease| {
            if seen(id) != lease.seen {
                lease.waiting.iter().for_each(go);
                return false;
            }
            if now < lease.until {
                return true;
            }
            lease.until = now + LIMIT;
            lease.waiting.pop_front().as_ref().map(go).is_some()
        });
        !self.0.is_empty()
    }
}

fn go(may: &watch::Sender<bool>) {
    may.send_replace(true);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(turn: &Turn) -> bool {
        *turn.0.borrow()
    }

    fn looks(text: &str) -> Fingerprint {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("a"), text).unwrap();
        Fingerprint::of(home.path(), &["a".to_owned()])
    }

    #[test]
    fn one_starts_and_the_others_follow_once_the_login_was_written_anew() {
        let (id, now) = ("openai/work".parse().unwrap(), Instant::now());
        let (old, new) = (looks("old"), looks("a new one"));
        let mut leases = Leases::default();
        let turns: Vec<Turn> = (0..3).map(|_| leases.ask(&id, old.clone(), now)).collect();
        assert_eq!(turns.iter().map(may).collect::<Vec<_>>(), [true, false, false]);
        assert!(leases.look(now, |_| old.clone()));
        assert_eq!(turns.iter().map(may).collect::<Vec<_>>(), [true, false, false]);
        assert!(!leases.look(now, |_| new.clone()));
        assert!(turns.iter().all(may));
        assert!(may(&leases.ask(&"openai/other".parse().unwrap(), new, now)));
    }

    #[test]
    fn a_harness_that_writes_nothing_holds_nobody_up_for_good() {
        let (id, now) = ("openai/work".parse().unwrap(), Instant::now());
        let old = looks("old");
        let mut leases = Leases::default();
        let turns: Vec<Turn> = (0..3).map(|_| leases.ask(&id, old.clone(), now)).collect();
        assert!(leases.look(now + LIMIT, |_| old.clone()));
        assert_eq!(turns.iter().map(may).collect::<Vec<_>>(), [true, true, false]);
        assert!(leases.look(now + LIMIT * 2, |_| old.clone()));
        assert!(turns.iter().all(may));
        assert!(!leases.look(now + LIMIT * 3, |_| old.clone()));
    }

    #[tokio::test]
    async fn a_turn_comes_though_the_room_is_gone() {
        let (may, turn) = watch::channel(false);
        drop(may);
        Turn::later(turn).come().await;
        Turn::now().come().await;
    }
}
