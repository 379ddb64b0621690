//! SEND: who is meant, whether that is allowed, and which way the message goes.

use std::sync::{Arc, OnceLock};

use posthouse_protocol::{Durability, Encoding, ErrorCode, Frame, FrameType, SendMeta, Target, Violation};

use super::letter::{Label, Letter};
use super::{Core, NameId, Slot};
use crate::journal::MessageId;
use crate::principal::Right;

/// Bytes that the daemon may add to a message's frame on the way to its recipient.
const FRAME_ROOM: usize = 1024;

/// Whom a SEND is for.
pub(super) enum Route {
    One(NameId),
    Everyone,
    People,
    Channel(String),
}

pub(super) fn is_volatile(meta: Option<&SendMeta>) -> bool {
    meta.is_some_and(|m| m.durability == Some(Durability::Volatile))
}

impl Core {
    pub(super) fn on_send(&mut self, slot: Slot, mut frame: Frame) {
        let to = frame.header.to.take().unwrap_or_default();
        let route = self.check_sender(slot, &frame).and_then(|()| self.route(slot, &to));
        let route = match route {
            Ok(route) => route,
            Err(violation) => {
                let sync = frame.header.meta.as_ref().and_then(|m| m.sync.as_ref());
                // Telling a call that is open that its second use failed would end the first.
                let sync = sync.filter(|_| violation.code != ErrorCode::BadCorrelation);
                return self.refuse(slot, &frame.header.id, sync, &violation);
            }
        };
        if let Some(reply_to) = frame.header.meta.as_ref().and_then(|m| m.reply_to.as_deref()) {
            self.on_reply(slot, reply_to, &frame);
        }
        match route {
            Route::One(name) if is_volatile(frame.header.meta.as_ref()) => {
                self.send_volatile(slot, name, to, frame);
            }
            Route::One(name) => {
                let target = self.names.get(name).map(|e| e.name.clone()).unwrap_or_default();
                self.send_to(slot, frame, target, vec![name]);
            }
            Route::Everyone => {
                let names = self.everyone(slot, frame.header.topic.as_deref());
                self.send_to(slot, frame, "*".into(), names);
            }
            Route::People => {
                let names = self.people(slot);
                self.send_to(slot, frame, "@users".into(), names);
            }
            Route::Channel(channel) => self.send_to_channel(slot, &channel, frame),
        }
    }

    /// What every message of a connection is checked for.
    pub(super) fn check_sender(&self, slot: Slot, frame: &Frame) -> Result<(), Violation> {
        let refuse = |code, message: &str| Err(Violation::warning(code, message));
        let Some(conn) = self.conns.get(slot) else {
            return refuse(ErrorCode::Internal, "the connection is over");
        };
        if !conn.principal.may(Right::Send) {
            return refuse(ErrorCode::Forbidden, "an observer may not send messages");
        }
        if frame.body.bytes().len().saturating_add(FRAME_ROOM) > conn.max_frame {
            let message = format!(
                "the message leaves no room for the header of its delivery: the limit is {} bytes less {FRAME_ROOM}",
                conn.max_frame
            );
            return Err(Violation::warning(ErrorCode::FrameTooLarge, message));
        }
        // The body of a volatile message is not looked into, but one that is no object would break its reader.
        if frame.body.encoding() == Encoding::Json && frame.body.bytes().first() != Some(&b'{') {
            return refuse(ErrorCode::BadJson, "the payload of a message is an object");
        }
        let Some(meta) = &frame.header.meta else { return Ok(()) };
        if meta.plain == Some(true) && !conn.principal.may(Right::Keys) {
            return refuse(ErrorCode::Forbidden, "only an operator may send text without the header line");
        }
        match &meta.sync {
            Some(sync) if sync.blocking => self.check_correlation(conn.name, sync),
            _ => Ok(()),
        }
    }

    fn route(&mut self, slot: Slot, to: &str) -> Result<Route, Violation> {
        let Some(conn) = self.conns.get_mut(slot) else {
            return Err(Violation::warning(ErrorCode::Internal, "the connection is over"));
        };
        if let Some((last, name)) = &conn.route
            && **last == *to
            && self.names.get(*name).is_some_and(|entry| !entry.forgotten)
        {
            return Ok(Route::One(*name));
        }
        if let Some(name) = self.names.find(conn.principal.uid, to) {
            conn.route = self.names.get(name).map(|entry| (entry.name.clone(), name));
            return Ok(Route::One(name));
        }
        match Target::parse(to) {
            Ok(Target::Everyone) => Ok(Route::Everyone),
            Ok(Target::Users) => Ok(Route::People),
            Ok(Target::Channel(channel)) => Ok(Route::Channel(channel)),
            Ok(Target::Name(_)) | Err(_) if to.is_empty() => {
                Err(Violation::warning(ErrorCode::BadRequest, "the message is addressed to nobody"))
            }
            Ok(Target::Name(_)) | Err(_) => {
                let shown: String = to.chars().take(64).collect();
                let message =
                    format!("nobody is known by the name {shown:?}: it was never connected or spawned");
                Err(Violation::warning(ErrorCode::NoSuchName, message))
            }
        }
    }

    /// Sends a message to any number of names.
    pub(super) fn send_to(&mut self, slot: Slot, frame: Frame, target: Arc<str>, names: Vec<NameId>) {
        let volatile = is_volatile(frame.header.meta.as_ref());
        let letter = Arc::new(self.letter(slot, frame, target));
        if volatile { self.spread_volatile(slot, &letter, names) } else { self.accept(slot, letter, &names) }
    }

    /// The message that a frame brings.
    pub(super) fn letter(&mut self, slot: Slot, frame: Frame, target: Arc<str>) -> Letter {
        let conn = self.conns.get(slot);
        let meta = frame.header.meta;
        let ttl = meta.as_ref().and_then(|m| m.ttl_ms);
        let label = Label {
            id: MessageId(self.ids.next(self.now.wall)),
            sender: conn.map_or_else(NameId::nobody, |c| c.name),
            conn: Some(slot),
            client_id: frame.header.id.into(),
            deadline: ttl.map(|ttl| self.now.mono.saturating_add(ttl)),
            asks: meta.as_ref().and_then(|m| m.sync.as_ref()).is_some_and(|sync| sync.blocking),
            durable: !is_volatile(meta.as_ref()),
        };
        let kind = match frame.header.kind {
            FrameType::ChannelMessage => FrameType::ChannelMessage,
            _ => FrameType::Send,
        };
        Letter {
            label,
            kind,
            owner: conn.map_or(self.owner, |c| c.principal.uid),
            from: conn.map(|c| c.from.clone()).unwrap_or_default(),
            target,
            topic: frame.header.topic.map(Into::into),
            meta,
            body: frame.body,
            other: OnceLock::new(),
            accepted: self.now.wall,
            deadline: ttl.map(|ttl| self.now.wall.saturating_add(ttl)),
        }
    }
}
