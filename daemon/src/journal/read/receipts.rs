//! Receipts: what can be proved about one message, for each of its recipients.

use rusqlite::params;

use super::{Reader, row};
use crate::journal::{Delivery, MessageId, ReadError};

/// Everything known of one message's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipts {
    /// The message.
    pub message: MessageId,
    /// One per recipient, by name.
    pub deliveries: Vec<Delivery>,
}

impl Reader {
    /// The receipts of a message; none if it is unknown or no longer kept.
    pub fn receipts(&self, message: MessageId) -> Result<Option<Receipts>, ReadError> {
        let sql = format!(
            "SELECT {} FROM delivery d WHERE d.message = ?1 ORDER BY d.owner, d.recipient",
            row::DELIVERY
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let found = statement.query_map(params![message.0.as_bytes()], |r| row::delivery(r, 0))?;
        let deliveries = found.collect::<Result<Vec<_>, _>>()?;
        Ok((!deliveries.is_empty()).then_some(Receipts { message, deliveries }))
    }

    /// The message that a sender's own id became, if it was used in the last 24 hours or so.
    pub fn by_client_id(
        &self,
        owner: u32,
        sender: &str,
        client_id: &str,
    ) -> Result<Option<MessageId>, ReadError> {
        let mut statement = self.db.prepare_cached(
            "SELECT coalesce(
                 (SELECT id FROM message WHERE seq > (SELECT seq FROM settled)
                  AND owner = ?1 AND sender = ?2 AND client_id = ?3 ORDER BY seq DESC LIMIT 1),
                 (SELECT message FROM dedupe WHERE owner = ?1 AND sender = ?2 AND client_id = ?3))",
        )?;
        let found: Option<[u8; 16]> =
            statement.query_row(params![owner, sender, client_id], |row| row.get(0))?;
        Ok(found.map(|bytes| MessageId(uuid::Uuid::from_bytes(bytes))))
    }
}
