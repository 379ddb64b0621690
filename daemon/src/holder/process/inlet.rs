//! The run's input: scripts, and the descriptor they are written to.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::unistd::write;

use crate::fail_point::{self, Point};
use crate::holder::script::{OperationId, Report, Scripts, State, Step, Turn};

pub(super) struct Inlet {
    fd: Option<OwnedFd>,
    scripts: Scripts,
    /// The child has not read what it has; poll says when it does.
    blocked: bool,
    /// Close the descriptor once nothing is queued.
    closing: bool,
}

impl Inlet {
    pub fn new(fd: OwnedFd) -> Self {
        Self { fd: Some(fd), scripts: Scripts::default(), blocked: false, closing: false }
    }

    /// The descriptor, for size and foreground group.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    /// What to poll for writing.
    pub fn waiting_fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd().filter(|_| self.blocked)
    }

    pub fn unblock(&mut self) {
        self.blocked = false;
    }

    /// Takes a script and runs it as far as it goes at once. Returns its own report; reports of
    /// others go to `news`.
    pub fn submit(&mut self, operation: OperationId, steps: Vec<Step>, news: &mut Vec<Report>) -> Report {
        fail_point::pass(Point::HolderWrite);
        let mut report = self.scripts.submit(operation, steps);
        if !report.state.is_final() {
            self.push(news);
            report = self.scripts.how_far(operation).unwrap_or(report);
            news.retain(|other| other.operation != operation);
        }
        report
    }

    pub fn cancel(&mut self, operation: OperationId) -> Option<Report> {
        self.scripts.cancel(operation)
    }

    pub fn how_far(&self, operation: OperationId) -> Option<Report> {
        self.scripts.how_far(operation)
    }

    pub fn reports(&self) -> Vec<Report> {
        self.scripts.reports().collect()
    }

    /// Closes the child's input after what is queued.
    pub fn close_when_idle(&mut self) {
        self.closing = true;
    }

    /// Closes the child's input and fails what is queued.
    pub fn close(&mut self, news: &mut Vec<Report>) {
        self.fd = None;
        self.scripts.fail(Errno::EPIPE as i32, news);
    }

    /// Writes what may be written. Returns when to come back.
    pub fn push(&mut self, news: &mut Vec<Report>) -> Option<Instant> {
        loop {
            let bytes = match self.scripts.turn(Instant::now(), news) {
                Turn::WaitUntil(until) => return Some(until),
                Turn::Idle => {
                    if self.closing {
                        self.fd = None;
                    }
                    return None;
                }
                Turn::Write(_) if self.blocked => return None,
                Turn::Write(bytes) => bytes,
            };
            match self.fd.as_ref().map_or(Err(Errno::EPIPE), |fd| write(fd, bytes)) {
                Ok(count) => {
                    self.scripts.wrote(count, Instant::now(), news);
                    pass(news.last());
                }
                Err(Errno::EAGAIN) => self.blocked = true,
                Err(Errno::EINTR) => {}
                Err(errno) => self.scripts.fail(errno as i32, news),
            }
        }
    }
}

/// The fail points between what is typed and what the daemon is told.
fn pass(latest: Option<&Report>) {
    match latest.map(|report| (report.state, report.steps_done)) {
        Some((State::Running, 1..)) => fail_point::pass(Point::HolderBody),
        Some((State::Done, _)) => fail_point::pass(Point::HolderEnter),
        _ => {}
    }
}

/// The answer to a script that has a step unknown here.
pub(super) fn not_understood(operation: OperationId) -> Report {
    Report { operation, steps_done: 0, partial_bytes: 0, state: State::NotUnderstood }
}
