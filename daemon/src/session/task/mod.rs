//! One task per session. It alone owns the session's run, its screen, its injector and its viewers; everything
//! reaches it as a message. Orders outrank output, so a session stays governable whatever its harness does.

mod effects;
mod events;
mod failing;
mod homing;
mod keying;
mod lifecycle;
mod one_shot;
mod order;
mod phase;
mod publish;
mod recount;
mod restarting;
mod stuck;
mod view;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use posthouse_protocol::payload::{SessionInfo, Trouble};
use tokio::sync::{mpsc, watch};

pub use order::Order;
pub(crate) use order::Waiter;

use self::failing::Retry;
use self::keying::Given;
use self::order::{GatheredFor, News};
use self::phase::Phase;
use self::recount::Told;
use super::command::Reply;
use super::drafting::Drafting;
use super::house::House;
use super::injection::injector::Injector;
use super::injection::rules::Rules;
use super::injection::sight::Sight;
use super::live::SETTLES;
use super::spec::{RunRecord, SessionRecord, SessionSpec};
use super::viewer::Viewers;
use crate::harness::definition::Definition;
use crate::holder::link::{HolderEvent, Link};
use crate::holder::script::OperationId;
use crate::holder::wire::Status;
use crate::post::command::{Injection, SessionSink};

/// Orders that may wait for one session.
pub const MAX_ORDERS: usize = 64;
/// Events of the holder that are taken together before the screen is looked at.
const BATCH: usize = 32;
/// Output rests this long before the holder is given a picture of the screen.
const PICTURE_AFTER: Duration = Duration::from_secs(2);
/// How often viewers that fell behind are looked after.
const STRAGGLERS: Duration = Duration::from_millis(100);

/// How a session's task begins.
#[derive(Debug)]
pub(crate) enum Begin {
    /// A new session.
    Spawn(Waiter),
    /// A run of an earlier daemon that lives, or has ended and waits to be collected.
    Adopt(Box<Adopted>),
    /// No run: the session rests as the journal says, or may have lost one.
    Rest(Option<String>),
    /// Its run is proven gone.
    Lost {
        /// How, for people.
        how: String,
        /// The machine was restarted since.
        rebooted: bool,
    },
}

/// A run that an earlier daemon started.
#[derive(Debug)]
pub(crate) struct Adopted {
    /// What is known of it.
    pub record: RunRecord,
    /// The definition it runs under.
    pub definition: Arc<Definition>,
    /// The link to its holder.
    pub link: Link,
    /// What its holder knows.
    pub status: Status,
}

/// The registry's end of a session's task.
#[derive(Clone, Debug)]
pub struct Handle {
    /// Where orders go.
    pub orders: mpsc::Sender<Order>,
    /// Everything known of the session, kept current; `None` once it is gone.
    pub info: watch::Receiver<Option<SessionInfo>>,
    /// Rights of the agent inside.
    pub allow: Vec<String>,
}

/// A session's task.
pub(crate) struct Task {
    house: Arc<House>,
    record: SessionRecord,
    variables: BTreeMap<String, String>,
    phase: Phase,
    /// The state that was published last, and since when, Unix milliseconds.
    shown: &'static str,
    /// The trouble that was told last.
    announced: Option<Trouble>,
    since: u64,
    injector: Injector,
    sight: Sight,
    drafting: Drafting,
    viewers: Viewers,
    orders: mpsc::Receiver<Order>,
    news: mpsc::UnboundedReceiver<News>,
    /// Helpers report here. Unbounded, but each entry answers one thing that this task set going.
    desk: mpsc::UnboundedSender<News>,
    injections: mpsc::Receiver<Injection>,
    sink: mpsc::Sender<Injection>,
    info: watch::Sender<Option<SessionInfo>>,
    /// Keys whose sender waits until the terminal has them.
    keys: HashMap<OperationId, Reply<()>>,
    /// Who else wants old output: from which offset, and at most how many bytes.
    readers: VecDeque<(u64, usize, GatheredFor)>,
    waiter: Option<(Waiter, Option<Instant>)>,
    /// A failed turn is to be tried again.
    retry: Option<Retry>,
    /// When failover is asked whether the session should go back to a mount that it prefers.
    homeward_at: Option<Instant>,
    /// When failover is asked whether a stuck session can go on.
    free_at: Option<Instant>,
    /// Changes when a mount may have become usable.
    reopened: watch::Receiver<u64>,
    /// Reports that failover has not answered yet.
    reports: usize,
    /// Whether post hands messages over.
    is_up: bool,
    /// The file that CONVERSATION was last answered from.
    told: Option<Told>,
    /// The key that the harness was given last, if it asked for one.
    given: Option<Given>,
    /// When the conversation is looked at next.
    conversation_at: Option<Instant>,
    /// The screen changed since it was last looked at.
    unseen: bool,
    /// Something that lists show may have changed.
    dirty: bool,
    stragglers_at: Option<Instant>,
}

/// Whether the task goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    On,
    /// The session is gone, or the daemon leaves it as it is.
    Over,
}

