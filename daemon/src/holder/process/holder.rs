//! The holder's state and its loop.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::conn::Conn;
use super::door::Door;
use super::ending::{Ending, Move};
use super::inlet::Inlet;
use super::launch::Launched;
use super::outlet::Outlet;
use super::watch::Watch;
use crate::holder::run::{Exit, RunId, Size, Survivor};
use crate::holder::script::Report;
use crate::holder::survey;
use crate::holder::wire::{Event, Exited, Operation, Remains};

/// How long the exit is held back for output that is still in the terminal. Only descendants that
/// keep the terminal open make it last that long.
const DRAIN: Duration = Duration::from_millis(50);
/// The least time between two looks for survivors that nobody is ending.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// How often a holder whose run is gone checks that somebody can still collect it.
const REACHABLE_PAUSE: Duration = Duration::from_secs(60);
/// Survivors named in one message.
const MAX_SURVIVORS: usize = 64;

/// Wakes the loop for signals.
pub(super) struct Signals {
    pub wake: UnixStream,
    /// SIGTERM came: leave as soon as the run is gone, collected or not.
    pub terminated: Arc<AtomicBool>,
}

/// Where the run's leader stands.
pub(super) enum Life {
    Running,
    /// It has ended; its last output is being read.
    Draining {
        exit: Exit,
        until: Instant,
    },
    Over {
        exit: Exit,
        remains: Left,
    },
}

/// What is left after the leader.
pub(super) enum Left {
    Nothing,
    Processes { survivors: Vec<Survivor>, looked: Instant, look_again: bool },
}

pub(super) struct Holder {
    pub run: RunId,
    pub pid: Pid,
    pub life: Life,
    pub inlet: Inlet,
    pub outlets: Vec<Outlet>,
    pub daemon: Option<Conn>,
    pub size: Option<Size>,
    pub answered: u64,
    pub note: Vec<u8>,
    pub ending: Option<Ending>,
    pub collected: bool,
    pub news: Vec<Report>,
    door: Door,
    signals: Signals,
}

/// What became ready.
#[derive(Clone, Copy)]
enum Ready {
    Signals,
    Listener,
    Guest(usize),
    Daemon,
    Inlet,
    Outlet(usize),
}

impl Holder {
    pub fn new(
        run: RunId,
        size: Option<Size>,
        ring: usize,
        launched: Launched,
        door: Door,
        signals: Signals,
    ) -> Self {
        Self {
            run,
            pid: Pid::from_raw(launched.pid.cast_signed()),
            life: Life::Running,
            inlet: Inlet::new(launched.input),
            outlets: launched.outputs.into_iter().map(|(id, fd)| Outlet::new(id, fd, ring)).collect(),
            daemon: None,
            size,
            answered: 0,
            note: Vec::new(),
            ending: None,
            collected: false,
            news: Vec::new(),
            door,
            signals,
        }
    }

    pub fn serve_until_collected(mut self) {
        loop {
            let deadline = self.advance(Instant::now());
            self.publish();
            if self.may_leave() {
                self.door.close();
                return;
            }
            let ready = self.wait(deadline);
            let now = Instant::now();
            for each in ready {
                self.handle(each, now);
            }
        }
    }

    pub const fn leader_lives(&self) -> bool {
        matches!(self.life, Life::Running)
    }

    pub const fn is_gone(&self) -> bool {
        matches!(self.life, Life::Over { remains: Left::Nothing, .. })
    }

    pub fn tell(&mut self, event: &Event) {
        if let Some(daemon) = &mut self.daemon {
            daemon.push(0, event);
        }
    }

    /// The newest daemon is the one: an older connection hears so and ends.
    pub fn replace_daemon(&mut self, new: Option<Conn>) -> Option<Conn> {
        for outlet in &mut self.outlets {
            outlet.unfollow();
        }
        std::mem::replace(&mut self.daemon, new)
    }

    /// Does all that is due. Returns when something is due next.
    fn advance(&mut self, now: Instant) -> Option<Instant> {
        let mut news = std::mem::take(&mut self.news);
        let script_due = self.inlet.push(&mut news);
        for report in news.drain(..) {
            self.tell(&Event::Operation(Operation { report }));
        }
        self.news = news;
        self.door.expire(now);
        let leader_lives = self.leader_lives();
        for outlet in &mut self.outlets {
            outlet.look_again(now, leader_lives);
        }
        let mut due =
            vec![self.advance_life(now), self.advance_ending(now), script_due, self.door.deadline()];
        due.extend(self.outlets.iter().map(Outlet::deadline));
        if self.is_gone() && self.daemon.is_none() {
            due.push(Some(now + REACHABLE_PAUSE));
        }
        due.into_iter().flatten().min()
    }

    fn advance_life(&mut self, now: Instant) -> Option<Instant> {
        match self.life {
            Life::Draining { exit, until } => {
                if now < until && !self.outlets.iter().all(Outlet::has_ended) {
                    return Some(until);
                }
                // The output that precedes the exit is sent before it.
                self.publish();
                self.tell(&Event::Exited(Exited { exit }));
                self.life = Life::Over { exit, remains: Left::Nothing };
                let mut news = std::mem::take(&mut self.news);
                self.inlet.close(&mut news);
                self.news = news;
                let survivors = self.look(now);
                if survivors.is_empty() {
                    self.tell(&Event::Gone(()));
                } else if self.ending.is_none() {
                    self.tell(&Event::Remains(Remains { survivors }));
                }
                None
            }
            Life::Over { remains: Left::Processes { looked, look_again: true, .. }, .. } => {
                let at = if self.ending.is_some() { now } else { looked + LOOK_PAUSE };
                if now < at {
                    return Some(at);
                }
                if self.look(now).is_empty() {
                    self.tell(&Event::Gone(()));
                }
                None
            }
            Life::Running | Life::Over { .. } => None,
        }
    }

