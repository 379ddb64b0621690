//! Channels: who is a member, who is told of it, and messages to them.
//!
//! Membership belongs to the name and outlives its connections. A channel message goes to the members who are
//! reachable when it is accepted, each with a receipt of its own.

use std::collections::HashMap;
use std::sync::Arc;

use posthouse_protocol::payload::{ChannelJoin, ChannelLeave, ChannelMessage, Message};
use posthouse_protocol::{Body, ErrorCode, Frame, FrameType, Header, Payload, Violation};

use super::{Core, NameId, Slot};
use crate::principal::Right;

/// The channel that every name is a member of from the start.
pub(super) const GENERAL: &str = "general";
/// Longest channel name, in bytes.
const MAX_NAME: usize = 128;

/// Members by owner and channel, in the order they joined.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    members: HashMap<(u32, Arc<str>), Vec<NameId>>,
}

impl Channels {
    fn of(&self, owner: u32, channel: &Arc<str>) -> &[NameId] {
        self.members.get(&(owner, channel.clone())).map_or(&[], Vec::as_slice)
    }

    /// Whether the member is new.
    pub fn add(&mut self, owner: u32, channel: Arc<str>, member: NameId) -> bool {
        let members = self.members.entry((owner, channel)).or_default();
        let new = !members.contains(&member);
        if new {
            members.push(member);
        }
        new
    }

    /// Whether it was a member. The last one's leaving ends the channel.
    fn remove(&mut self, owner: u32, channel: &Arc<str>, member: NameId) -> bool {
        let key = (owner, channel.clone());
        let Some(members) = self.members.get_mut(&key) else { return false };
        let before = members.len();
        members.retain(|other| *other != member);
        let found = members.len() < before;
        if members.is_empty() {
            self.members.remove(&key);
        }
        found
    }
}

/// The name of a channel without its mark.
fn bare(channel: &str) -> Result<Arc<str>, Violation> {
    let name = channel.strip_prefix('#').unwrap_or(channel);
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        let message = format!("a channel's name has 1 to {MAX_NAME} bytes and no control characters");
        return Err(Violation::warning(ErrorCode::BadName, message));
    }
    Ok(name.into())
}

impl Core {
    pub(super) fn on_channel_join(&mut self, slot: Slot, frame: &Frame) {
        let joined = frame.body.decode::<ChannelJoin>().map_err(Violation::from);
        let joined = joined.and_then(|join| {
            let channel = bare(&join.channel)?;
            let member = self.member_meant(slot, join.member.as_deref())?;
            if self.join(member, &channel)? && join.member.is_none() {
                self.tell_members(slot, member, &channel, FrameType::ChannelJoin, &join);
            }
            Ok(())
        });
        if let Err(violation) = joined {
            self.refuse(slot, &frame.header.id, None, &Violation { fatal: false, ..violation });
        }
    }

    pub(super) fn on_channel_leave(&mut self, slot: Slot, frame: &Frame) {
        let left = frame.body.decode::<ChannelLeave>().map_err(Violation::from);
        let left = left.and_then(|leave| {
            let channel = bare(&leave.channel)?;
            let member = self.member_meant(slot, leave.member.as_deref())?;
            if self.leave_channel(member, &channel) && leave.member.is_none() {
                self.tell_members(slot, member, &channel, FrameType::ChannelLeave, &leave);
            }
            Ok(())
        });
        if let Err(violation) = left {
            self.refuse(slot, &frame.header.id, None, &Violation { fatal: false, ..violation });
        }
    }

    /// Whose membership a frame is about: the connection's own, or somebody else's if it may.
    fn member_meant(&self, slot: Slot, member: Option<&str>) -> Result<NameId, Violation> {
        let refuse = |code, message: &str| Err(Violation::warning(code, message));
        let Some(conn) = self.conns.get(slot) else {
            return refuse(ErrorCode::Internal, "the connection is over");
        };
        if !conn.principal.may(Right::Send) {
            return refuse(ErrorCode::Forbidden, "an observer may not join or leave channels");
        }
        let Some(member) = member.filter(|member| **member != *conn.from) else { return Ok(conn.name) };
        if !conn.principal.may(Right::Administer) {
            return refuse(ErrorCode::Forbidden, "only an operator may change somebody else's membership");
        }
        match self.names.find(conn.principal.uid, member) {
            Some(name) => Ok(name),
            None => refuse(ErrorCode::NoSuchName, "there is nobody of that name"),
        }
    }

