//! Write scripts, pure: bytes and waits under an operation id, applied at most once, cancelled by
//! id, one after the other, and remembered for "how far?". The caller does the writing and owns the
//! clock.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use bincode::{Decode, Encode};
use uuid::Uuid;

/// Finished scripts remembered; an older one's id counts as new again.
pub const REMEMBERED: usize = 1024;
/// Scripts waiting or running at once.
pub const MAX_QUEUED: usize = 64;
/// Bytes waiting or being written at once.
pub const MAX_QUEUED_BYTES: usize = 4 << 20;
/// Steps of one script.
pub const MAX_STEPS: usize = 256;

/// Names one write, chosen by the daemon and never used twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OperationId(Uuid);

impl OperationId {
    /// Wraps an id made by the daemon (a UUIDv7).
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// The id as a UUID.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Debug for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OperationId({})", self.0.hyphenated())
    }
}

/// One step of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Writes these bytes to the child.
    Bytes(Vec<u8>),
    /// Lets at least this much time pass (whole milliseconds). A wait of zero joins what is
    /// around it into one write.
    Wait(Duration),
}

/// Where a script stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Others are before it.
    Queued,
    /// It is being applied.
    Running,
    /// All its steps are done.
    Done,
    /// It was cancelled; the steps done stay done.
    Cancelled,
    /// The child's input could not be written.
    Failed {
        /// The operating system's error number.
        errno: i32,
    },
    /// Too much is queued: nothing was done and the id is not used up.
    Full,
    /// The script has a kind of step that this holder does not know, or too many: nothing was done
    /// and the id is not used up.
    NotUnderstood,
    /// A state that only a later version knows: `(kind, value)`.
    Other(u16, i32),
}

impl State {
    /// Whether nothing more will happen to the script.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// How far a script is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Report {
    /// Which script.
    pub operation: OperationId,
    /// Steps wholly done.
    pub steps_done: u32,
    /// Bytes written of the step after those.
    pub partial_bytes: u32,
    /// Where it stands.
    pub state: State,
}

impl Report {
    /// Whether the script has ended without a byte of it written; its id is used up all the same.
    pub fn is_unused(&self) -> bool {
        matches!(self.state, State::Cancelled | State::Failed { .. })
            && self.steps_done == 0
            && self.partial_bytes == 0
    }
}

/// What the caller is to do now.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn<'a> {
    /// Write some of these bytes, then call [`Scripts::wrote`].
    Write(&'a [u8]),
    /// Come back at this time.
    WaitUntil(Instant),
    /// Nothing to do.
    Idle,
}

/// All scripts of one run.
#[derive(Debug, Default)]
pub struct Scripts {
    queue: VecDeque<Script>,
    finished: VecDeque<Report>,
    queued_bytes: usize,
}

impl Scripts {
    /// Takes a script, or says how far it is if its id was seen before.
    pub fn submit(&mut self, operation: OperationId, steps: Vec<Step>) -> Report {
        if let Some(known) = self.how_far(operation) {
            return known;
        }
        let refused = |state| Report { operation, steps_done: 0, partial_bytes: 0, state };
        if steps.len() > MAX_STEPS {
            return refused(State::NotUnderstood);
        }
        let script = Script::compile(operation, steps);
        let bytes = script.bytes;
        if self.queue.len() >= MAX_QUEUED || self.queued_bytes.saturating_add(bytes) > MAX_QUEUED_BYTES {
            return refused(State::Full);
        }
        self.queued_bytes += bytes;
        self.queue.push_back(script);
        self.how_far(operation).unwrap_or_else(|| refused(State::Queued))
    }

