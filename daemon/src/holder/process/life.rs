//! The life of the run: its leader's end, who is left after it, and the ladder that ends them all.

use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::ending::Move;
use super::holder::Holder;
use super::outlet::Outlet;
use crate::holder::run::{Exit, Survivor};
use crate::holder::survey;
use crate::holder::wire::{Event, Exited, Remains};

/// How long the exit is held back for output that is still in the terminal. Only descendants that
/// keep the terminal open make it last that long.
const DRAIN: Duration = Duration::from_millis(50);
/// The least time between two looks for survivors while the run is being ended.
const ENDING_LOOK_PAUSE: Duration = Duration::from_millis(2);
/// The same when nobody is ending it.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// How often survivors are looked for whose end no signal tells: marked ones outside of the tree.
const IDLE_LOOK_PAUSE: Duration = Duration::from_secs(5);
/// Survivors named in one message.
pub(super) const MAX_NAMED: usize = 64;

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
    /// Proven: nothing.
    Nothing,
    Processes {
        survivors: Vec<Survivor>,
        looked: Instant,
        /// A child has ended since, or the last look proved nothing.
        look_again: bool,
    },
}

impl Holder {
    pub(super) const fn leader_lives(&self) -> bool {
        matches!(self.life, Life::Running)
    }

    pub(super) const fn is_gone(&self) -> bool {
        matches!(self.life, Life::Over { remains: Left::Nothing, .. })
    }

    /// Tells the daemon, if there is one, after the output that came before.
    pub(super) fn announce(&mut self, event: Event) {
        if self.daemon.is_some() {
            self.held_back.push(event);
        }
    }

    /// Tells a new daemon what has ended already, after the output of the streams that it follows
    /// in the same breath as it says HELLO.
    pub(super) fn announce_the_past(&mut self) {
        let Life::Over { exit, remains } = &self.life else { return };
        let exited = Event::Exited(Exited { exit: *exit });
        let rest = match remains {
            Left::Nothing => Event::Gone(()),
            Left::Processes { survivors, .. } => {
                Event::Remains(Remains { survivors: survivors.iter().take(MAX_NAMED).cloned().collect() })
            }
        };
        self.announce(exited);
        self.announce(rest);
    }

    pub(super) fn advance_life(&mut self, now: Instant) -> Option<Instant> {
        if let Life::Draining { exit, until } = self.life {
            if now < until && !self.outlets.iter().all(Outlet::has_ended) {
                return Some(until);
            }
            self.conclude(exit, now);
        }
        if self.next_look().is_some_and(|due| due <= now) {
            self.look(now);
        }
        self.next_look()
    }

    /// When to look for survivors next, if there may be any.
    fn next_look(&self) -> Option<Instant> {
        let Life::Over { remains: Left::Processes { looked, look_again, .. }, .. } = &self.life else {
            return None;
        };
        let pause = match (look_again, &self.ending) {
            (true, Some(_)) => ENDING_LOOK_PAUSE,
            (true, None) => LOOK_PAUSE,
            (false, _) => IDLE_LOOK_PAUSE,
        };
        Some(*looked + pause)
    }

    fn conclude(&mut self, exit: Exit, now: Instant) {
        self.mark_outlets(now);
        self.inlet.close(&mut self.news);
        self.announce(Event::Exited(Exited { exit }));
        let remains = Left::Processes { survivors: Vec::new(), looked: now, look_again: true };
        self.life = Life::Over { exit, remains };
        let mut survivors = self.look(now);
        if !self.is_gone() && self.ending.is_none() {
            survivors.truncate(MAX_NAMED);
            self.announce(Event::Remains(Remains { survivors }));
        }
    }

    /// Has what was said until now told before the news that follows. A loop that comes late may find
    /// a terminal's last words unread.
    fn mark_outlets(&mut self, now: Instant) {
        self.outlets.iter_mut().for_each(|outlet| outlet.mark(now));
    }

    pub(super) fn advance_ending(&mut self, now: Instant) -> Option<Instant> {
        while !self.is_gone() {
            match self.ending.as_mut()?.next_move(now) {
                Move::WaitUntil(due) => return Some(due),
                Move::Signal(signal) => self.signal_politely(signal, now),
                Move::Kill => {
                    if let Some(group) = &self.group {
                        group.kill();
                    }
                    signal_each(&self.look(now), Signal::SIGKILL);
                }
                Move::GiveUp => {
                    self.ending = None;
                    let mut survivors = self.look(now);
                    if !self.is_gone() {
                        survivors.truncate(MAX_NAMED);
                        self.announce(Event::NotGone(Remains { survivors }));
                    }
                }
            }
        }
        self.ending = None;
        None
    }

    /// Signals the leader's group (the leader leads it for good), or whoever is left once the
    /// leader has ended. Stopped processes are continued: they could not act on it otherwise.
    fn signal_politely(&mut self, signal: i32, now: Instant) {
        let Ok(signal) = Signal::try_from(signal) else { return };
        if self.leader_lives() {
            let _ = killpg(self.pid, signal);
            let _ = killpg(self.pid, Signal::SIGCONT);
        } else {
            let survivors = self.look(now);
            signal_each(&survivors, signal);
            signal_each(&survivors, Signal::SIGCONT);
        }
    }

    /// Finds who is left, and says so when it is nobody. The run counts as gone only if the kernel
    /// knows no child of this subreaper (so there is no descendant either) and no process carries
    /// the mark.
    pub(super) fn look(&mut self, now: Instant) -> Vec<Survivor> {
        let childless = self.reap(now);
        let looked = survey::survivors(self.run, Some(std::process::id()));
        let proven = childless && looked.as_ref().is_ok_and(Vec::is_empty);
        let survivors = looked.unwrap_or_default();
        let was_gone = self.is_gone();
        if let Life::Over { remains, .. } = &mut self.life {
            *remains = if proven {
                Left::Nothing
            } else {
                let look_again = survivors.is_empty();
                Left::Processes { survivors: survivors.clone(), looked: now, look_again }
            };
        }
        if self.is_gone() && !was_gone {
            self.mark_outlets(now);
            self.announce(Event::Gone(()));
        }
        survivors
    }

    /// Collects ended children. Returns whether none is left.
    pub(super) fn reap(&mut self, now: Instant) -> bool {
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
}

fn signal_each(survivors: &[Survivor], signal: Signal) {
    for survivor in survivors {
        let _ = kill(Pid::from_raw(survivor.pid.cast_signed()), signal);
    }
}
