//! What the daemon can prove about one message for one recipient so far.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

crate::codes! {
    /// How far a message has come for one recipient. The order of numbers is the order of progress up to `Answered`.
    pub enum ReceiptState {
        /// On disk; it survives the daemon.
        Accepted = 1 => "accepted",
        /// Waits for its recipient; the reason says for what.
        Queued = 2 => "queued",
        /// The harness's terminal has the body.
        Written = 3 => "written",
        /// Enter was applied.
        Submitted = 4 => "submitted",
        /// The client acknowledged it, or evidence shows that the harness took it.
        Delivered = 5 => "delivered",
        /// The recipient answered a sender who had asked for an answer.
        Answered = 6 => "answered",
        /// The sender's time to live ran out first.
        Expired = 7 => "expired",
        /// It was not delivered and will not be.
        Failed = 8 => "failed",
        /// It may or may not have reached the harness; it is not tried again by itself.
        Uncertain = 9 => "uncertain",
    }
}

impl ReceiptState {
    /// Whether the receipt has ended. `expects_answer` is whether the sender asked for one: then `delivered` is a step
    /// on the way.
    pub fn is_terminal(self, expects_answer: bool) -> bool {
        match self {
            Self::Accepted | Self::Queued | Self::Written | Self::Submitted | Self::Unknown(_) => false,
            Self::Delivered => !expects_answer,
            Self::Answered | Self::Expired | Self::Failed | Self::Uncertain => true,
        }
    }
}

crate::codes! {
    /// On what a receipt's state rests.
    pub enum Evidence {
        /// The journal's commit.
        Journal = 1 => "journal",
        /// The client's own ACK.
        Ack = 2 => "ack",
        /// The harness's structured channel or conversation file.
        Structured = 3 => "structured",
        /// The harness's status OSC.
        StatusOsc = 4 => "status-osc",
        /// The harness's screen.
        Screen = 5 => "screen",
        /// The holder's report that the terminal took the bytes; nothing more is known.
        Holder = 6 => "holder",
        /// The recipient's reply.
        Reply = 7 => "reply",
        /// The frame was written to the socket of a client that does not acknowledge this kind of frame.
        Connection = 8 => "connection",
        /// The recipient took it by itself, with CLAIM, and acknowledged it; nobody typed or pushed it.
        Claim = 9 => "claim",
    }
}

/// One step of one message for one recipient, as pushed in a RECEIPT frame and listed in RECEIPTS_RESPONSE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Receipt {
    /// The daemon's id of the message (UUIDv7).
    pub message: String,
    /// The id of the SEND frame.
    pub client_id: String,
    /// Whose receipt this is.
    pub recipient: String,
    /// How far it has come.
    pub state: ReceiptState,
    /// Why it waits or failed, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// On what the state rests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// 1 for the first submission; counts submissions to a harness or deliveries to a client.
    pub attempt: u32,
    /// The run it was written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Wall clock of the step, Unix milliseconds.
    pub at: u64,
    /// Whether this is the last step.
    pub terminal: bool,
}
