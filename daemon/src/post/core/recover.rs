//! What the journal held when the daemon started becomes names and queues again.

use std::sync::Arc;

use posthouse_protocol::ReceiptState;

use super::Core;
use super::document::NameDocument;
use super::letter::{Envelope, Label, Letter};
use super::queue::{Item, Load};
use crate::journal::{Document, Open};
use crate::post::command::Earlier;

impl Core {
    /// A name that was known.
    pub fn recover_name(&mut self, document: &Document) {
        let key = &document.key;
        let id = self.names.recover(key.owner, &key.key);
        match document.value.parse::<NameDocument>() {
            Ok(kept) => {
                if let Some(entry) = self.names.get_mut(id) {
                    kept.restore(entry);
                    for channel in entry.channels.clone() {
                        self.channels.add(key.owner, channel, id);
                    }
                }
            }
            Err(error) => tracing::warn!(name = %key.key, %error, "name document not read"),
        }
    }

    /// A delivery that had not ended. Called in the order of acceptance.
    pub fn recover_delivery(&mut self, open: Open) {
        let (delivery, message) = (open.delivery, open.stored.message);
        let name = self.names.recover(delivery.owner, &delivery.recipient);
        let sender = self.names.recover(message.owner, &message.sender);
        let label = Label {
            id: message.id,
            sender,
            conn: None,
            client_id: message.client_id.clone().unwrap_or_default(),
            deadline: message.deadline_ms.map(|wall| self.now.mono_of(wall)),
            asks: message.expects_answer,
            durable: true,
        };
        let envelope = Envelope::read(&message.meta);
        let seq = envelope.seq_of(&delivery.recipient);
        let topic: Option<Arc<str>> = envelope.topic.as_deref().map(Into::into);
        let order = self.next_order();
        let Some(entry) = self.names.get_mut(name) else { return };
        entry.seqs.used(sender, topic.as_ref(), seq);
        if delivery.state == ReceiptState::Delivered {
            entry.queue.await_answer(label, delivery.attempt);
            return self.watch_deadline(name);
        }
        let earlier = delivery.run.map(|run| {
            Box::new(Earlier { state: delivery.state, run: run.to_string(), attempt: delivery.attempt })
        });
        // What was not waiting for anyone had most likely been handed over.
        let handed = u32::from(delivery.state == ReceiptState::Accepted);
        let letter = Letter::recorded(&message, label);
        let item = Item {
            order,
            seq,
            attempt: delivery.attempt.max(handed),
            size: letter.size(),
            earlier,
            load: Load::Letter(Arc::new(letter)),
        };
        entry.queue.recover(item);
        self.watch_deadline(name);
    }
}
