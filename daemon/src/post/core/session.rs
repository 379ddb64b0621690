//! Names of sessions: reserved before the process is started, up while it takes injections, down afterwards.

use posthouse_protocol::payload::AgentInfo;
use posthouse_protocol::{ErrorCode, Name, ReceiptState, Violation};

use super::directory::Seat;
use super::receipt::Step;
use super::{Core, NameId};

impl Core {
    /// Keeps a name for a session that is about to be started.
    pub fn reserve(&mut self, name: &str) -> Result<(), Violation> {
        let name = Name::parse(name)
            .map_err(|e| Violation::warning(ErrorCode::BadName, format!("failed to {e}")))?;
        let (id, was_known) = self.ensure(self.owner, name.as_str())?;
        if !was_known {
            self.join_general(id);
        }
        let Some(entry) = self.names.get(id) else { return Ok(()) };
        if entry.seat != Seat::Resting
            && let Some(by) = self.who_sits(&entry.seat)
        {
            let message = format!("{name} is taken by {by}");
            return Err(Violation::warning(ErrorCode::NameTaken, message));
        }
        let Some(entry) = self.names.get_mut(id) else { return Ok(()) };
        entry.lease = None;
        self.unhand(id);
        if let Some(entry) = self.names.get_mut(id) {
            entry.seat = Seat::Reserved;
        }
        self.take_volatile_back(id);
        self.keep(id);
        Ok(())
    }

    /// What is known of a session has changed.
    pub fn session_info(&mut self, id: NameId, info: AgentInfo) {
        if let Some(entry) = self.names.get_mut(id) {
            entry.info = AgentInfo { session: Some(true), ..info };
        }
        self.keep(id);
    }

    /// A session takes injections from now on. Says under which handle its injections come; `None` if the name is a
    /// connection's.
    pub fn session_up(&mut self, name: &str, info: AgentInfo) -> Option<NameId> {
        let (id, was_known) = self.ensure(self.owner, name).ok()?;
        if !was_known {
            self.join_general(id);
        }
        let entry = self.names.get_mut(id)?;
        match entry.seat {
            Seat::Client(_) | Seat::People(_) => return None,
            Seat::Session => self.take_back(id, "its session started anew"),
            Seat::Reserved | Seat::Resting | Seat::Empty => {
                entry.lease = None;
                self.unhand(id);
            }
        }
        let entry = self.names.get_mut(id)?;
        entry.info = AgentInfo { session: Some(true), ..info };
        entry.seat = Seat::Session;
        self.take_volatile_back(id);
        self.arrived.push(id);
        self.keep(id);
        self.pump(id);
        Some(id)
    }

    /// A session ended and stays listed, or its name is given back. Says under which handle its injections came.
    pub fn session_down(&mut self, name: &str, forget: bool) -> Option<NameId> {
        let id = self.names.find(self.owner, name)?;
        self.session_lost(id);
        let entry = self.names.get_mut(id)?;
        match (&entry.seat, forget) {
            (Seat::Empty | Seat::Resting, true) => {
                entry.seat = Seat::Empty;
                self.forget(id, "its session was released");
            }
            (Seat::Empty, false) => entry.seat = Seat::Resting,
            _ => {}
        }
        Some(id)
    }

    /// A session takes no injections any more.
    pub fn session_lost(&mut self, id: NameId) {
        if self.has_session(id) {
            self.take_back(id, "its session ended");
        }
        if let Some(entry) = self.names.get_mut(id).filter(|entry| entry.is_session()) {
            entry.seat = Seat::Empty;
        }
    }

    /// Gives a name up: what waits for it fails, and stays readable in the journal.
    pub(super) fn forget(&mut self, id: NameId, reason: &str) {
        self.fail_everything(id, reason);
        self.leave_channels(id);
        self.discard(id);
        self.names.forget(id);
        self.names.bury(id);
    }

    /// Ends all that waits for a name, or for its answer.
    pub(super) fn fail_everything(&mut self, id: NameId, reason: &str) {
        let Some(entry) = self.names.get_mut(id) else { return };
        let items = entry.queue.take_all(|_| true);
        let awaiting = std::mem::take(&mut entry.queue.awaiting);
        for item in items {
            let step = Step::new(ReceiptState::Failed, item.attempt).because(reason);
            self.end(id, &item.label().clone(), item.size, step);
        }
        for awaiting in awaiting.into_values() {
            let step = Step::new(ReceiptState::Failed, awaiting.attempt).because(reason);
            self.step(id, &awaiting.label, step);
        }
        self.names.bury(id);
    }
}
