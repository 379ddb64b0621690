//! Every known name, who sits in its seat, and so where its messages go.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use posthouse_protocol::payload::AgentInfo;
use posthouse_protocol::{ErrorCode, Violation};

use super::arena::Arena;
use super::keyed::Keyed;
use super::queue::Queue;
use super::quota::Spent;
use super::{NameId, Slot};
use crate::journal::MessageId;

/// Who the name's primary is. A session, or the connection of a client, or several of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seat {
    /// Nobody: messages wait.
    Empty,
    /// A session that is being started.
    Reserved,
    /// A session.
    Session,
    /// A session that has ended and is still listed: its name and its mail are kept for it.
    Resting,
    /// A client.
    Client(Slot),
    /// A person, connected at least once.
    People(Vec<Slot>),
}

/// The one way that messages of a name take now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// None: they wait, for this reason.
    None(&'static str),
    /// To the session.
    Session,
    /// To a connection.
    One(Slot),
    /// To each of these; the first acknowledgement counts.
    Each(Vec<Slot>),
}

/// One name.
#[derive(Debug)]
pub(crate) struct Entry {
    pub name: Arc<str>,
    pub owner: u32,
    pub seat: Seat,
    /// The auxiliary that takes the messages in place of a client.
    pub lease: Option<Slot>,
    /// All connections of the name, auxiliaries included.
    pub conns: Vec<Slot>,
    pub queue: Queue,
    pub seqs: Seqs,
    pub identity: Identity,
    pub info: AgentInfo,
    /// Channels it is a member of.
    pub channels: Vec<Arc<str>>,
    /// Why its last connection was cut, until the next one has been told.
    pub cut: Option<Violation>,
    /// Messages its session still holds although someone else has them now.
    pub withdrawn: HashSet<MessageId>,
    /// Monotonic moment at which its last connection ended.
    pub left: u64,
    /// What it had the journal write.
    pub spent: Spent,
    /// Removed from the index; it lasts until the journal has answered for it.
    pub forgotten: bool,
}

/// What a primary brings back with its resume token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub session_id: String,
    /// Hash of the token.
    pub token: Option<[u8; 32]>,
    /// Whether a person has the name.
    pub person: bool,
}

/// Whose messages a connection is shown copies of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShadowBinding {
    pub of: NameId,
    pub incoming: bool,
    pub outgoing: bool,
}

/// The last sequence numbers given out for one recipient.
#[derive(Debug, Default)]
pub(crate) struct Seqs {
    plain: Keyed<NameId, u64>,
    by_topic: HashMap<(NameId, Arc<str>), u64>,
}

impl Seqs {
    pub fn next(&mut self, sender: NameId, topic: Option<&Arc<str>>) -> u64 {
        let last = match topic {
            None => self.plain.entry(sender).or_default(),
            Some(topic) => self.by_topic.entry((sender, topic.clone())).or_default(),
        };
        *last += 1;
        *last
    }

    /// Numbers up to `seq` have been used.
    pub fn used(&mut self, sender: NameId, topic: Option<&Arc<str>>, seq: u64) {
        let last = match topic {
            None => self.plain.entry(sender).or_default(),
            Some(topic) => self.by_topic.entry((sender, topic.clone())).or_default(),
        };
        *last = seq.max(*last);
    }
}

impl Entry {
    pub fn new(name: Arc<str>, owner: u32) -> Self {
        let info = AgentInfo {
            name: name.to_string(),
            cli: None,
            idle: None,
            parent: None,
            team: None,
            pid: None,
            session: None,
        };
        Self {
            name,
            owner,
            seat: Seat::Empty,
            lease: None,
            conns: Vec::new(),
            queue: Queue::default(),
            seqs: Seqs::default(),
            identity: Identity::default(),
            info,
            channels: Vec::new(),
            cut: None,
            withdrawn: HashSet::new(),
            left: 0,
            spent: Spent::default(),
            forgotten: false,
        }
    }

