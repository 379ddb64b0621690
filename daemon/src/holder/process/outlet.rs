//! One output stream of the run: its descriptor, its ring and how much of it the daemon was sent.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::unistd::read;

use super::conn::Conn;
use crate::holder::ring::{Keep, Ring};
use crate::holder::run::StreamId;
use crate::holder::wire::{Event, Follow, MAX_OUTPUT, StreamEnd, StreamStatus};

/// How often a terminal that nobody has open is looked at while the leader lives: it may be opened
/// again, and poll would report the hang-up without pause.
const HANGUP_PAUSE: Duration = Duration::from_millis(250);

pub(super) struct Outlet {
    id: StreamId,
    source: Source,
    ring: Ring,
    following: Option<Following>,
    /// What came before the leader's end.
    mark: u64,
}

enum Source {
    Open(OwnedFd),
    /// A terminal that no process has open now.
    HungUp(OwnedFd, Instant),
    Ended,
}

struct Following {
    sent: u64,
    /// Sent and not acknowledged: a range more for each gap in between.
    in_flight: VecDeque<Range<u64>>,
    window: u64,
    end_told: bool,
}

impl Following {
    fn allowed(&self) -> usize {
        let in_flight: u64 = self.in_flight.iter().map(|range| range.end - range.start).sum();
        usize::try_from(self.window.saturating_sub(in_flight)).unwrap_or(usize::MAX)
    }

    fn sent(&mut self, from: u64, count: u64) {
        self.sent = from + count;
        match self.in_flight.back_mut() {
            Some(last) if last.end == from => last.end = self.sent,
            _ => self.in_flight.push_back(from..self.sent),
        }
    }

    fn acked(&mut self, upto: u64) {
        while let Some(first) = self.in_flight.front_mut() {
            if first.end > upto {
                first.start = first.start.max(upto);
                return;
            }
            self.in_flight.pop_front();
        }
    }
}

impl Outlet {
    pub fn new(id: StreamId, fd: OwnedFd, ring: usize) -> Self {
        let keep = if id == StreamId::TERMINAL { Keep::Newest } else { Keep::Unreleased };
        Self { id, source: Source::Open(fd), ring: Ring::new(ring, keep), following: None, mark: 0 }
    }

    pub const fn id(&self) -> StreamId {
        self.id
    }

    pub const fn has_ended(&self) -> bool {
        matches!(self.source, Source::Ended)
    }

    pub const fn status(&self) -> StreamStatus {
        StreamStatus {
            stream: self.id,
            start: self.ring.start(),
            end: self.ring.end(),
            ended: self.has_ended(),
        }
    }

    /// What to poll for reading; none while the ring is full.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.source {
            Source::Open(fd) if !self.ring.is_full() => Some(fd.as_fd()),
            _ => None,
        }
    }

    /// When to look at a hung-up terminal again.
    pub const fn deadline(&self) -> Option<Instant> {
        match self.source {
            Source::HungUp(_, until) => Some(until),
            Source::Open(_) | Source::Ended => None,
        }
    }

    /// Reopens a terminal that has been hung up for long enough, or whose leader has died.
    pub fn look_again(&mut self, now: Instant, leader_lives: bool) {
        self.source = match std::mem::replace(&mut self.source, Source::Ended) {
            Source::HungUp(fd, until) if until <= now || !leader_lives => Source::Open(fd),
            other => other,
        };
    }

    /// Reads what is there, one frame's worth at most.
    pub fn drain(&mut self, now: Instant, leader_lives: bool) {
        let mut budget = MAX_OUTPUT;
        while budget > 0 {
            let Source::Open(fd) = &self.source else { return };
            let space = self.ring.space();
            let len = space.len().min(budget);
            let Some(space) = space.get_mut(..len).filter(|space| !space.is_empty()) else { return };
            match read(fd, space) {
                Ok(0) => self.source = Source::Ended,
                Ok(count) => {
                    self.ring.commit(count);
                    budget -= count;
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return,
                Err(Errno::EIO) if self.id == StreamId::TERMINAL && leader_lives => {
                    if let Source::Open(fd) = std::mem::replace(&mut self.source, Source::Ended) {
                        self.source = Source::HungUp(fd, now + HANGUP_PAUSE);
                    }
                }
                Err(_) => self.source = Source::Ended,
            }
        }
    }

    pub fn follow(&mut self, request: Follow) {
        let sent = request.from.clamp(self.ring.start(), self.ring.end());
        let window = request.window.into();
        self.following = Some(Following { sent, in_flight: VecDeque::new(), window, end_told: false });
    }

    pub fn unfollow(&mut self) {
        self.following = None;
    }

    pub fn ack(&mut self, upto: u64) {
        let upto = upto.min(self.ring.end());
        if let Some(following) = &mut self.following {
            following.acked(upto);
        }
        if self.id != StreamId::TERMINAL {
            self.ring.release(upto);
        }
    }

    /// Reads what the leader or the whole run left behind and marks it as preceding that end.
    pub fn mark(&mut self, now: Instant) {
        self.look_again(now, false);
        self.drain(now, false);
        self.mark = self.ring.end();
    }

    /// Whether the daemon has been sent what precedes the mark, the stream's own end included, if it
    /// wants this stream at all.
    pub fn has_sent_mark(&self) -> bool {
        self.following
            .as_ref()
            .is_none_or(|following| following.sent >= self.mark && (following.end_told || !self.has_ended()))
    }

    /// Sends one frame of what the daemon has not seen, if its window and its socket allow.
    /// Returns whether there was anything.
    pub fn publish(&mut self, conn: &mut Conn) -> io::Result<bool> {
        let ended = self.has_ended();
        let Some(following) = self.following.as_mut().filter(|_| conn.is_flushed()) else { return Ok(false) };
        // Only what can be sent now is skipped to: a gap grows while the window is shut.
        let allowed = following.allowed().min(MAX_OUTPUT);
        let from = following.sent.max(self.ring.start());
        let parts = self.ring.slices(from, allowed);
        let count = parts.0.len() + parts.1.len();
        if count > 0 {
            conn.send_output(self.id, from, parts)?;
            following.sent(from, count as u64);
        } else if ended && !following.end_told && following.sent == self.ring.end() {
            following.end_told = true;
            conn.push(0, &Event::StreamEnd(StreamEnd { stream: self.id, offset: self.ring.end() }));
        } else {
            return Ok(false);
        }
        Ok(true)
    }
}
