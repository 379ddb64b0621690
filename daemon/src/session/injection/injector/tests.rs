//! The injector against a world that does whatever it likes: a holder, a harness, a journal and a daemon that dies, in
//! random order. What must hold is checked at every effect.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use posthouse_protocol::{Evidence, ReceiptState, When};
use proptest::prelude::*;
use proptest::sample::Index;
use uuid::Uuid;

use super::{Effect, Fate, Injector, News, Sign};
use crate::holder::run::RunId;
use crate::holder::script::{OperationId, Report, State, Step};
use crate::post::command::Earlier;
use crate::session::injection::framing::Framing;
use crate::session::injection::prompt::{Prompt, Source};
use crate::session::injection::rules::{Confirm, Rules};
use crate::session::injection::sight::{Composer, Gate, Sight};

/// What can happen.
#[derive(Clone, Debug)]
enum Happening {
    /// A message comes; it expires after so many milliseconds.
    Offered { when: When, ttl: Option<u16> },
    /// The house has something to say.
    HouseSpeaks,
    /// The oldest note is written, or can't be.
    Noted { written: bool },
    /// The holder goes on with a script.
    HolderGoesOn { which: Index, how: Progress },
    /// The holder answers the oldest question.
    HolderAnswers,
    /// The harness is looked at.
    Seen(Sight),
    /// The conversation has the prompt under way.
    Recorded,
    /// The harness reports that it works.
    TurnBegan,
    /// Milliseconds pass.
    Passed(u16),
    /// The link to the holder broke and was made anew.
    Relinked,
    /// The run ends, and another begins; a prompt that was under way is submitted again, or not.
    Moved { again: bool },
    /// The daemon dies, and another one adopts the run.
    Died,
}

#[derive(Clone, Copy, Debug)]
enum Progress {
    Step,
    Done,
    Failed,
    Full,
}

/// A script as the holder has it.
#[derive(Clone, Debug)]
struct Script {
    prompt: Uuid,
    attempt: u32,
    /// Which daemon handed it over.
    daemon: u32,
    steps: usize,
    report: Report,
}

/// What is known of a message.
#[derive(Clone, Debug)]
struct Known {
    prompt: Prompt,
    /// The attempt and run that the journal has a note of.
    noted: Option<(u32, RunId)>,
    reached: ReceiptState,
    ended: Option<ReceiptState>,
    recorded: bool,
    turn_began: bool,
    enters_again: u32,
}

struct World {
    injector: Injector,
    rules: Rules,
    run: RunId,
    runs: u128,
    daemons: u32,
    now: Instant,
    sight: Sight,
    messages: Vec<Known>,
    scripts: BTreeMap<u128, Script>,
    notes: Vec<(Uuid, u32)>,
    questions: Vec<OperationId>,
    /// Who is being written or waits for evidence: whom a sign is about.
    last_written: Option<Uuid>,
}

fn rules() -> impl Strategy<Value = Rules> {
    let evidence = |again: bool| Confirm::Evidence {
        again_after: again.then_some(Duration::from_millis(100)),
        within: Duration::from_millis(800),
        turn_shows_within: Duration::from_millis(100),
    };
    let confirm = prop_oneof![Just(evidence(true)), Just(evidence(false)), Just(Confirm::Holder)];
    (confirm, any::<bool>()).prop_map(|(confirm, mid_turn)| Rules {
        paste: true,
        gap: Duration::from_millis(20),
        long_gap: Duration::from_millis(20),
        framing: Framing::default(),
        enter: b"\r".to_vec(),
        mid_turn,
        confirm,
    })
}

fn sight() -> impl Strategy<Value = Sight> {
    let gate = prop_oneof![
        4 => Just(Gate::Ready),
        2 => Just(Gate::Busy),
        1 => Just(Gate::Blocked("permission".to_owned())),
        1 => Just(Gate::Unknown),
        1 => Just(Gate::Failing),
    ];
    let composer = prop_oneof![
        Just(Composer::Unknown),
        Just(Composer::Empty),
        Just(Composer::Ours),
        Just(Composer::Other)
    ];
    (gate, composer, prop::bool::weighted(0.15), any::<bool>(), any::<bool>()).prop_map(
        |(gate, composer, drafting, shown, settled)| Sight { gate, composer, drafting, shown, settled },
    )
}

