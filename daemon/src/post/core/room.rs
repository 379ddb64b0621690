//! Room for new names: where there are as many as there may be, those are forgotten that nobody has used for the longest
//! time and for which nothing waits. Without it a program that takes a new name each time would lock everyone else out.

use posthouse_protocol::Violation;

use super::channel::GENERAL;
use super::directory::{Entry, Seat};
use super::{Core, NameId};

/// The part of all names that is forgotten at a time, so that they need not be looked through for each new one.
const PART: usize = 16;

impl Core {
    /// The name, made known if it was not; whether it was.
    pub(super) fn ensure(&mut self, owner: u32, name: &str) -> Result<(NameId, bool), Violation> {
        let most = self.quotas.names;
        if let Some(known) = self.names.find(owner, name) {
            return Ok((known, true));
        }
        if self.names.count_of(owner) >= most {
            self.forget_unused(owner, (most / PART).max(1));
        }
        Ok((self.names.ensure(owner, name, most)?, false))
    }

    fn forget_unused(&mut self, owner: u32, count: usize) {
        let unused = self.names.names_of(owner).filter(|(_, entry)| is_unused(entry));
        let mut unused: Vec<(u64, NameId)> = unused.map(|(id, entry)| (entry.left, id)).collect();
        unused.sort_unstable_by_key(|(left, _)| *left);
        for (_, id) in unused.into_iter().take(count) {
            self.forget(id, "nobody used the name");
        }
    }
}

fn is_unused(entry: &Entry) -> bool {
    let only_general = entry.channels.iter().all(|channel| **channel == *GENERAL);
    entry.seat == Seat::Empty
        && entry.conns.is_empty()
        && entry.queue.is_at_rest()
        && entry.info.session != Some(true)
        && only_general
}
