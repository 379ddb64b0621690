//! Post without I/O: every input is a method with its moment as an argument, everything to be done is collected as
//! [`Effects`] and fetched at the end of a turn.
//!
//! A turn is whatever queued up for the actor while it was busy: all frames of it are encoded into one chunk per
//! connection, all changes into at most two submissions to the journal.

mod accept;
mod ack;
mod admit;
mod arena;
mod blocking;
mod broadcast;
mod channel;
mod commits;
mod connection;
mod deliver;
mod depart;
mod directory;
mod document;
mod effects;
mod frames;
mod ids;
mod inject;
mod keyed;
mod lease;
mod letter;
mod query;
mod queue;
mod quota;
mod receipt;
mod recover;
mod room;
mod send;
mod session;
mod shadow;
mod sweep;
mod time;
mod timer;
mod topic;
mod volatile;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use posthouse_protocol::{ErrorCode, Frame, FrameType, Violation};

pub(super) use admit::Applicant;
use arena::Handle;
pub(super) use effects::{Effects, Fetch, Given, Recall};
pub(super) use keyed::Keyed;
pub(super) use quota::Quotas;
pub(super) use time::Now;

use crate::post::command::ConnId;
use arena::Arena;
use blocking::Calls;
use channel::Channels;
use commits::{Commits, Noted};
use connection::Conn;
use directory::{Directory, Entry};
use ids::Ids;
use timer::Timers;

/// A name.
pub(crate) type NameId = Handle<Entry>;
/// A connection.
pub(crate) type Slot = Handle<Conn>;

/// Everything post knows.
#[derive(Debug)]
pub(crate) struct Core {
    /// The user the daemon runs as: the owner of its sessions.
    owner: u32,
    quotas: Quotas,
    now: Now,
    ids: Ids,
    /// Counts messages, for their order.
    order: u64,
    conns: Arena<Conn>,
    by_conn: Keyed<ConnId, Slot>,
    names: Directory,
    channels: Channels,
    calls: Calls,
    commits: Commits,
    timers: Timers,
    /// Endings that the journal could not take yet.
    unwritten: Vec<Noted>,
    /// Names that have come in and are not in the journal as they are now.
    unkept: Vec<NameId>,
    /// Connections with frames of this turn.
    touched: Vec<Slot>,
    /// Names that became reachable in this turn.
    arrived: Vec<NameId>,
    /// Connections that are shown copies of others' messages.
    shadows: Vec<Slot>,
    effects: Effects,
}

impl Core {
    /// An empty post of the daemon's user. `seed` makes the ids of this life differ from those of others.
    pub fn new(owner: u32, seed: u64, quotas: Quotas) -> Self {
        Self {
            owner,
            quotas,
            now: Now::default(),
            ids: Ids::new(seed),
            order: 0,
            conns: Arena::new(),
            by_conn: HashMap::default(),
            names: Directory::new(),
            channels: Channels::default(),
            calls: Calls::default(),
            commits: Commits::default(),
            timers: Timers::default(),
            unwritten: Vec::new(),
            unkept: Vec::new(),
            touched: Vec::new(),
            arrived: Vec::new(),
            shadows: Vec::new(),
            effects: Effects::default(),
        }
    }

    /// Starts a turn.
    pub fn at(&mut self, now: Now) {
        self.now = now;
    }

    /// Frames of one connection, in the order they were read. Those of a connection that is over are dropped.
    pub fn frames(&mut self, conn: ConnId, frames: Vec<Frame>) {
        let Some(slot) = self.by_conn.get(&conn).copied() else { return };
        for frame in frames {
            self.frame(slot, frame);
        }
    }

    fn frame(&mut self, slot: Slot, frame: Frame) {
        match frame.header.kind {
            FrameType::Send => self.on_send(slot, frame),
            FrameType::Ack => self.on_ack(slot, &frame),
            FrameType::Nack => self.on_nack(slot, &frame),
            FrameType::ChannelMessage => self.on_channel_message(slot, frame),
            FrameType::ChannelJoin => self.on_channel_join(slot, &frame),
            FrameType::ChannelLeave => self.on_channel_leave(slot, &frame),
            FrameType::Subscribe => self.on_subscribe(slot, &frame),
            FrameType::Unsubscribe => self.on_unsubscribe(slot, &frame),
            FrameType::ShadowBind => self.on_shadow_bind(slot, &frame),
            FrameType::ShadowUnbind => self.on_shadow_unbind(slot, &frame),
            FrameType::Claim => self.on_claim(slot, &frame),
            FrameType::Lease => self.on_lease(slot, &frame),
            other => {
                let message = format!("{other} is not a frame of the message plane");
                self.refuse(
                    slot,
                    &frame.header.id,
                    None,
                    &Violation::warning(ErrorCode::BadRequest, message),
                );
            }
        }
    }

    /// Ends a turn: everything that it wants done.
    pub fn finish(&mut self) -> Effects {
        self.announce_arrivals();
        if self.commits.has_news() {
            self.keep_newcomers();
        }
        let mut effects = std::mem::take(&mut self.effects);
        effects.submissions = self.commits.seal();
        for slot in self.touched.drain(..) {
            if let Some(conn) = self.conns.get_mut(slot)
                && !conn.out.is_empty()
            {
                effects.frames.push((conn.id, conn.take_chunk()));
                if !conn.given.is_empty() {
                    effects.given.push((conn.id, std::mem::take(&mut conn.given)));
                }
            }
        }
        effects
    }

    /// The monotonic moment at which [`Core::tick`] has something to do.
    pub fn next_due(&self) -> Option<u64> {
        self.timers.next()
    }

    fn next_order(&mut self) -> u64 {
        self.order += 1;
        self.order
    }
}
