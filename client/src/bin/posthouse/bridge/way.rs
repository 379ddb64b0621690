//! A message that was sent from here, and how far it has come for each of its recipients.

use std::collections::BTreeMap;
use std::time::Duration;

use posthouse_client::{Client, connection};
use posthouse_protocol::payload::{Message, Receipts};
use posthouse_protocol::{FrameType, Receipt, SendMeta};

use super::call::Call;
use super::link::{Trouble, trouble};

/// How long the first receipt may take.
const ACCEPTED: Duration = Duration::from_secs(5);

/// A message that is safe on disk.
#[derive(Debug)]
pub(super) struct Way {
    client: Client,
    /// The id of its SEND.
    id: String,
    message: String,
    latest: BTreeMap<String, Receipt>,
    /// Receipts so far.
    steps: u32,
}

impl Way {
    /// Sends it and waits until it is accepted.
    pub(super) async fn begin(
        mut client: Client,
        to: &str,
        text: String,
        meta: SendMeta,
    ) -> Result<Self, Trouble> {
        let id = client.send(to, &Message::text(text), meta).await.map_err(trouble)?;
        let mut way = Self { client, id, message: String::new(), latest: BTreeMap::new(), steps: 0 };
        let Ok(accepted) = tokio::time::timeout(ACCEPTED, way.next()).await else {
            return Err(
                "the message was not accepted in time, so nobody knows whether it will arrive; look with \
                        `receipts` or in the recipient's inbox before you send it again"
                    .to_owned(),
            );
        };
        way.message = accepted?.message;
        Ok(way)
    }

    /// The daemon's id of it.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// The latest receipt of each recipient.
    pub(super) fn latest(&self) -> impl Iterator<Item = &Receipt> {
        self.latest.values()
    }

    /// Follows it for at most this time until it has ended for all of its recipients, and says each step.
    pub(super) async fn follow(&mut self, time: Duration, call: &Call) -> Result<(), Trouble> {
        let steps = async {
            let request = Receipts { message: Some(self.message.clone()), client_id: None };
            let known = self.client.call(&request).await.map_err(trouble)?;
            known.receipts.into_iter().for_each(|receipt| self.note(receipt));
            while !self.latest().all(|receipt| receipt.terminal) {
                let receipt = self.next().await?;
                call.tell(f64::from(self.steps), None, &said(&receipt)).await;
            }
            Ok(())
        };
        // Whoever waited long enough is told what there is.
        tokio::time::timeout(time, steps).await.unwrap_or(Ok(()))
    }

    /// The next receipt of this message.
    async fn next(&mut self) -> Result<Receipt, Trouble> {
        loop {
            let frame = self.client.next().await.map_err(trouble)?;
            match frame.header.kind {
                FrameType::Error if frame.header.id == self.id => {
                    return Err(trouble(connection::refused(&frame)));
                }
                FrameType::Receipt => {
                    let receipt: Receipt = frame.body.decode().map_err(|e| e.to_string())?;
                    if receipt.client_id == self.id {
                        self.note(receipt.clone());
                        return Ok(receipt);
                    }
                }
                _ => {}
            }
        }
    }

    /// A receipt may be both asked for and pushed; the later step counts.
    fn note(&mut self, receipt: Receipt) {
        self.steps += 1;
        let rank = |receipt: &Receipt| (receipt.terminal, receipt.attempt, receipt.state);
        let known = self.latest.get(&receipt.recipient);
        if known.is_none_or(|known| rank(known) <= rank(&receipt)) {
            self.latest.insert(receipt.recipient.clone(), receipt);
        }
    }
}

/// A step in a line.
fn said(receipt: &Receipt) -> String {
    let because = receipt.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    format!("{}: {}{because}", receipt.recipient, receipt.state)
}