fn happening() -> impl Strategy<Value = Happening> {
    let when = prop_oneof![Just(When::Idle), Just(When::TurnEnd), Just(When::Now)];
    let how = prop_oneof![
        2 => Just(Progress::Step),
        4 => Just(Progress::Done),
        1 => Just(Progress::Failed),
        1 => Just(Progress::Full)
    ];
    prop_oneof![
        4 => (when, prop::option::weighted(0.2, 1..2000u16))
            .prop_map(|(when, ttl)| Happening::Offered { when, ttl }),
        1 => Just(Happening::HouseSpeaks),
        6 => prop::bool::weighted(0.9).prop_map(|written| Happening::Noted { written }),
        6 => (any::<Index>(), how).prop_map(|(which, how)| Happening::HolderGoesOn { which, how }),
        3 => Just(Happening::HolderAnswers),
        6 => sight().prop_map(Happening::Seen),
        1 => Just(Happening::Recorded),
        1 => Just(Happening::TurnBegan),
        3 => (1..600u16).prop_map(Happening::Passed),
        1 => Just(Happening::Relinked),
        1 => any::<bool>().prop_map(|again| Happening::Moved { again }),
        1 => Just(Happening::Died),
    ]
}

impl World {
    fn new(rules: Rules) -> Self {
        let mut world = Self {
            injector: Injector::new(rules.clone(), "starting"),
            run: RunId::new(Uuid::from_u128(1)),
            rules,
            runs: 1,
            daemons: 1,
            now: Instant::now(),
            sight: Sight::away("starting"),
            messages: Vec::new(),
            scripts: BTreeMap::new(),
            notes: Vec::new(),
            questions: Vec::new(),
            last_written: None,
        };
        world.injector.run_began(world.run, world.rules.clone());
        world
    }

    fn known(&mut self, id: Uuid) -> &mut Known {
        self.messages.iter_mut().find(|known| known.prompt.id == id).expect("a prompt that was offered")
    }

    fn offer(&mut self, source: Source, when: When, ttl: Option<u16>) {
        let id = Uuid::from_u128(1000 + self.messages.len() as u128);
        let deadline = ttl.map(|ttl| self.now + Duration::from_millis(ttl.into()));
        let text = format!("text {id}");
        let prompt = Prompt { source, when, deadline, ..Prompt::of_house(id, text) };
        self.messages.push(Known {
            prompt: prompt.clone(),
            noted: None,
            reached: ReceiptState::Queued,
            ended: None,
            recorded: false,
            turn_began: false,
            enters_again: 0,
        });
        let effects = self.injector.offer(prompt, None, self.now);
        self.check(effects);
    }

    fn happens(&mut self, happening: Happening) {
        let now = self.now;
        let effects = match happening {
            Happening::Offered { when, ttl } => return self.offer(Source::Message, when, ttl),
            Happening::HouseSpeaks => return self.offer(Source::House, When::Idle, None),
            Happening::Noted { written } => {
                if self.notes.is_empty() {
                    return;
                }
                let (id, attempt) = self.notes.remove(0);
                let run = self.run;
                if written {
                    self.known(id).noted = Some((attempt, run));
                }
                let outcome = if written { Ok(()) } else { Err("no room".to_owned()) };
                self.injector.noted(id, outcome, now)
            }
            Happening::HolderGoesOn { which, how } => {
                let open: Vec<u128> = self.open_scripts();
                if open.is_empty() {
                    return;
                }
                let at = *which.get(&open);
                let report = self.go_on(at, how);
                self.injector.reported(report, now)
            }
            Happening::HolderAnswers => {
                if self.questions.is_empty() {
                    return;
                }
                let asked = self.questions.remove(0);
                match self.scripts.get(&asked.uuid().as_u128()) {
                    Some(script) => self.injector.reported(script.report, now),
                    None => self.injector.not_seen(asked, now),
                }
            }
            Happening::Seen(mut sight) => {
                // Of a command that shows nothing, nothing is seen.
                if self.rules.confirm == Confirm::Holder {
                    sight.composer = Composer::Unknown;
                }
                self.sight = sight.clone();
                self.injector.saw(sight, now)
            }
            Happening::Recorded => {
                let Some(id) = self.last_written else { return };
                self.known(id).recorded = true;
                self.injector.sign(Sign::Recorded(id), now)
            }
            Happening::TurnBegan => {
                if let Some(id) = self.last_written {
                    self.known(id).turn_began = true;
                }
                self.injector.sign(Sign::TurnBegan, now)
            }
            Happening::Passed(ms) => {
                self.now += Duration::from_millis(ms.into());
                self.injector.tick(self.now)
            }
            Happening::Relinked => self.injector.relinked(now),
            Happening::Moved { again } => return self.moves(again),
            Happening::Died => return self.dies(),
        };
        self.check(effects);
    }

