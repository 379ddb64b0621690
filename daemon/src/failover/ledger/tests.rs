//! Coming back into use: one tries, the others wait, and what failed often has to settle first.

use super::*;
use crate::credential::state::CredentialState;
use crate::failover::observation::Channel;

const ROUTE: &str = "codex@openai/work, claude@anthropic/max";

struct World {
    ledger: Ledger,
    known: BTreeMap<CredentialId, Known>,
    route: Route,
    now: Timestamp,
}

impl World {
    fn new() -> Self {
        let route: Route = ROUTE.parse().unwrap();
        let known = route.mounts().iter().map(|mount| {
            let known = Known { status: CredentialStatus::new(), renew: None, metered: false, renewals: 0 };
            (mount.credential.clone(), known)
        });
        let now = "2026-11-22T03:00:00Z".parse().unwrap();
        Self { ledger: Ledger::default(), known: known.collect(), route, now }
    }

    fn pool(&self) -> Pool {
        self.ledger.pool(self.known.clone())
    }

    fn after(&mut self, seconds: i64) {
        self.now = self.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }

    fn choose(&mut self, session: &str) -> Result<String, Vec<(Mount, Unusable)>> {
        let pool = self.pool();
        self.ledger.choose(session, &self.route, &pool, self.now).map(|mount| mount.to_string())
    }

    /// A usage limit that says nothing of its reset.
    fn spent(&mut self, session: &str, mount: &str) -> Move {
        let mut seen = Observation::new(
            "codex",
            Channel::Http,
            r#"{"error":{"type":"insufficient_quota","code":"insufficient_quota","message":"no credit"}}"#,
        );
        seen.status = Some(429);
        let (pool, mount) = (self.pool(), mount.parse().unwrap());
        let zone = TimeZone::UTC;
        let scene = Scene { session, route: &self.route, mount: &mount, now: self.now, zone: &zone };
        let told = self.ledger.judge(scene, &seen, &pool).unwrap();
        if let Some(Charge::Credential { credential, state }) = &told.decision.charge {
            let known = self.known.get_mut(credential).unwrap();
            known.status = known.status.clone().into_next(state.clone());
        }
        told.decision.action
    }

    fn works(&mut self, session: &str, mount: &str) -> Mended {
        let mount: Mount = mount.parse().unwrap();
        let known = self.known.get_mut(&mount.credential).unwrap();
        known.status.state =
            CredentialState::Valid { proof: crate::credential::state::Proof::Use, at: self.now };
        self.ledger.turn_done(session, &mount, self.now)
    }

    fn homeward(&mut self, session: &str) -> Homeward {
        let (pool, current) = (self.pool(), "claude@anthropic/max".parse().unwrap());
        self.ledger.homeward(session, &self.route, &current, &pool, self.now)
    }
}

const WORK: &str = "codex@openai/work";
const MAX: &str = "claude@anthropic/max";

#[test]
fn one_session_tries_what_comes_back_and_the_others_wait_for_the_outcome() {
    let mut world = World::new();
    world.spent("a", WORK);
    world.after(601);
    assert_eq!(world.choose("a").unwrap(), WORK, "its time is over");
    assert_eq!(world.choose("b").unwrap(), MAX, "another tries it out");
    assert_eq!(world.choose("a").unwrap(), WORK, "the one that tries goes on trying");
    assert!(world.works("a", WORK).opened);
    assert_eq!(world.choose("b").unwrap(), WORK);
}

#[test]
fn a_trial_without_an_outcome_does_not_last() {
    let mut world = World::new();
    world.spent("a", WORK);
    world.after(601);
    assert_eq!(world.choose("a").unwrap(), WORK);
    world.after(121);
    assert_eq!(world.choose("b").unwrap(), WORK);
    world.ledger.left("b");
    assert_eq!(world.choose("c").unwrap(), WORK, "who leaves tries no more");
}

#[test]
fn a_session_goes_back_when_its_first_choice_is_usable_again_and_one_goes_first() {
    let mut world = World::new();
    let to_max = Move::NextMount { to: MAX.parse().unwrap() };
    assert_eq!(world.spent("a", WORK), to_max);
    let Homeward::At(at) = world.homeward("a") else { panic!("it is known when") };
    assert_eq!(at.duration_since(world.now), SignedDuration::from_mins(10));
    world.after(600);
    assert_eq!(world.homeward("a"), Homeward::Now(WORK.parse().unwrap()));
    assert!(matches!(world.homeward("b"), Homeward::At(_)), "one goes first");
    world.works("a", WORK);
    assert_eq!(world.homeward("b"), Homeward::Now(WORK.parse().unwrap()));
}

#[test]
fn what_fails_again_and_again_has_to_settle_longer_each_time() {
    let mut world = World::new();
    let mut waits = Vec::new();
    for _ in 0..4 {
        world.spent("a", WORK);
        let Homeward::At(at) = world.homeward("a") else { panic!("it is known when") };
        let usable = world.known[&"openai/work".parse().unwrap()].status.state.reopens_at().unwrap();
        waits.push(at.duration_since(usable).as_secs());
        world.now = at;
        assert!(matches!(world.homeward("a"), Homeward::Now(_)));
    }
    assert_eq!(waits, [0, 60, 120, 240]);
    world.works("a", WORK);
    assert_eq!(
        world.pool().strikes(&Part::Credential("openai/work".parse().unwrap())),
        4,
        "once is not enough"
    );
    world.works("a", WORK);
    assert_eq!(world.pool().strikes(&Part::Credential("openai/work".parse().unwrap())), 0);
}

#[test]
fn a_session_on_its_first_choice_stays() {
    let mut world = World::new();
    let (pool, current) = (world.pool(), WORK.parse().unwrap());
    let stay = world.ledger.homeward("a", &world.route, &current, &pool, world.now);
    assert_eq!(stay, Homeward::Stay);
}
