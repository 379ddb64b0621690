//! Topics: which broadcasts a connection wants.

use posthouse_protocol::payload::{Subscribe, Unsubscribe};
use posthouse_protocol::{ErrorCode, Frame, Violation};

use super::{Core, Slot};

/// Longest topic, in bytes.
const MAX_TOPIC: usize = 256;

impl Core {
    pub(super) fn on_subscribe(&mut self, slot: Slot, frame: &Frame) {
        let topic = match frame.header.topic.clone() {
            Some(topic) => Some(topic),
            None => frame.body.decode::<Subscribe>().ok().and_then(|s| s.topic),
        };
        let Some(topic) = topic.filter(|topic| !topic.is_empty() && topic.len() <= MAX_TOPIC) else {
            let message = format!("a subscription needs a topic of 1 to {MAX_TOPIC} bytes");
            return self.refuse(
                slot,
                &frame.header.id,
                None,
                &Violation::warning(ErrorCode::BadRequest, message),
            );
        };
        let most = self.quotas.topics;
        let Some(conn) = self.conns.get_mut(slot) else { return };
        if conn.subscribes(&topic) {
            return;
        }
        if conn.topics.len() < most {
            return conn.topics.push(topic.into());
        }
        let message = format!("a connection may subscribe to {most} topics (limits.topics_per_connection)");
        self.refuse(slot, &frame.header.id, None, &Violation::warning(ErrorCode::LimitExceeded, message));
    }

    pub(super) fn on_unsubscribe(&mut self, slot: Slot, frame: &Frame) {
        let topic = match frame.header.topic.clone() {
            Some(topic) => Some(topic),
            None => frame.body.decode::<Unsubscribe>().ok().and_then(|u| u.topic),
        };
        if let (Some(topic), Some(conn)) = (topic, self.conns.get_mut(slot)) {
            conn.topics.retain(|t| **t != *topic);
        }
    }
}