    fn open_scripts(&self) -> Vec<u128> {
        let is_open = |script: &Script| matches!(script.report.state, State::Queued | State::Running);
        self.scripts.iter().filter(|(_, script)| is_open(script)).map(|(id, _)| *id).collect()
    }

    fn go_on(&mut self, at: u128, how: Progress) -> Report {
        let script = self.scripts.get_mut(&at).expect("an open script");
        let report = &mut script.report;
        match how {
            Progress::Step if (report.steps_done as usize) + 1 < script.steps => {
                report.steps_done += 1;
                report.state = State::Running;
            }
            Progress::Step | Progress::Done => {
                report.steps_done = script.steps as u32;
                report.state = State::Done;
            }
            Progress::Failed => report.state = State::Failed { errno: 5 },
            // The id is not used up.
            Progress::Full if report.state == State::Queued => {
                let report = Report { state: State::Full, ..*report };
                if let Some(Script { prompt, steps: 1, .. }) = self.scripts.remove(&at) {
                    self.known(prompt).enters_again = 0;
                }
                return report;
            }
            Progress::Full => {}
        }
        script.report
    }

    fn moves(&mut self, again: bool) {
        let effects = self.injector.run_ended("moving", self.now);
        self.sight = Sight::away("moving");
        self.notes.clear();
        self.questions.clear();
        self.check(effects);
        self.forget_said();
        self.begin_run();
        let recalled = self.injector.recall();
        let fate = if again { Fate::Again } else { Fate::Uncertain("it moved".to_owned()) };
        let effects = self.injector.decide(fate, self.now);
        self.check(effects);
        self.offer_owed(recalled);
    }

    fn begin_run(&mut self) {
        self.runs += 1;
        self.run = RunId::new(Uuid::from_u128(self.runs));
        self.injector.run_began(self.run, self.rules.clone());
        self.scripts.clear();
        self.last_written = None;
    }

    /// What the house had to say and was submitted is nobody's business after the run or the daemon that saw it.
    fn forget_said(&mut self) {
        let said = |known: &&mut Known| {
            known.prompt.source == Source::House
                && known.ended.is_none()
                && known.reached == ReceiptState::Submitted
        };
        self.messages.iter_mut().filter(said).for_each(|known| known.ended = Some(ReceiptState::Submitted));
    }

    /// What post does not know of is offered anew.
    fn offer_owed(&mut self, recalled: Option<Uuid>) {
        let owed: Vec<Prompt> = self
            .messages
            .iter()
            .filter(|known| known.prompt.source == Source::House && known.ended.is_none())
            .map(|known| known.prompt.clone())
            .collect();
        for prompt in owed {
            let prompt = if recalled == Some(prompt.id) { prompt.again(true) } else { prompt };
            self.known(prompt.id).prompt = prompt.clone();
            let effects = self.injector.offer(prompt, None, self.now);
            self.check(effects);
        }
    }

    /// Another daemon knows what the journal knows, and asks the holder for the rest.
    fn dies(&mut self) {
        self.daemons += 1;
        self.injector = Injector::new(self.rules.clone(), "starting");
        self.injector.run_began(self.run, self.rules.clone());
        self.sight = Sight::away("starting");
        self.notes.clear();
        self.questions.clear();
        self.forget_said();
        let open: Vec<Known> = self.messages.iter().filter(|known| known.ended.is_none()).cloned().collect();
        for known in open {
            let earlier = known.noted.map(|(attempt, run)| Earlier {
                state: known.reached,
                run: run.to_string(),
                attempt,
            });
            let effects = self.injector.offer(known.prompt, earlier.as_ref(), self.now);
            self.check(effects);
        }
    }