    pub fn path(&self) -> Path {
        match (&self.seat, self.lease) {
            (Seat::Session, _) => Path::Session,
            (Seat::Reserved, _) => Path::None("starting"),
            (_, Some(slot)) => Path::One(slot),
            (Seat::Client(slot), None) => Path::One(*slot),
            (Seat::People(slots), None) => Path::Each(slots.clone()),
            (Seat::Empty, None) => Path::None("not connected"),
            (Seat::Resting, None) => Path::None("its session has ended"),
        }
    }

    /// The path's connection where it is just one: the usual case, asked for every message.
    pub fn only_conn(&self) -> Option<Slot> {
        match (&self.seat, self.lease) {
            (Seat::Session | Seat::Reserved, _) => None,
            (_, Some(slot)) => Some(slot),
            (Seat::Client(slot), None) => Some(*slot),
            (Seat::People(_) | Seat::Empty | Seat::Resting, None) => None,
        }
    }

    /// Whether `slot` is one of the connections that deliveries go to.
    pub fn delivers_to(&self, slot: Slot) -> bool {
        match self.path() {
            Path::One(one) => one == slot,
            Path::Each(each) => each.contains(&slot),
            Path::Session | Path::None(_) => false,
        }
    }

    /// Whether a session is there, or about to be.
    pub fn is_session(&self) -> bool {
        matches!(self.seat, Seat::Session | Seat::Reserved)
    }

    /// Whether the name is a session's, be it one that has ended.
    pub fn is_of_session(&self) -> bool {
        self.is_session() || self.seat == Seat::Resting
    }

    /// Whether a message would find someone now.
    pub fn reachable(&self) -> bool {
        !matches!(self.path(), Path::None(_))
    }
}

/// All names.
#[derive(Debug)]
pub(crate) struct Directory {
    pub entries: Arena<Entry>,
    by_owner: HashMap<u32, HashMap<Arc<str>, NameId>>,
}

impl Directory {
    pub fn new() -> Self {
        Self { entries: Arena::new(), by_owner: HashMap::new() }
    }

    pub fn find(&self, owner: u32, name: &str) -> Option<NameId> {
        self.by_owner.get(&owner)?.get(name).copied()
    }

    pub fn get(&self, name: NameId) -> Option<&Entry> {
        self.entries.get(name)
    }

    pub fn get_mut(&mut self, name: NameId) -> Option<&mut Entry> {
        self.entries.get_mut(name)
    }

    /// The name, made known if it was not.
    ///
    /// # Errors
    /// The owner has `most` names already.
    pub fn ensure(&mut self, owner: u32, name: &str, most: usize) -> Result<NameId, Violation> {
        let names = self.by_owner.entry(owner).or_default();
        if !names.contains_key(name) && names.len() >= most {
            let message = format!("there are {most} names already (limits.names)");
            return Err(Violation::warning(ErrorCode::LimitExceeded, message));
        }
        Ok(self.recover(owner, name))
    }

    /// The same for a name that was known to an earlier daemon, however many there are.
    pub fn recover(&mut self, owner: u32, name: &str) -> NameId {
        let names = self.by_owner.entry(owner).or_default();
        if let Some(found) = names.get(name) {
            return *found;
        }
        let name: Arc<str> = name.into();
        let id = self.entries.insert(Entry::new(name.clone(), owner));
        names.insert(name, id);
        id
    }

    /// Takes the name out of the index; its entry stays until [`Directory::bury`].
    pub fn forget(&mut self, id: NameId) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.forgotten = true;
            if let Some(names) = self.by_owner.get_mut(&entry.owner) {
                names.remove(&entry.name);
            }
        }
    }

    /// Drops a forgotten entry that nothing waits for any more.
    pub fn bury(&mut self, id: NameId) {
        let done = |e: &Entry| e.forgotten && !e.queue.is_held_up() && e.conns.is_empty();
        if self.get(id).is_some_and(done) {
            self.entries.remove(id);
        }
    }

    /// How many names an owner has.
    pub fn count_of(&self, owner: u32) -> usize {
        self.by_owner.get(&owner).map_or(0, HashMap::len)
    }

    /// Every name of an owner, in no order.
    pub fn names_of(&self, owner: u32) -> impl Iterator<Item = (NameId, &Entry)> {
        let names = self.by_owner.get(&owner).into_iter().flat_map(HashMap::values);
        names.filter_map(|id| Some((*id, self.get(*id)?)))
    }
}