    /// What to do at `now`. Steps that the mere passing of time completes are reported to `news`.
    pub fn turn(&mut self, now: Instant, news: &mut Vec<Report>) -> Turn<'_> {
        self.settle(now, news);
        match self.queue.front() {
            None => Turn::Idle,
            Some(head) => match head.waiting_until {
                Some(until) => Turn::WaitUntil(until),
                None => Turn::Write(head.unwritten()),
            },
        }
    }

    /// Notes that `count` of the bytes of the last [`Turn::Write`] were written at `now`.
    pub fn wrote(&mut self, count: usize, now: Instant, news: &mut Vec<Report>) {
        let Some(head) = self.queue.front_mut() else { return };
        head.wrote(count);
        self.settle(now, news);
    }

    /// Fails every script: the child's input is closed for good.
    pub fn fail(&mut self, errno: i32, news: &mut Vec<Report>) {
        while !self.queue.is_empty() {
            news.extend(self.finish(0, State::Failed { errno }));
        }
    }

    /// Stops a script between steps or within one. A script that has ended keeps its ending; `None`
    /// if the id is not remembered.
    pub fn cancel(&mut self, operation: OperationId) -> Option<Report> {
        if let Some(at) = self.queue.iter().position(|script| script.operation == operation) {
            return self.finish(at, State::Cancelled);
        }
        self.how_far(operation)
    }

    /// How far a script is; `None` if the id is not remembered.
    pub fn how_far(&self, operation: OperationId) -> Option<Report> {
        let queued = self.queue.iter().enumerate().find(|(_, script)| script.operation == operation);
        queued
            .map(|(at, script)| script.report(if at == 0 { State::Running } else { State::Queued }))
            .or_else(|| self.finished.iter().rev().find(|report| report.operation == operation).copied())
    }

    /// Everything remembered, oldest first.
    pub fn reports(&self) -> impl Iterator<Item = Report> + '_ {
        let queued = self.queue.iter().enumerate();
        self.finished.iter().copied().chain(
            queued.map(|(at, script)| script.report(if at == 0 { State::Running } else { State::Queued })),
        )
    }

    /// Whether nothing waits or runs.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    fn settle(&mut self, now: Instant, news: &mut Vec<Report>) {
        while let Some(head) = self.queue.front_mut() {
            let before = head.steps_done();
            head.settle(now);
            if head.is_done() {
                news.extend(self.finish(0, State::Done));
                continue;
            }
            if head.steps_done() != before || head.announce {
                head.announce = false;
                news.push(head.report(State::Running));
            }
            return;
        }
    }

    fn finish(&mut self, at: usize, state: State) -> Option<Report> {
        let script = self.queue.remove(at)?;
        self.queued_bytes = self.queued_bytes.saturating_sub(script.bytes);
        let report = script.report(state);
        if self.finished.len() >= REMEMBERED {
            self.finished.pop_front();
        }
        self.finished.push_back(report);
        Some(report)
    }
}

/// One script, compiled so that bytes around waits of zero form one write.
#[derive(Debug)]
struct Script {
    operation: OperationId,
    segments: VecDeque<Segment>,
    /// Steps of segments that are behind us.
    passed: u32,
    /// Bytes written of the front segment.
    written: usize,
    /// Set while the wait after the front segment runs.
    waiting_until: Option<Instant>,
    /// Steps were completed since the last report.
    announce: bool,
    bytes: usize,
}

/// Bytes that go out together, and the wait after them.
#[derive(Debug, Default)]
struct Segment {
    bytes: Vec<u8>,
    /// For each step in it, how many of the bytes complete the step.
    ends: Vec<usize>,
    wait: Option<Duration>,
}

impl Script {
    fn compile(operation: OperationId, steps: Vec<Step>) -> Self {
        let mut segments = VecDeque::new();
        let mut open = Segment::default();
        for step in steps {
            match step {
                Step::Bytes(bytes) => {
                    open.bytes.extend_from_slice(&bytes);
                    open.ends.push(open.bytes.len());
                }
                Step::Wait(Duration::ZERO) => open.ends.push(open.bytes.len()),
                Step::Wait(wait) => {
                    open.wait = Some(wait);
                    segments.push_back(std::mem::take(&mut open));
                }
            }
        }
        segments.push_back(open);
        let bytes = segments.iter().map(|segment| segment.bytes.len()).sum();
        Self { operation, segments, passed: 0, written: 0, waiting_until: None, announce: false, bytes }
    }

    fn unwritten(&self) -> &[u8] {
        self.segments.front().and_then(|segment| segment.bytes.get(self.written..)).unwrap_or_default()
    }

    fn wrote(&mut self, count: usize) {
        let before = self.steps_done();
        self.written += count.min(self.unwritten().len());
        self.announce |= self.steps_done() != before;
    }

    /// Passes everything that needs no more writing at `now`.
    fn settle(&mut self, now: Instant) {
        while let Some(front) = self.segments.front() {
            if self.written < front.bytes.len() {
                return;
            }
            if let Some(wait) = front.wait {
                let until = *self.waiting_until.get_or_insert(now + wait);
                if now < until {
                    return;
                }
                self.passed += 1;
            }
            self.passed += count(front.ends.len());
            self.written = 0;
            self.waiting_until = None;
            self.segments.pop_front();
        }
    }

    fn is_done(&self) -> bool {
        self.segments.is_empty()
    }

    fn steps_done(&self) -> u32 {
        let in_front =
            self.segments.front().map_or(0, |front| front.ends.partition_point(|end| *end <= self.written));
        self.passed + count(in_front)
    }

    fn report(&self, state: State) -> Report {
        let step_start = self
            .segments
            .front()
            .and_then(|front| front.ends.iter().rev().find(|end| **end <= self.written))
            .copied()
            .unwrap_or(0);
        Report {
            operation: self.operation,
            steps_done: self.steps_done(),
            partial_bytes: count(self.written - step_start),
            state,
        }
    }
}

/// Steps and queued bytes are bounded far below `u32`.
fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