    fn check(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Note(prompt) => {
                    assert!(self.known(prompt.id).ended.is_none(), "a prompt that has ended is begun again");
                    self.notes.push((prompt.id, prompt.attempt));
                }
                Effect::Write { operation, steps } => self.check_write(operation, &steps),
                Effect::Cancel(operation) => {
                    assert!(matches!(self.sight.gate, Gate::Blocked(_)), "cancelled for no reason");
                    if let Some(script) = self.scripts.get_mut(&operation.uuid().as_u128())
                        && matches!(script.report.state, State::Queued | State::Running)
                    {
                        script.report.state = State::Cancelled;
                        self.questions.push(operation);
                    }
                }
                Effect::Ask(operation) => self.questions.push(operation),
                Effect::Submitted(prompt) => self.check_applied(prompt.id),
                Effect::Tell { prompt, attempt, news: News::Reached { state, evidence, .. }, .. } => {
                    self.check_reached(prompt, attempt, state, evidence);
                }
                Effect::Tell { prompt, news: News::Waits(_), .. } => {
                    assert!(self.known(prompt).ended.is_none(), "a prompt that has ended waits");
                }
            }
        }
    }

    fn check_write(&mut self, operation: OperationId, steps: &[Step]) {
        if steps == [Step::Bytes(b"\x1b[201~".to_vec())] {
            return;
        }
        let id = operation.uuid().as_u128();
        // A lone Enter that a dead daemon left is applied by the holder before whatever follows it.
        let is_left = |script: &Script| script.steps == 1 && script.daemon < self.daemons;
        let mut others = self.open_scripts().into_iter().filter(|open| *open != id);
        assert!(others.all(|open| is_left(&self.scripts[&open])), "two scripts at once");
        assert!(!self.sight.is_taken(), "typed while {:?}", self.sight);
        // A holder that knows the id does nothing more than to say how far it is.
        if self.scripts.contains_key(&id) {
            return self.questions.push(operation);
        }
        let under_way = self.injector.under_way().expect("whoever writes is under way").clone();
        let confirm = self.rules.confirm.clone();
        let run = self.run;
        let done = self.scripts.values().any(|script| {
            script.prompt == under_way.id
                && script.attempt == under_way.attempt
                && script.steps > 1
                && script.report.state == State::Done
        });
        let known = self.known(under_way.id);
        assert!(known.ended.is_none(), "typed after {:?}", known.ended);
        if steps.len() == 1 {
            known.enters_again += 1;
            assert_eq!(known.enters_again, 1, "Enter is pressed again more than once");
            let may_again = matches!(confirm, Confirm::Evidence { again_after: Some(_), .. });
            assert!(!done || may_again, "Enter is pressed again where it must not be");
            assert_ne!(confirm, Confirm::Holder, "Enter is pressed again on a hunch");
        } else {
            known.enters_again = 0;
            assert_eq!(known.noted, Some((under_way.attempt, run)), "written before it was noted");
            self.check_moment(&under_way);
            self.check_order(&under_way);
        }
        self.last_written = Some(under_way.id);
        let report = Report { operation, steps_done: 0, partial_bytes: 0, state: State::Queued };
        let (prompt, attempt) = (under_way.id, under_way.attempt);
        let script = Script { prompt, attempt, daemon: self.daemons, steps: steps.len(), report };
        self.scripts.insert(id, script);
    }

    fn check_moment(&self, prompt: &Prompt) {
        match (&self.sight.gate, prompt.when) {
            (Gate::Ready, _) | (Gate::Unknown, When::Now) => {}
            (Gate::Busy, When::Now) => assert!(self.rules.mid_turn, "typed into a turn that takes nothing"),
            (gate, when) => panic!("typed while {gate:?} although it was to wait for {when:?}"),
        }
    }

    /// Nothing of the same kind that came before may still wait.
    fn check_order(&self, prompt: &Prompt) {
        let same = |known: &&Known| known.prompt.source == prompt.source && known.prompt.when == prompt.when;
        let first = self.messages.iter().filter(same).find(|known| known.ended.is_none());
        assert_eq!(first.map(|known| known.prompt.id), Some(prompt.id), "out of order");
    }

    fn check_applied(&mut self, prompt: Uuid) {
        let done = |script: &&Script| script.prompt == prompt && script.report.state == State::Done;
        assert!(self.scripts.values().any(|script| done(&script)), "submitted without Enter");
    }

    fn check_reached(&mut self, id: Uuid, attempt: u32, state: ReceiptState, evidence: Option<Evidence>) {
        let typed = self.scripts.values().any(|script| script.prompt == id && script.report.steps_done > 0);
        let (sight, confirm) = (self.sight.clone(), self.rules.confirm.clone());
        match state {
            ReceiptState::Written => assert!(typed, "written without a byte"),
            ReceiptState::Submitted => self.check_applied(id),
            _ => {}
        }
        let known = self.known(id);
        assert!(known.ended.is_none(), "{state:?} after {:?}", known.ended);
        match (state, evidence) {
            (ReceiptState::Delivered, Some(Evidence::Structured)) => assert!(known.recorded),
            (ReceiptState::Delivered, Some(Evidence::StatusOsc)) => assert!(known.turn_began),
            (ReceiptState::Delivered, Some(Evidence::Screen)) => {
                assert!(sight.settled && matches!(sight.composer, Composer::Empty | Composer::Other));
            }
            (ReceiptState::Delivered, Some(Evidence::Holder)) => assert_eq!(confirm, Confirm::Holder),
            (ReceiptState::Delivered, evidence) => panic!("delivered on {evidence:?}"),
            _ => {}
        }
        known.reached = state;
        known.prompt.attempt = attempt.max(known.prompt.attempt);
        if state.is_terminal(false) {
            known.ended = Some(state);
        }
    }

    /// From now on everything goes well.
    fn finish(&mut self) {
        for round in 0..600 {
            if self.messages.iter().all(|known| known.ended.is_some()) {
                return;
            }
            let shown = round % 2 == 0;
            let composer =
                if self.rules.confirm == Confirm::Holder { Composer::Unknown } else { Composer::Empty };
            self.happens(Happening::Seen(Sight {
                gate: Gate::Ready,
                composer,
                drafting: false,
                shown,
                settled: true,
            }));
            self.happens(Happening::Noted { written: true });
            self.happens(Happening::HolderAnswers);
            if let Some(open) = self.open_scripts().first().copied() {
                let report = self.go_on(open, Progress::Done);
                let effects = self.injector.reported(report, self.now);
                self.check(effects);
            }
            self.happens(Happening::Recorded);
            self.happens(Happening::Passed(250));
        }
        panic!("something never ends: {:?}\n{:?}", self.injector, self.messages);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens(rules in rules(), happenings in prop::collection::vec(happening(), 1..80)) {
        let mut world = World::new(rules);
        for happening in happenings {
            world.happens(happening);
        }
        world.finish();
        prop_assert!(world.injector.is_empty());
    }
}

#[test]
fn nothing_is_begun_in_a_run_that_is_about_to_end() {
    let now = Instant::now();
    let ready = Sight {
        gate: Gate::Ready,
        composer: Composer::Unknown,
        drafting: false,
        shown: false,
        settled: true,
    };
    let mut injector = Injector::new(Rules::unknown(), "starting");
    injector.run_began(RunId::new(Uuid::from_u128(1)), Rules::unknown());
    injector.saw(ready.clone(), now);
    injector.leaves("moving");
    let late = Prompt::of_house(Uuid::from_u128(2), "late".to_owned());
    let effects = injector.offer(late, None, now);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Note(_))), "{effects:?}");
    injector.run_ended("moving", now);
    injector.run_began(RunId::new(Uuid::from_u128(3)), Rules::unknown());
    let effects = injector.saw(ready, now);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Note(_))), "{effects:?}");
}
