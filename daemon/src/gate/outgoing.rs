//! Bytes on their way to a peer: takes chunks from the outlet and writes many of them with one system call.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use posthouse_protocol::Violation;

use super::line::Line;
use super::outbox::{Mark, Outlet, Parcel};
use crate::fail_point::{self, Point};

/// Most chunks per system call.
const SLICES: usize = 64;
/// An empty queue with more room than this is given back.
const ROOM_KEPT: usize = 64;

/// The writing side of one connection.
#[derive(Debug)]
pub(super) struct Outgoing {
    outlet: Outlet,
    pending: VecDeque<Bytes>,
    /// Bytes that were taken from the outlet, and how many of them the socket has.
    taken: u64,
    written: u64,
    /// Whoever wants to know when the socket has so many.
    marks: VecDeque<(u64, Mark)>,
}

/// Why writing came to an end.
#[derive(Debug)]
pub(super) enum WriteEnd {
    /// Someone asked for the connection to be closed, and what it is to be told first.
    End(Option<Box<Violation>>),
    /// The socket failed.
    Lost(io::Error),
}

impl Outgoing {
    pub(super) fn new(outlet: Outlet) -> Self {
        Self { outlet, pending: VecDeque::new(), taken: 0, written: 0, marks: VecDeque::new() }
    }

    /// Notes that the peer sent something.
    pub(super) fn heard(&self) {
        self.outlet.heard();
    }

    /// Writes as much as the socket takes. Ready only when the connection is to end.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, line: &mut Line) -> Poll<WriteEnd> {
        // Everything is taken at once, so that a request to close is never stuck behind what cannot be written. The
        // outbox's byte limit bounds what piles up here.
        while let Poll::Ready(Some(parcel)) = self.outlet.poll_parcel(cx) {
            match parcel {
                Parcel::Frames(chunk) => {
                    self.taken += chunk.len() as u64;
                    self.pending.push_back(chunk);
                }
                Parcel::Mark(mark) if self.pending.is_empty() => mark.reached(),
                Parcel::Mark(mark) => self.marks.push_back((self.taken, mark)),
                Parcel::End(why) => return Poll::Ready(WriteEnd::End(why)),
            }
        }
        match self.poll_flush(cx, line) {
            Poll::Ready(Err(e)) => Poll::Ready(WriteEnd::Lost(e)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }

    /// Writes what was taken from the outlet so far.
    fn poll_flush(&mut self, cx: &mut Context<'_>, line: &mut Line) -> Poll<io::Result<()>> {
        if self.pending.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while !self.pending.is_empty() {
            ready!(self.poll_some(cx, line))?;
        }
        line.flushed();
        if self.pending.capacity() > ROOM_KEPT {
            self.pending = VecDeque::new();
        }
        Poll::Ready(Ok(()))
    }

    /// What was not written yet, for the last flush.
    pub(super) fn into_pending(mut self) -> VecDeque<Bytes> {
        while let Some(parcel) = self.outlet.try_parcel() {
            if let Parcel::Frames(chunk) = parcel {
                self.pending.push_back(chunk);
            }
        }
        self.pending
    }

    fn poll_some(&mut self, cx: &mut Context<'_>, line: &mut Line) -> Poll<io::Result<()>> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut used = 0;
        for (slice, chunk) in slices.iter_mut().zip(&self.pending) {
            *slice = IoSlice::new(chunk);
            used += 1;
        }
        let written = ready!(line.poll_write(cx, slices.get(..used).unwrap_or_default()))?;
        fail_point::pass(Point::GateWritten);
        self.outlet.written(written);
        self.written += written as u64;
        while self.marks.front().is_some_and(|(at, _)| *at <= self.written)
            && let Some((_, mark)) = self.marks.pop_front()
        {
            mark.reached();
        }
        let mut left = written;
        while let Some(chunk) = self.pending.front_mut() {
            if left < chunk.len() {
                chunk.advance(left);
                break;
            }
            left -= chunk.len();
            self.pending.pop_front();
        }
        Poll::Ready(Ok(()))
    }
}