    fn advance_ending(&mut self, now: Instant) -> Option<Instant> {
        while !self.is_gone() {
            match self.ending.as_mut()?.next_move(now) {
                Move::WaitUntil(at) => return Some(at),
                Move::Signal(signal) => self.signal_politely(signal),
                Move::Kill => {
                    for survivor in self.look(now) {
                        let _ = kill(Pid::from_raw(survivor.pid.cast_signed()), Signal::SIGKILL);
                    }
                }
                Move::GiveUp => {
                    self.ending = None;
                    let survivors = self.look(now);
                    if !survivors.is_empty() {
                        self.tell(&Event::NotGone(Remains { survivors }));
                    }
                    return None;
                }
            }
        }
        self.ending = None;
        None
    }

    /// Signals the leader and its group, or whoever is left once the leader has ended. Stopped
    /// processes are continued: they could not act on it otherwise.
    fn signal_politely(&mut self, signal: i32) {
        let Ok(signal) = Signal::try_from(signal) else { return };
        for each in [signal, Signal::SIGCONT] {
            if self.leader_lives() {
                let _ = kill(self.pid, each);
                let _ = killpg(self.pid, each);
            } else {
                for survivor in self.look(Instant::now()) {
                    let _ = kill(Pid::from_raw(survivor.pid.cast_signed()), each);
                }
            }
        }
    }

    /// Finds who is left. The run counts as gone only if the kernel knows no child of this
    /// subreaper (so there is no descendant either) and no process carries the mark.
    pub fn look(&mut self, now: Instant) -> Vec<Survivor> {
        let childless = self.reap(now);
        let mut survivors = survey::survivors(self.run, Some(std::process::id()))
            .unwrap_or_else(|e| vec![Survivor { pid: 0, name: format!("unknown: {e}") }]);
        survivors.truncate(MAX_SURVIVORS);
        if let Life::Over { remains, .. } = &mut self.life {
            *remains = if childless && survivors.is_empty() {
                Left::Nothing
            } else {
                Left::Processes {
                    survivors: survivors.clone(),
                    looked: now,
                    look_again: survivors.is_empty(),
                }
            };
        }
        survivors
    }

    /// Collects ended children. Returns whether none is left.
    fn reap(&mut self, now: Instant) -> bool {
        loop {
            let (pid, exit) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, Exit::Code(code)),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, Exit::Signal(signal as i32)),
                Ok(WaitStatus::StillAlive) => return false,
                Err(Errno::ECHILD) => return true,
                Ok(_) | Err(Errno::EINTR) => continue,
                Err(_) => return false,
            };
            if pid == self.pid && self.leader_lives() {
                self.life = Life::Draining { exit, until: now + DRAIN };
            } else if let Life::Over { remains: Left::Processes { look_again, .. }, .. } = &mut self.life {
                *look_again = true;
            }
        }
    }

    fn publish(&mut self) {
        let Some(daemon) = &mut self.daemon else { return };
        let sent = daemon.flush().and_then(|()| {
            self.outlets.iter_mut().try_for_each(|outlet| outlet.publish(daemon))?;
            daemon.flush()
        });
        if sent.is_err() {
            self.replace_daemon(None);
        }
    }

    fn may_leave(&self) -> bool {
        if self.collected {
            return self.daemon.as_ref().is_none_or(Conn::is_flushed);
        }
        let forsaken = || {
            self.signals.terminated.load(Ordering::Relaxed)
                || (self.daemon.is_none() && !self.door.is_reachable())
        };
        self.is_gone() && forsaken()
    }

    fn wait(&self, deadline: Option<Instant>) -> Vec<Ready> {
        let mut watch = Watch::default();
        watch.add(Ready::Signals, self.signals.wake.as_fd(), PollFlags::POLLIN);
        if let Some(daemon) = &self.daemon {
            let unsent = if daemon.is_flushed() { PollFlags::empty() } else { PollFlags::POLLOUT };
            watch.add(Ready::Daemon, daemon.fd(), PollFlags::POLLIN | unsent);
        }
        if let Some(fd) = self.inlet.waiting_fd() {
            watch.add(Ready::Inlet, fd, PollFlags::POLLOUT);
        }
        for (index, outlet) in self.outlets.iter().enumerate() {
            if let Some(fd) = outlet.fd() {
                watch.add(Ready::Outlet(index), fd, PollFlags::POLLIN);
            }
        }
        // Backwards, because hearing a guest may remove it.
        for (index, fd) in self.door.guests().enumerate().rev() {
            watch.add(Ready::Guest(index), fd, PollFlags::POLLIN);
        }
        watch.add(Ready::Listener, self.door.listener(), PollFlags::POLLIN);
        watch.wait(deadline)
    }

    fn handle(&mut self, ready: Ready, now: Instant) {
        match ready {
            Ready::Signals => {
                let mut scrap = [0; 64];
                while matches!((&self.signals.wake).read(&mut scrap), Ok(count) if count == scrap.len()) {}
                self.reap(now);
            }
            Ready::Listener => self.door.accept(now),
            Ready::Guest(index) => {
                if let Some((conn, tag, hello)) = self.door.hear(index) {
                    self.greet(conn, tag, hello);
                }
            }
            Ready::Daemon => self.listen(),
            Ready::Inlet => self.inlet.unblock(),
            Ready::Outlet(index) => {
                let leader_lives = self.leader_lives();
                if let Some(outlet) = self.outlets.get_mut(index) {
                    outlet.drain(now, leader_lives);
                }
            }
        }
    }
}
