//! Decisions by example, and what must hold for every sequence of failures.

use std::collections::HashSet;

use proptest::prelude::*;

use super::super::failure::{Evidence, Scope};
use super::super::pool::Entry;
use super::*;
use crate::credential::state::{CredentialState, CredentialStatus};

fn start() -> Timestamp {
    "2026-11-22T03:00:00Z".parse().unwrap()
}

fn later(seconds: i64) -> Timestamp {
    start().checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

fn pool_of(route: &Route) -> Pool {
    let mut pool = Pool::default();
    for mount in route.mounts() {
        let renew = Some(format!("renew {}", mount.credential));
        let entry = Entry { status: CredentialStatus::new(), strikes: 0, renew, metered: false, renewals: 0 };
        pool.credentials.insert(mount.credential.clone(), entry);
    }
    pool
}

fn failure(class: Class, evidence: Evidence, until: Option<Timestamp>) -> Failure {
    let action = class.default_action();
    let failover = if class == Class::Unknown { FailoverWhen::Never } else { action.failover() };
    let scope = class.default_scope();
    let rule = "test".to_owned();
    Failure { class, action, failover, scope, model: None, until, evidence, corroborated: true, rule }
}

/// A session on a route, as the actor around the core will drive it.
struct Session {
    route: Route,
    pool: Pool,
    current: Mount,
    attempts: Attempts,
    policy: Policy,
    now: Timestamp,
}

impl Session {
    fn new(route: &str) -> Self {
        let route: Route = route.parse().unwrap();
        let pool = pool_of(&route);
        let current = route.mounts()[0].clone();
        let mut attempts = Attempts::default();
        attempts.record(&current, &pool);
        Self { route, pool, current, attempts, policy: Policy::default(), now: start() }
    }

    fn decide(&self, failure: &Failure, sent_by: Option<&CredentialId>) -> Decision {
        decide(DecideInput {
            session: "alice",
            route: &self.route,
            current: &self.current,
            pool: &self.pool,
            policy: &self.policy,
            failure,
            sent_by,
            attempts: &self.attempts,
            now: self.now,
            zone: &TimeZone::get("Europe/Berlin").unwrap(),
        })
    }

    /// Decides and does it.
    fn fails(&mut self, failure: &Failure) -> Decision {
        let decision = self.decide(failure, None);
        if let Some(charge) = &decision.charge {
            self.pool.apply(charge);
        }
        match &decision.action {
            Move::Rotate { to } | Move::NextMount { to } => self.start(to.clone()),
            Move::Wait { until } => {
                self.now = *until;
                self.start(self.current.clone());
            }
            Move::Nothing | Move::Park { .. } | Move::Surface => {}
        }
        decision
    }

    fn start(&mut self, mount: Mount) {
        self.attempts.record(&mount, &self.pool);
        self.current = mount;
    }

    fn state(&self, credential: &str) -> &CredentialState {
        &self.pool.credentials[&credential.parse().unwrap()].status.state
    }
}

const THREE: &str = "codex@openai/work, codex@openai/personal, claude@anthropic/max";

#[test]
fn a_dead_login_rotates_within_the_provider_first() {
    let mut session = Session::new("codex@openai/work, claude@anthropic/max, codex@openai/personal");
    let dead = failure(Class::TokenRevoked, Evidence::Typed, None);
    let decision = session.fails(&dead);
    assert_eq!(decision.action, Move::Rotate { to: "codex@openai/personal".parse().unwrap() });
    assert!(matches!(session.state("openai/work"), CredentialState::NeedsLogin { .. }));
    session.now = later(61);
    let decision = session.fails(&dead);
    assert_eq!(decision.action, Move::NextMount { to: "claude@anthropic/max".parse().unwrap() });
    assert_eq!(session.fails(&dead).action, Move::Surface, "nothing left, and no time would help");
}

#[test]
fn what_people_read() {
    let mut session = Session::new(THREE);
    let told = session.fails(&failure(Class::TokenRevoked, Evidence::Typed, None)).reason.sentence;
    let limit = failure(Class::QuotaReset, Evidence::Frame, Some(later(7200)));
    let then = session.fails(&limit).reason.sentence;
    let mut model = failure(Class::QuotaReset, Evidence::Typed, Some(later(3600)));
    (model.scope, model.model) = (Some(Scope::Model), Some("opus".to_owned()));
    let parked = session.fails(&model).reason.sentence;
    let mut shown = failure(Class::ReloginRequired, Evidence::Terminal, None);
    shown.corroborated = false;
    let stays = session.decide(&shown, None).reason.sentence;
    insta::assert_snapshot!([told, then, parked, stays].join("\n"), @"
    codex@openai/work: the login was revoked, by a typed code, until unknown; going on with codex@openai/personal. To repair it run: renew openai/work
    codex@openai/personal: the usage limit is reached, by the harness's own report, until 2026-11-22 06:00 Europe/Berlin; going on with claude@anthropic/max
    claude@anthropic/max (model opus): the usage limit is reached, by a typed code, until 2026-11-22 05:00 Europe/Berlin; nothing else is usable; parked until 2026-11-22 05:00 Europe/Berlin
    claude@anthropic/max: a new login is needed, by what the terminal shows; nothing else bears it out, so the session stays. To repair it run: renew anthropic/max
    ");
}

#[test]
fn words_move_only_when_borne_out_and_never_condemn() {
    for evidence in [Evidence::Terminal, Evidence::Frame] {
        let mut words = failure(Class::TokenRevoked, evidence, None);
        let mut session = Session::new(THREE);
        words.corroborated = false;
        let decision = session.fails(&words);
        assert_eq!((decision.action, decision.charge), (Move::Nothing, None));
        words.corroborated = true;
        assert!(matches!(session.fails(&words).action, Move::Rotate { .. }));
        assert!(
            matches!(session.state("openai/work"), CredentialState::Cooling { unproven: true, .. }),
            "only typed evidence condemns"
        );
    }
}

#[test]
fn unknown_and_harmless_failures_bench_nobody() {
    for class in [
        Class::Unknown,
        Class::ContentPolicy,
        Class::ContextOverflow,
        Class::BadRequest,
        Class::Cancelled,
        Class::LocalLimit,
    ] {
        let mut session = Session::new(THREE);
        let before = session.pool.clone();
        let decision = session.fails(&failure(class, Evidence::Typed, None));
        assert!(matches!(decision.action, Move::Surface | Move::Nothing), "{class:?}");
        assert_eq!(session.pool, before, "{class:?}");
    }
}

#[test]
fn the_credential_that_sent_the_request_pays() {
    let mut session = Session::new(THREE);
    session.fails(&failure(Class::QuotaReset, Evidence::Typed, Some(later(7200))));
    let late = failure(Class::TokenRevoked, Evidence::Typed, None);
    let decision = session.decide(&late, Some(&"openai/work".parse().unwrap()));
    assert_eq!(decision.action, Move::Nothing, "the session has moved on already");
    let Some(Charge::Credential { credential, state }) = decision.charge else { panic!("nobody is charged") };
    assert_eq!(credential.to_string(), "openai/work");
    assert!(matches!(state, CredentialState::NeedsLogin { .. }));
}

#[test]
fn the_same_failure_on_two_credentials_within_a_minute_is_the_providers() {
    let refused = failure(Class::AuthAmbiguous, Evidence::Status, None);
    let mut session = Session::new(THREE);
    session.fails(&refused);
    assert!(matches!(session.state("openai/work"), CredentialState::Cooling { .. }));
    session.now = later(59);
    let decision = session.fails(&refused);
    assert_eq!(decision.action, Move::NextMount { to: "claude@anthropic/max".parse().unwrap() });
    assert_eq!(session.state("openai/work"), &CredentialState::Unknown, "it is not to blame any more");
    assert_eq!(session.state("openai/personal"), &CredentialState::Unknown, "nor is the second");
    insta::assert_snapshot!(decision.reason.sentence, @"codex@openai/personal: the provider did not accept the login, by the status of the response, as it did on openai/work just before, so openai itself is taken to be out of order, until 2026-11-22 04:01 Europe/Berlin; going on with claude@anthropic/max. To repair it run: renew openai/personal");

    let mut slow = Session::new(THREE);
    slow.fails(&refused);
    slow.now = later(61);
    slow.fails(&refused);
    assert!(matches!(slow.state("openai/personal"), CredentialState::Cooling { .. }), "a minute is over");

    let mut limits = Session::new(THREE);
    limits.fails(&failure(Class::QuotaReset, Evidence::Typed, Some(later(7200))));
    limits.fails(&failure(Class::QuotaReset, Evidence::Typed, Some(later(3600))));
    assert!(
        matches!(limits.state("openai/work"), CredentialState::Cooling { .. }),
        "windows that say when they open are the credentials' own"
    );
}

#[test]
fn a_typed_death_of_all_logins_is_believed_the_second_time() {
    let dead = failure(Class::TokenRevoked, Evidence::Typed, None);
    let mut session = Session::new("codex@openai/work, codex@openai/personal");
    session.fails(&dead);
    let Move::Park { until } = session.fails(&dead).action else { panic!("the provider is left alone") };
    assert_eq!(until, later(60));
    for _ in 0..2 {
        session.now = later(61);
        session.attempts = Attempts::default();
        let attempts = Attempts::default();
        let seeker =
            Seeker { session: "alice", route: &session.route, attempts: &attempts, now: session.now };
        session.current = session.pool.resolve(seeker).unwrap();
        session.fails(&dead);
    }
    assert!(matches!(session.state("openai/work"), CredentialState::NeedsLogin { .. }));
    assert!(matches!(session.state("openai/personal"), CredentialState::NeedsLogin { .. }));
}

#[test]
fn a_subscription_is_left_for_a_metered_key_only_where_that_is_allowed() {
    let dead = failure(Class::TokenRevoked, Evidence::Typed, None);
    let metered = |route: &str| {
        let mut session = Session::new(route);
        session.pool.credentials.get_mut(&"openai/key".parse().unwrap()).unwrap().metered = true;
        session
    };
    let mut asks = metered("codex@openai/work, codex@openai/key");
    let decision = asks.fails(&dead);
    assert_eq!(decision.action, Move::Surface);
    insta::assert_snapshot!(decision.reason.sentence, @"codex@openai/work: the login was revoked, by a typed code; nothing else is allowed and usable. codex@openai/key is billed by use; to go on with it run: posthouse route allow alice. To repair it run: renew openai/work");
    let mut allows = metered("codex@openai/work, codex@openai/key, cost=allow");
    assert_eq!(allows.fails(&dead).action, Move::Rotate { to: "codex@openai/key".parse().unwrap() });
    let mut begins = metered("codex@openai/key, codex@openai/work");
    assert!(matches!(begins.fails(&dead).action, Move::Rotate { .. }));
    begins.pool.apply(&Charge::Credential {
        credential: "openai/key".parse().unwrap(),
        state: CredentialState::Unknown,
    });
    let attempts = Attempts::default();
    let seeker = Seeker { session: "alice", route: &begins.route, attempts: &attempts, now: begins.now };
    assert_eq!(begins.pool.resolve(seeker).unwrap().to_string(), "codex@openai/key", "it was listed first");
}

#[test]
fn a_burst_of_one_failure_counts_once() {
    let mut session = Session::new("codex@openai/work, claude@anthropic/max");
    let broke = failure(Class::Billing, Evidence::Typed, None);
    session.fails(&broke);
    let until = session.state("openai/work").reopens_at();
    for _ in 0..9 {
        session.current = "codex@openai/work".parse().unwrap();
        assert_eq!(session.decide(&broke, None).charge, None, "they asked before it was charged");
    }
    assert_eq!(session.state("openai/work").reopens_at(), until);
}

#[test]
fn a_short_wait_is_waited_out_and_a_long_one_is_not() {
    let limited = |seconds| failure(Class::RateLimit, Evidence::Status, Some(later(seconds)));
    let asked = |route: &str, seconds| {
        let mut session = Session::new(route);
        session.policy.cooldowns.skew = SignedDuration::ZERO;
        session.decide(&limited(seconds), None).action
    };
    assert_eq!(asked(THREE, 10), Move::Wait { until: later(10) });
    assert!(matches!(asked(THREE, 20), Move::Rotate { .. }), "a sibling is idle");
    let alone = "codex@openai/work, claude@anthropic/max";
    assert_eq!(asked(alone, 200), Move::Wait { until: later(200) }, "no sibling, but soon");
    assert!(matches!(asked(alone, 400), Move::NextMount { .. }));
    assert_eq!(asked("codex@openai/work", 7200), Move::Park { until: later(7200) });
}

#[test]
fn an_overloaded_provider_costs_its_credentials_nothing() {
    let mut session = Session::new(THREE);
    let decision = session.fails(&failure(Class::Overloaded, Evidence::Typed, None));
    assert_eq!(decision.action, Move::NextMount { to: "claude@anthropic/max".parse().unwrap() });
    assert_eq!(session.state("openai/work"), &CredentialState::Unknown);
    let mut alone = Session::new("codex@openai/work, codex@openai/personal");
    assert!(matches!(alone.fails(&failure(Class::Network, Evidence::Frame, None)).action, Move::Wait { .. }));
}

#[test]
fn a_model_limit_leaves_the_credentials_other_models_alone() {
    let mut session = Session::new("claude@anthropic/max:opus, claude@anthropic/max:sonnet");
    let mut limit = failure(Class::QuotaReset, Evidence::Typed, Some(later(7200)));
    limit.scope = Some(Scope::Model);
    limit.model = Some("opus".to_owned());
    let decision = session.fails(&limit);
    assert_eq!(decision.action, Move::Rotate { to: "claude@anthropic/max:sonnet".parse().unwrap() });
    assert_eq!(session.state("anthropic/max"), &CredentialState::Unknown);
}

#[test]
fn no_credit_doubles_up_to_a_day() {
    let mut session = Session::new("codex@openai/work");
    let broke = failure(Class::Billing, Evidence::Typed, None);
    let mut waits = Vec::new();
    for _ in 0..10 {
        let Move::Park { until } = session.fails(&broke).action else { panic!("not parked") };
        waits.push(until.duration_since(session.now).as_mins());
        session.now = until;
        session.attempts = Attempts::default();
    }
    assert_eq!(waits, [10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440]);
}

fn any_failure() -> impl Strategy<Value = Failure> {
    let class = prop_oneof![
        Just(Class::ExpiredRefreshable),
        Just(Class::AuthAmbiguous),
        Just(Class::RefreshReused),
        Just(Class::TokenRevoked),
        Just(Class::InvalidKey),
        Just(Class::AccountMismatch),
        Just(Class::Billing),
        Just(Class::QuotaReset),
        Just(Class::RateLimit),
        Just(Class::Overloaded),
        Just(Class::ServerError),
        Just(Class::Network),
        Just(Class::EgressBlocked),
        Just(Class::Entitlement),
        Just(Class::Unknown),
        Just(Class::ContentPolicy),
    ];
    let evidence = prop_oneof![
        Just(Evidence::Typed),
        Just(Evidence::Status),
        Just(Evidence::Frame),
        Just(Evidence::Terminal)
    ];
    (class, evidence, proptest::option::of(0i64..100_000), any::<bool>()).prop_map(
        |(class, evidence, until, corroborated)| {
            let mut failure = failure(class, evidence, until.map(later));
            failure.corroborated = corroborated;
            failure
        },
    )
}

fn any_route() -> impl Strategy<Value = Route> {
    let mounts = [
        "codex@openai/work",
        "codex@openai/personal",
        "codex@openai/work:gpt-x",
        "claude@anthropic/max",
        "claude@anthropic/max:opus",
        "gemini@google/me",
        "opencode@openai/work",
    ];
    proptest::sample::subsequence(mounts.to_vec(), 1..=mounts.len())
        .prop_shuffle()
        .prop_map(|mounts| mounts.join(",").parse().unwrap())
}

proptest! {
    #[test]
    fn a_turn_ends_and_never_repeats_itself(
        route in any_route(),
        failures in proptest::collection::vec(any_failure(), 1..40),
    ) {
        let mut session = Session::new(&route.to_string());
        let mut seen = HashSet::new();
        seen.insert((session.current.clone(), session.pool.state_of(&session.current)));
        let mut starts = 1;
        for failure in &failures {
            let was = session.pool.clone();
            let decision = session.fails(failure);
            for (id, entry) in &session.pool.credentials {
                let (before, after) = (&was.credentials[id].status, &entry.status);
                prop_assert!(after.generation >= before.generation);
                if let (Some(before), Some(after)) = (before.state.reopens_at(), after.state.reopens_at()) {
                    prop_assert!(after >= before, "a cooldown got shorter");
                }
                if let Some(Charge::Incident { restored, .. }) = &decision.charge
                    && restored.contains(id)
                {
                    prop_assert_eq!(&after.state, &CredentialState::Unknown);
                    continue;
                }
                if !failure.evidence.may_condemn() && before != after {
                    let unproven = matches!(after.state, CredentialState::Cooling { unproven: true, .. });
                    prop_assert!(unproven, "words condemned");
                }
                if before != after {
                    prop_assert_eq!(id, &decision.reason.mount.credential, "somebody else was charged");
                }
            }
            if !failure.corroborated {
                let stays = matches!(decision.action, Move::Nothing | Move::Surface);
                prop_assert!(stays, "moved on words alone");
                prop_assert_eq!(&was, &session.pool);
            }
            match decision.action {
                Move::Rotate { to } => {
                    prop_assert_eq!(to.provider(), decision.reason.mount.provider());
                }
                Move::NextMount { to } => {
                    prop_assert_ne!(to.provider(), decision.reason.mount.provider());
                }
                Move::Wait { until } | Move::Park { until } => {
                    prop_assert!(until > start());
                    if matches!(decision.action, Move::Park { .. }) { break }
                }
                Move::Surface => break,
                Move::Nothing => continue,
            }
            starts += 1;
            prop_assert!(starts <= Policy::default().attempts, "the turn goes on for ever");
            let key = (session.current.clone(), session.pool.state_of(&session.current));
            prop_assert!(seen.insert(key), "{} was tried twice", session.current);
        }
    }

    #[test]
    fn what_is_parked_can_run_when_it_wakes(route in any_route(), failures in proptest::collection::vec(any_failure(), 1..20)) {
        let mut session = Session::new(&route.to_string());
        for failure in &failures {
            if let Move::Park { until } = session.fails(failure).action {
                prop_assert!(until > session.now);
                let seeker = Seeker { session: "alice", route: &route, attempts: &session.attempts, now: until };
                prop_assert!(session.pool.resolve(seeker).is_ok(), "woken for nothing");
                return Ok(());
            }
        }
    }
}
