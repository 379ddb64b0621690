//! Taking one message of one's name out of turn.

use posthouse_protocol::FrameType;
use posthouse_protocol::payload::{Ack, Claim, ClaimResult};

use crate::{Client, ClientError};

impl Client {
    /// Claims a message by its id and acknowledges it, which ends it as delivered. Whether it was claimed, and why not, is
    /// in the answer. Where the connection ends in between, the message waits again.
    ///
    /// # Errors
    /// When the daemon refuses the request or goes away.
    pub async fn take(&mut self, message: &str) -> Result<ClaimResult, ClientError> {
        let claim = self.call(&Claim { message: message.to_owned() }).await?;
        if !claim.claimed {
            return Ok(claim);
        }
        loop {
            let frame = self.next().await?;
            if frame.header.kind == FrameType::Deliver && frame.header.id == message {
                let seq = frame.header.delivery.map(|delivery| delivery.seq).unwrap_or_default();
                let ack_id = frame.header.id;
                self.post(&Ack { ack_id, seq, correlation_id: None, response: None, response_data: None })
                    .await?;
                return Ok(claim);
            }
        }
    }
}
