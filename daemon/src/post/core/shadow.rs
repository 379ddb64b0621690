//! Shadows: a connection that is shown copies of what another name sends and receives. Copies are not messages: they
//! have no receipts and are kept nowhere.

use posthouse_protocol::payload::{Message, ShadowBind, ShadowUnbind};
use posthouse_protocol::{Body, ErrorCode, Frame, FrameType, Header, Json, Violation};
use serde_json::{Map, Value};

use super::directory::ShadowBinding;
use super::letter::Letter;
use super::{Core, NameId, Slot};
use crate::principal::Right;

impl Core {
    pub(super) fn on_shadow_bind(&mut self, slot: Slot, frame: &Frame) {
        let bound = frame.body.decode::<ShadowBind>().map_err(Violation::from).and_then(|bind| {
            let warn = |code, message: &str| Violation::warning(code, message);
            let conn =
                self.conns.get(slot).ok_or_else(|| warn(ErrorCode::Internal, "the connection is over"))?;
            if !conn.principal.may(Right::Send) {
                return Err(warn(ErrorCode::Forbidden, "an observer may not shadow anyone"));
            }
            let of = self.names.find(conn.principal.uid, &bind.primary_agent);
            let of =
                of.ok_or_else(|| warn(ErrorCode::NoSuchName, "there is nobody of that name to shadow"))?;
            let (incoming, outgoing) =
                (bind.receive_incoming != Some(false), bind.receive_outgoing != Some(false));
            Ok(ShadowBinding { of, incoming, outgoing })
        });
        match bound {
            Ok(binding) => {
                if let Some(conn) = self.conns.get_mut(slot) {
                    conn.shadows = Some(binding);
                }
                if !self.shadows.contains(&slot) {
                    self.shadows.push(slot);
                }
            }
            Err(v) => self.refuse(slot, &frame.header.id, None, &Violation { fatal: false, ..v }),
        }
    }

    pub(super) fn on_shadow_unbind(&mut self, slot: Slot, frame: &Frame) {
        let Ok(unbind) = frame.body.decode::<ShadowUnbind>() else {
            let v = Violation::warning(ErrorCode::BadRequest, "the payload is not that of a SHADOW_UNBIND");
            return self.refuse(slot, &frame.header.id, None, &v);
        };
        let Some(conn) = self.conns.get_mut(slot) else { return };
        let of = conn.shadows.and_then(|binding| self.names.get(binding.of));
        if of.is_some_and(|entry| *entry.name == *unbind.primary_agent) {
            conn.shadows = None;
            self.shadows.retain(|shadow| *shadow != slot);
        }
    }

    /// Shows a message to whoever shadows its sender or one of its recipients. A broadcast counts as sent, not as
    /// received.
    pub(super) fn copy_to_shadows(&mut self, letter: &Letter, recipients: impl Iterator<Item = NameId>) {
        if self.shadows.is_empty() {
            return;
        }
        let recipients: Vec<NameId> =
            if letter.target.starts_with(['*', '@']) { Vec::new() } else { recipients.collect() };
        for slot in self.shadows.clone() {
            let Some(binding) = self.conns.get(slot).and_then(|conn| conn.shadows) else { continue };
            if binding.outgoing && binding.of == letter.label.sender {
                self.show_copy(slot, binding.of, letter, "outgoing");
            }
            if binding.incoming && recipients.contains(&binding.of) {
                self.show_copy(slot, binding.of, letter, "incoming");
            }
        }
    }

    fn show_copy(&mut self, slot: Slot, of: NameId, letter: &Letter, direction: &str) {
        let Some(of) = self.names.get(of).map(|entry| entry.name.clone()) else { return };
        let Some(conn) = self.conns.get(slot) else { return };
        let (to, encoding, shadow) = (conn.from.to_string(), conn.encoding, conn.name);
        let Some(body) = marked(letter, &of, direction) else { return };
        let Ok(body) = Body::of(&body, encoding) else { return };
        let Some(entry) = self.names.get_mut(shadow) else { return };
        let seq = entry.seqs.next(letter.label.sender, letter.topic.as_ref());
        let mut header = Header::new(FrameType::Deliver, self.fresh_id(), self.now.wall);
        header.from = Some(letter.from.to_string());
        header.to = Some(to);
        header.topic = letter.topic.as_deref().map(str::to_owned);
        let mut frame = Frame { header, body };
        let original_to = Some(letter.target.to_string());
        if let Err(error) = self.put_delivery(slot, &mut frame, seq, original_to) {
            tracing::debug!(%error, "shadow copy left out");
        }
    }
}

/// The message with the marks of a copy in its data.
fn marked(letter: &Letter, of: &str, direction: &str) -> Option<Message> {
    let mut message = match letter.kind {
        FrameType::ChannelMessage => {
            let text = letter.text().ok()?;
            Message { kind: None, body: text.body, data: None, thread: text.thread }
        }
        _ => letter.body.decode::<Message>().ok()?,
    };
    let mut data = match message.data.as_ref().and_then(Json::value) {
        Some(Value::Object(data)) => data,
        Some(other) => Map::from_iter([("_original".to_owned(), other)]),
        None => Map::new(),
    };
    data.insert("_shadowCopy".to_owned(), Value::Bool(true));
    data.insert("_shadowOf".to_owned(), of.into());
    data.insert("_shadowDirection".to_owned(), direction.into());
    message.data = Some(Json::from(Value::Object(data)));
    Some(message)
}