    /// Makes a name a member; `false` if it was one already.
    fn join(&mut self, name: NameId, channel: &Arc<str>) -> Result<bool, Violation> {
        let most = self.quotas.channels;
        let Some(entry) = self.names.get_mut(name) else { return Ok(false) };
        if entry.channels.contains(channel) {
            return Ok(false);
        }
        if entry.channels.len() >= most {
            let message = format!("a name may be a member of {most} channels (limits.channels_per_name)");
            return Err(Violation::warning(ErrorCode::LimitExceeded, message));
        }
        entry.channels.push(channel.clone());
        let owner = entry.owner;
        self.channels.add(owner, channel.clone(), name);
        self.keep(name);
        Ok(true)
    }

    /// Every new name is a member of the general channel. Its document is written by the caller.
    pub(super) fn join_general(&mut self, name: NameId) {
        let general: Arc<str> = GENERAL.into();
        let Some(entry) = self.names.get_mut(name) else { return };
        entry.channels.push(general.clone());
        let owner = entry.owner;
        self.channels.add(owner, general, name);
    }

    fn leave_channel(&mut self, name: NameId, channel: &Arc<str>) -> bool {
        let Some(entry) = self.names.get_mut(name) else { return false };
        entry.channels.retain(|other| other != channel);
        let owner = entry.owner;
        let left = self.channels.remove(owner, channel, name);
        if left {
            self.keep(name);
        }
        left
    }

    /// A forgotten name is a member of nothing.
    pub(super) fn leave_channels(&mut self, name: NameId) {
        let Some(entry) = self.names.get_mut(name) else { return };
        let owner = entry.owner;
        for channel in std::mem::take(&mut entry.channels) {
            self.channels.remove(owner, &channel, name);
        }
    }

    /// Shows a join or leave to the other members' connections. Sessions are not disturbed with it.
    fn tell_members<P: Payload>(
        &mut self,
        slot: Slot,
        member: NameId,
        channel: &Arc<str>,
        kind: FrameType,
        payload: &P,
    ) {
        let Some(conn) = self.conns.get(slot) else { return };
        let (owner, from) = (conn.principal.uid, conn.from.to_string());
        let others = self.channels.of(owner, channel).iter().filter(|other| **other != member);
        let entries = others.filter_map(|other| self.names.get(*other));
        let slots: Vec<Slot> =
            entries.flat_map(|e| e.conns.iter().filter(|slot| e.delivers_to(**slot))).copied().collect();
        for to in slots {
            let mut header = Header::new(kind, self.fresh_id(), self.now.wall);
            header.from = Some(from.clone());
            self.say(to, header, payload);
        }
    }

    pub(super) fn on_channel_message(&mut self, slot: Slot, frame: Frame) {
        let checked = self.check_sender(slot, &frame).and_then(|()| {
            let message: ChannelMessage = frame.body.decode()?;
            self.channel_members(slot, &message.channel)
        });
        match checked {
            Ok((target, members)) => self.send_to(slot, frame, target, members),
            Err(v) => self.refuse(slot, &frame.header.id, None, &Violation { fatal: false, ..v }),
        }
    }

    /// A SEND to a channel becomes a message of the channel.
    pub(super) fn send_to_channel(&mut self, slot: Slot, channel: &str, mut frame: Frame) {
        let made = self.channel_members(slot, channel).and_then(|found| {
            let Message { body, data, thread, .. } = frame.body.decode()?;
            let (mentions, attachments) = (Vec::new(), None);
            let message =
                ChannelMessage { channel: channel.to_owned(), body, thread, mentions, attachments, data };
            frame.body = Body::of(&message, frame.body.encoding())?;
            frame.header.kind = FrameType::ChannelMessage;
            Ok(found)
        });
        match made {
            Ok((target, members)) => self.send_to(slot, frame, target, members),
            Err(v) => {
                let sync = frame.header.meta.as_ref().and_then(|m| m.sync.as_ref());
                self.refuse(slot, &frame.header.id, sync, &Violation { fatal: false, ..v });
            }
        }
    }

    /// The channel as an address, and the members who would get a message of this connection.
    fn channel_members(&self, slot: Slot, channel: &str) -> Result<(Arc<str>, Vec<NameId>), Violation> {
        let bare = bare(channel)?;
        let Some(conn) = self.conns.get(slot) else {
            return Err(Violation::warning(ErrorCode::Internal, "the connection is over"));
        };
        let members = self.channels.of(conn.principal.uid, &bare);
        if !members.contains(&conn.name) {
            let message = format!("only members may send to #{bare}; join it first");
            return Err(Violation::warning(ErrorCode::Forbidden, message));
        }
        let there = |id: &NameId| {
            *id != conn.name && self.names.get(*id).is_some_and(|e| e.reachable() || e.is_session())
        };
        Ok((format!("#{bare}").into(), members.iter().copied().filter(there).collect()))
    }
}
