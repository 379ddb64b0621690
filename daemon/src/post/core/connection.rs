//! One connection, as post sees it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use posthouse_protocol::Encoding;

use super::NameId;
use super::directory::ShadowBinding;
use super::effects::Given;
use crate::post::command::ConnId;
use crate::principal::Principal;

/// A connection that has its name.
#[derive(Debug)]
pub(crate) struct Conn {
    pub id: ConnId,
    pub name: NameId,
    pub principal: Principal,
    /// Its process, where the daemon sees it.
    pub pid: Option<u32>,
    /// The name it said, which every message of it is from.
    pub from: Arc<str>,
    pub auxiliary: bool,
    pub encoding: Encoding,
    /// As WELCOME said; lent to the header of every DELIVER.
    pub session_id: String,
    pub takes: Takes,
    /// Largest payload it may be sent, in bytes.
    pub max_frame: usize,
    /// Deliveries it may leave unacknowledged.
    pub window: usize,
    pub topics: Vec<Arc<str>>,
    pub shadows: Option<ShadowBinding>,
    /// Where its last message went: senders mostly talk to one name.
    pub route: Option<(Arc<str>, NameId)>,
    /// Frames of this turn, not yet in the outbox.
    pub out: BytesMut,
    /// Messages among them that are delivered once they are written.
    pub given: Vec<Given>,
    /// Room to make for them, in bytes: what the last turn needed.
    pub usual_chunk: usize,
}

/// Least and most room made for the frames of one turn before any is written, in bytes.
const CHUNK: std::ops::RangeInclusive<usize> = 512..=64 * 1024;

/// What the client said that it can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Takes {
    pub receipts: bool,
    pub busy: bool,
    /// Acknowledges deliveries.
    pub acks: bool,
    /// Speaks Agent Relay's dialect, in which everyone is told of every arrival.
    pub arrivals: bool,
}

impl Conn {
    /// The frames of this turn.
    pub fn take_chunk(&mut self) -> Bytes {
        self.usual_chunk = self.out.len().clamp(*CHUNK.start(), *CHUNK.end());
        std::mem::take(&mut self.out).freeze()
    }

    pub fn subscribes(&self, topic: &str) -> bool {
        self.topics.iter().any(|t| &**t == topic)
    }
}