impl Task {
    /// A task and the registry's handle to it.
    pub fn new(
        house: Arc<House>,
        record: SessionRecord,
        variables: BTreeMap<String, String>,
    ) -> (Self, Handle) {
        let (orders_in, orders) = mpsc::channel(MAX_ORDERS);
        let (desk, news) = mpsc::unbounded_channel();
        let (sink, injections) = mpsc::channel(SessionSink::WINDOW * 3);
        let spec = &record.spec;
        let house_reopened = house.failover.reopened.clone();
        let rules = house.catalog.get(&spec.harness).map(|definition| Rules::of(&definition));
        let (info, watched) = watch::channel(Some(publish::blank(&record)));
        let handle = Handle { orders: orders_in, info: watched, allow: spec.allow.clone() };
        let task = Self {
            viewers: Viewers::new(&spec.name),
            phase: Phase::Starting { then_release: None },
            shown: "",
            announced: record.trouble.clone(),
            since: spec.spawned_at,
            injector: Injector::new(rules.unwrap_or_else(|_| Rules::unknown()), "starting"),
            sight: Sight::away("starting"),
            drafting: Drafting::default(),
            house,
            record,
            variables,
            orders,
            news,
            desk,
            injections,
            sink,
            info,
            keys: HashMap::new(),
            readers: VecDeque::new(),
            waiter: None,
            retry: None,
            homeward_at: None,
            free_at: None,
            reopened: house_reopened,
            reports: 0,
            is_up: false,
            told: None,
            given: None,
            conversation_at: None,
            unseen: false,
            dirty: true,
            stragglers_at: None,
        };
        (task, handle)
    }

    fn name(&self) -> &str {
        &self.record.spec.name
    }

    fn spec(&self) -> &SessionSpec {
        &self.record.spec
    }

    /// Stores everything that the next daemon has to know. It is not waited for, but committed before whatever is told
    /// post after it.
    fn keep(&mut self) {
        self.note_run();
        self.house.store(&self.record);
    }

    fn note_run(&mut self) {
        if let Some(live) = self.phase.live() {
            self.record.run = Some(live.record.clone());
        }
    }

    /// Runs the session until it is released or the daemon ends.
    pub async fn run(mut self, begin: Begin) {
        let mut flow = self.begin(begin).await;
        while flow == Flow::On {
            self.publish();
            let wake = self.wakes_at();
            flow = tokio::select! {
                biased;
                order = self.orders.recv() => self.obey(order.unwrap_or(Order::Leave)).await,
                Some(news) = self.news.recv() => self.learn(news).await,
                event = next_event(&mut self.phase) => self.hear(event).await,
                Some(injection) = self.injections.recv() => self.take(injection).await,
                Ok(()) = self.reopened.changed() => self.something_reopened(),
                () = until(wake) => Flow::On,
            };
            if flow == Flow::On {
                flow = self.turn().await;
            }
        }
    }

    /// What follows from whatever just happened, and from the time.
    async fn turn(&mut self) -> Flow {
        let now = Instant::now();
        self.look(now).await;
        self.look_after_viewers(now);
        self.look_after_waiter(now);
        self.look_at_conversation(now);
        if self.report_suspicion(now) {
            self.reports += 1;
        }
        if self.rest_if_exited().await == Flow::Over || self.restart_if_due(now).await == Flow::Over {
            return Flow::Over;
        }
        if self.retry_if_due(now).await == Flow::Over {
            return Flow::Over;
        }
        self.ask_homeward_if_due(now);
        self.ask_whether_free_if_due(now);
        self.go_on_ending(now);
        if let Some(replay) = self.phase.live_mut().and_then(|live| live.replay.as_mut()) {
            replay.tick(now);
        }
        self.read_on();
        self.wake_if_parked().await;
        Flow::On
    }

    /// When [`Self::turn`] has something to do, if nothing else happens.
    fn wakes_at(&self) -> Option<Instant> {
        let live = match &self.phase {
            Phase::Running(live) => Some(live),
            _ => None,
        };
        let now = Instant::now();
        let later = |at: Instant| (at > now).then_some(at);
        [
            self.injector.wakes_at(),
            live.filter(|_| !self.sight.settled).map(|live| live.rests_at(SETTLES)),
            live.map(|live| live.rests_at(live.definition.injection.quiet)).and_then(later),
            live.filter(|live| live.has_unpictured()).map(|live| live.rests_at(PICTURE_AFTER)),
            self.drafting.wakes_at().and_then(later),
            self.waiter.as_ref().and_then(|(_, until)| *until),
            self.stragglers_at,
            self.conversation_at,
            live.and_then(|live| live.suspicion.wakes_at()),
            self.retry.as_ref().map(|retry| retry.at),
            self.homeward_at.and_then(later),
            self.free_at.and_then(later),
            self.phase.live().and_then(|live| live.replay.as_ref()?.wakes_at()),
            self.phase.wakes_at(),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// The next event of the run's holder; never, where there is none.
async fn next_event(phase: &mut Phase) -> Vec<HolderEvent> {
    let Some(live) = phase.live_mut() else { return std::future::pending().await };
    let Some(first) = live.events.recv().await else { return std::future::pending().await };
    let mut batch = vec![first];
    while batch.len() < BATCH {
        match live.events.try_recv() {
            Ok(event) => batch.push(event),
            Err(_) => break,
        }
    }
    batch
}

async fn until(wake: Option<Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
