//! Every open connection, for what concerns all of them: the heartbeat, readers that stopped, the end of the daemon.
//!
//! One ticker serves them all, and each tick pings only its share of them, so that a thousand idle connections neither
//! hold a thousand timers nor are pinged at the same instant. Without connections it does not tick at all.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use posthouse_protocol::{Encoding, ErrorCode, Violation, payload};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::outbox::Outbox;
use super::stamp;
use crate::config::Limits;

/// Ticks per heartbeat interval.
const SHARES: u32 = 8;
/// Commands that may wait.
const QUEUE: usize = 1024;

/// The handle; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Roster {
    commands: mpsc::Sender<Command>,
}

#[derive(Debug)]
enum Command {
    Join(Outbox),
    CloseAll(Violation),
}

impl Roster {
    /// Starts the roster on the current runtime. It ends with its last handle.
    pub(super) fn start(limits: &Limits) -> Self {
        let (commands, queue) = mpsc::channel(QUEUE);
        tokio::spawn(Keeper::new(limits).run(queue));
        Self { commands }
    }

    /// Adds a connection that was admitted.
    pub(super) async fn join(&self, outbox: &Outbox) {
        // The roster ends only with the daemon.
        let _ = self.commands.send(Command::Join(outbox.clone())).await;
    }

    /// Closes every connection.
    pub(super) async fn close_all(&self, why: Violation) {
        let _ = self.commands.send(Command::CloseAll(why)).await;
    }
}

struct Entry {
    outbox: Outbox,
    share: u32,
    missed: u32,
    written: u64,
    stuck_since: Option<Instant>,
}

struct Keeper {
    entries: Vec<Entry>,
    next_share: u32,
    missed_pongs: u32,
    slow: Duration,
    period: Duration,
}

impl Keeper {
    fn new(limits: &Limits) -> Self {
        let slow = Duration::from_millis(limits.slow_reader_ms.into());
        Self {
            entries: Vec::new(),
            next_share: 0,
            missed_pongs: limits.missed_pongs,
            slow,
            period: (Duration::from_millis(limits.heartbeat_ms.into()) / SHARES)
                .max(Duration::from_millis(1)),
        }
    }

    async fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        let mut ticks = tokio::time::interval(self.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut tick = 0;
        loop {
            tokio::select! {
                command = queue.recv() => match command {
                    Some(command) => {
                        if self.entries.is_empty() {
                            ticks.reset();
                        }
                        self.obey(command);
                    }
                    None => return,
                },
                _ = ticks.tick(), if !self.entries.is_empty() => {
                    tick = (tick + 1) % SHARES;
                    self.beat(tick, Instant::now());
                }
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Join(outbox) => {
                self.next_share = (self.next_share + 1) % SHARES;
                let share = self.next_share;
                self.entries.push(Entry { outbox, share, missed: 0, written: 0, stuck_since: None });
            }
            Command::CloseAll(why) => {
                self.entries.drain(..).for_each(|entry| entry.outbox.close(why.clone()))
            }
        }
    }

    fn beat(&mut self, tick: u32, now: Instant) {
        let mut pings = Pings::default();
        let (slow, missed_pongs) = (self.slow, self.missed_pongs);
        self.entries.retain_mut(|entry| {
            if entry.outbox.is_closed() {
                return false;
            }
            let verdict = match entry.check_reader(now, slow) {
                None if entry.share == tick => entry.check_heart(missed_pongs, &mut pings),
                verdict => verdict,
            };
            match verdict {
                Some(why) => {
                    entry.outbox.close(why);
                    false
                }
                None => true,
            }
        });
        if self.entries.is_empty() {
            self.entries = Vec::new();
        }
    }
}

impl Entry {
    /// Whether the reader took nothing for too long although something waits for it.
    fn check_reader(&mut self, now: Instant, slow: Duration) -> Option<Violation> {
        let written = self.outbox.written();
        if self.outbox.waiting() == 0 || written != self.written {
            self.written = written;
            self.stuck_since = None;
            return None;
        }
        let since = *self.stuck_since.get_or_insert(now);
        let stuck = now.duration_since(since);
        (stuck >= slow).then(|| slow_reader(&self.outbox))
    }

    fn check_heart(&mut self, allowed: u32, pings: &mut Pings) -> Option<Violation> {
        self.missed = if self.outbox.take_heard() { 0 } else { self.missed + 1 };
        if self.missed >= allowed {
            let message = format!("the client sent nothing while {allowed} PINGs went unanswered");
            return Some(Violation::fatal(ErrorCode::HeartbeatLost, message));
        }
        // A full outbox is the slow reader's case.
        let _ = pings.for_encoding(self.outbox.encoding()).map(|ping| self.outbox.push(ping));
        None
    }
}

/// What a client that stopped reading is told at its next HELLO.
pub(super) fn slow_reader(outbox: &Outbox) -> Violation {
    let message = format!("the client stopped reading with {} bytes waiting for it", outbox.waiting());
    Violation::fatal(ErrorCode::SlowConsumer, message)
}

/// The PING of one tick, encoded once per encoding.
#[derive(Default)]
struct Pings {
    json: Option<Bytes>,
    bincode: Option<Bytes>,
}

impl Pings {
    fn for_encoding(&mut self, encoding: Encoding) -> Option<Bytes> {
        let slot = match encoding {
            Encoding::Bincode => &mut self.bincode,
            _ => &mut self.json,
        };
        if slot.is_none() {
            *slot = ping(encoding);
        }
        slot.clone()
    }
}

fn ping(encoding: Encoding) -> Option<Bytes> {
    let id = stamp::fresh_id();
    let frame = stamp::frame(id.clone(), &payload::Ping { nonce: id }, encoding).ok()?;
    let mut out = BytesMut::new();
    frame.encode(encoding, posthouse_protocol::limits::MAX_FRAME, &mut out).ok()?;
    Some(out.freeze())
}
