//! The holder's state and its loop.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::poll::PollFlags;
use nix::unistd::Pid;

use super::conn::Conn;
use super::door::Door;
use super::ending::Ending;
use super::inlet::Inlet;
use super::launch::Launched;
use super::life::Life;
use super::outlet::Outlet;
use super::watch::Watch;
use crate::holder::cgroup::RunGroup;
use crate::holder::run::{RunId, Size};
use crate::holder::script::Report;
use crate::holder::wire::{Event, Operation};

/// How often a holder whose run is gone checks that somebody can still collect it.
const REACHABLE_PAUSE: Duration = Duration::from_secs(60);

/// Wakes the loop for signals.
pub(super) struct Signals {
    pub wake: UnixStream,
    /// SIGTERM came: leave as soon as the run is gone, collected or not.
    pub terminated: Arc<AtomicBool>,
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
    /// Script reports to send.
    pub news: Vec<Report>,
    /// News of the run's end, to be sent after the output that precedes it.
    pub held_back: Vec<Event>,
    pub group: Option<RunGroup>,
    pub door: Door,
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
            held_back: Vec::new(),
            group: launched.group,
            door,
            signals,
        }
    }

    pub fn serve_until_collected(mut self) {
        loop {
            let deadline = self.advance(Instant::now());
            if self.publish().is_err() {
                self.replace_daemon(None);
                continue;
            }
            if self.may_leave() {
                self.door.close();
                if let Some(group) = &self.group {
                    group.remove();
                }
                return;
            }
            let ready = self.wait(deadline);
            let now = Instant::now();
            for each in ready {
                self.handle(each, now);
            }
        }
    }

    /// Puts another daemon, or none, in the place of the one there is.
    pub fn replace_daemon(&mut self, new: Option<Conn>) -> Option<Conn> {
        // What it has not heard, the next one learns from its status.
        self.held_back.clear();
        for outlet in &mut self.outlets {
            outlet.unfollow();
        }
        std::mem::replace(&mut self.daemon, new)
    }

    /// Does all that is due. Returns when something is due next.
    fn advance(&mut self, now: Instant) -> Option<Instant> {
        let script_due = self.inlet.push(&mut self.news);
        let life_due = self.advance_life(now);
        let ending_due = self.advance_ending(now);
        self.door.expire(now);
        let leader_lives = self.leader_lives();
        for outlet in &mut self.outlets {
            outlet.look_again(now, leader_lives);
        }
        let mut due = vec![script_due, life_due, ending_due, self.door.deadline()];
        due.extend(self.outlets.iter().map(Outlet::deadline));
        if self.is_gone() && self.daemon.is_none() {
            due.push(Some(now + REACHABLE_PAUSE));
        }
        due.into_iter().flatten().min()
    }

    /// Sends what the daemon may have, in order: reports, output, and what the output must precede.
    fn publish(&mut self) -> io::Result<()> {
        let Some(daemon) = &mut self.daemon else {
            self.news.clear();
            return Ok(());
        };
        for report in self.news.drain(..) {
            daemon.push(0, &Event::Operation(Operation { report }));
        }
        publish_to(daemon, &mut self.outlets, &mut self.held_back)
    }

    fn may_leave(&self) -> bool {
        if !self.is_gone() || self.daemon.as_ref().is_some_and(|daemon| !daemon.is_flushed()) {
            return false;
        }
        self.collected
            || self.signals.terminated.load(Ordering::Relaxed)
            || (self.daemon.is_none() && !self.door.is_reachable())
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

fn publish_to(daemon: &mut Conn, outlets: &mut [Outlet], held_back: &mut Vec<Event>) -> io::Result<()> {
    loop {
        daemon.flush()?;
        if !daemon.is_flushed() {
            return Ok(());
        }
        let mut sent = false;
        for outlet in &mut *outlets {
            sent |= outlet.publish(daemon)?;
        }
        if !held_back.is_empty() && outlets.iter().all(Outlet::has_sent_mark) {
            held_back.drain(..).for_each(|event| daemon.push(0, &event));
            sent = true;
        }
        if !sent {
            return Ok(());
        }
    }
}
