//! Who is there: for lists, for STATUS, and for those who wait for a name to arrive.

use bytes::BytesMut;
use posthouse_protocol::payload::{AgentInfo, AgentReady};
use posthouse_protocol::{Encoding, ErrorCode, Frame, FrameType, Header, Violation, limits};

use super::{Core, NameId, Slot};
use crate::post::command::PostCounts;

/// Clients of Posthouse's own protocol subscribe to this topic to be told of arrivals; Agent Relay's always are.
pub(crate) const ARRIVALS: &str = "posthouse.arrivals";

impl Core {
    /// Every name of the daemon's user, or only the reachable ones; sorted.
    pub fn agents(&self, connected: bool) -> Vec<AgentInfo> {
        let names = self.names.names_of(self.owner).map(|(_, entry)| entry);
        let mut agents: Vec<AgentInfo> = names
            .filter(|entry| !connected || entry.reachable())
            .map(|entry| AgentInfo {
                idle: Some(!entry.reachable()),
                session: Some(entry.is_of_session()),
                ..entry.info.clone()
            })
            .collect();
        agents.sort_by(|a, b| a.name.cmp(&b.name));
        agents
    }

    /// Forgets an absent name; whether there was one.
    pub fn remove(&mut self, name: &str) -> Result<bool, Violation> {
        let Some(id) = self.names.find(self.owner, name) else { return Ok(false) };
        let here = |e: &super::Entry| e.reachable() || e.is_of_session() || !e.conns.is_empty();
        if self.names.get(id).is_some_and(here) {
            let message = format!("{name} is connected or a session; end that first");
            return Err(Violation::warning(ErrorCode::Forbidden, message));
        }
        self.forget(id, "the name was removed");
        Ok(true)
    }

    /// Figures for STATUS.
    pub fn counts(&self) -> PostCounts {
        let entries = || self.names.entries.iter().map(|(_, entry)| entry);
        PostCounts {
            connections: u32::try_from(self.conns.len()).unwrap_or(u32::MAX),
            reachable: u32::try_from(entries().filter(|e| e.reachable()).count()).unwrap_or(u32::MAX),
            queued: entries().map(|e| e.queue.len() as u64).sum(),
        }
    }

    /// Tells everyone who wants to know of the names that became reachable in this turn. Each is encoded once per
    /// encoding, however many are told.
    pub(super) fn announce_arrivals(&mut self) {
        if self.arrived.is_empty() {
            return;
        }
        let arrived = std::mem::take(&mut self.arrived);
        let audience: Vec<(Slot, NameId, Encoding)> = self
            .conns
            .iter()
            .filter(|(_, c)| if c.takes.arrivals { !c.auxiliary } else { c.subscribes(ARRIVALS) })
            .map(|(slot, c)| (slot, c.name, c.encoding))
            .collect();
        if audience.is_empty() {
            return;
        }
        for name in arrived {
            let Some(entry) = self.names.get(name).filter(|entry| entry.reachable()) else { continue };
            let owner = entry.owner;
            let ready = AgentReady {
                name: entry.name.to_string(),
                cli: entry.info.cli.clone(),
                task: None,
                connected_at: self.now.wall,
            };
            let header = Header::new(FrameType::AgentReady, self.fresh_id(), self.now.wall);
            let mut chunks: [Option<BytesMut>; 2] = [None, None];
            for (slot, _, encoding) in audience.iter().filter(|(_, own, _)| *own != name) {
                let at = usize::from(*encoding == Encoding::Bincode);
                let Some(chunk) = chunks.get_mut(at) else { continue };
                let chunk = chunk.get_or_insert_with(|| {
                    let mut chunk = BytesMut::new();
                    let frame = Frame::of(header.clone(), &ready, *encoding);
                    let written = frame.and_then(|f| f.encode(*encoding, limits::MAX_FRAME, &mut chunk));
                    if let Err(error) = written {
                        tracing::warn!(%error, "arrival not announced");
                    }
                    chunk
                });
                let Some(conn) = self.conns.get_mut(*slot).filter(|c| c.principal.uid == owner) else {
                    continue;
                };
                if conn.out.is_empty() && !chunk.is_empty() {
                    self.touched.push(*slot);
                }
                conn.out.extend_from_slice(chunk);
            }
        }
    }
}
