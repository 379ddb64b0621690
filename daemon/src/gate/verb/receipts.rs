//! RECEIPTS: every step of one message so far.

use std::collections::HashMap;

use posthouse_protocol::payload::{Receipts, ReceiptsResponse};
use posthouse_protocol::{ErrorCode, Evidence, Receipt, ReceiptState, Violation};
use serde::Deserialize;

use super::{Answer, Caller, Verb, fit, refuse};
use crate::journal::{Event, EventFilter, EventKind, Message, MessageId, ReadError, Reader, Seq, Subject};

impl Verb for Receipts {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        let asked = Asked::of(&self, caller)?;
        let found = caller.house.desk.ask(move |reader| asked.read(reader)).await.map_err(refuse)?;
        let Some((message, receipts)) = found else { return Err(unknown()) };
        let own = &caller.principal.name;
        // A stranger's question is answered as if the message did not exist.
        let concerned = *message.sender == **own || receipts.iter().any(|receipt| receipt.recipient == *own);
        if !concerned && !caller.sees_all() {
            return Err(unknown());
        }
        Ok(ReceiptsResponse { receipts: fit(receipts, caller.outbox.max_frame()).0 })
    }
}

fn unknown() -> Violation {
    Violation::warning(ErrorCode::NoSuchMessage, "no such message is kept for this caller")
}

/// Which message is meant.
enum Asked {
    Id(MessageId),
    ClientId { owner: u32, sender: String, id: String },
}

impl Asked {
    fn of(receipts: &Receipts, caller: &Caller) -> Result<Self, Violation> {
        match (&receipts.message, &receipts.client_id) {
            (Some(id), _) => MessageId::parse(id).map(Self::Id).ok_or_else(unknown),
            (None, Some(id)) => Ok(Self::ClientId {
                owner: caller.principal.uid,
                sender: caller.principal.name.clone(),
                id: id.clone(),
            }),
            (None, None) => {
                Err(Violation::warning(ErrorCode::BadRequest, "RECEIPTS needs a message or a client_id"))
            }
        }
    }

    fn read(self, reader: &Reader) -> Result<Option<(Message, Vec<Receipt>)>, ReadError> {
        let id = match self {
            Self::Id(id) => Some(id),
            Self::ClientId { owner, sender, id } => reader.by_client_id(owner, &sender, &id)?,
        };
        let Some(id) = id else { return Ok(None) };
        let (Some(stored), Some(known)) = (reader.message(id)?, reader.receipts(id)?) else {
            return Ok(None);
        };
        let message = stored.message;
        let mut steps: Vec<Receipt> =
            known.deliveries.iter().map(|delivery| accepted(&message, &delivery.recipient)).collect();
        let filter = EventFilter {
            kind: Some(EventKind::RECEIPT.as_str().to_owned()),
            subject: Some(Subject::Message(id)),
        };
        let mut cursor = stored.seq;
        loop {
            let page = reader.events(message.owner, cursor, usize::MAX, &filter)?;
            cursor = page.rows.last().map_or(Seq(i64::MAX), |event| event.seq);
            steps.extend(page.rows.iter().filter_map(|event| step(&message, event)));
            if !page.more {
                break;
            }
        }
        // A step's event may have been pruned or, for the first state, never been written: the delivery itself knows.
        let mut last: HashMap<&str, ReceiptState> = HashMap::new();
        for step in &steps {
            last.insert(&step.recipient, step.state);
        }
        let missing: Vec<Receipt> = known
            .deliveries
            .iter()
            .filter(|delivery| last.get(&*delivery.recipient) != Some(&delivery.state))
            .map(|delivery| Receipt {
                state: delivery.state,
                reason: delivery.reason.as_deref().map(str::to_owned),
                evidence: delivery.evidence,
                attempt: delivery.attempt,
                run: delivery.run.as_deref().map(str::to_owned),
                at: delivery.updated_ms,
                terminal: delivery.ended,
                ..accepted(&message, &delivery.recipient)
            })
            .collect();
        steps.extend(missing);
        Ok(Some((message, steps)))
    }
}

fn accepted(message: &Message, recipient: &str) -> Receipt {
    Receipt {
        message: message.id.to_string(),
        client_id: message.client_id.as_deref().unwrap_or_default().to_owned(),
        recipient: recipient.to_owned(),
        state: ReceiptState::Accepted,
        reason: None,
        evidence: Some(Evidence::Journal),
        attempt: 0,
        run: None,
        at: message.accepted_ms,
        terminal: false,
    }
}

/// The data of a `receipt` event.
#[derive(Deserialize)]
struct StepData {
    to: String,
    state: ReceiptState,
    #[serde(default)]
    attempt: u32,
    #[serde(default)]
    evidence: Option<Evidence>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    run: Option<String>,
}

fn step(message: &Message, event: &Event) -> Option<Receipt> {
    let data: StepData = event.what.data.parse().ok()?;
    Some(Receipt {
        state: data.state,
        reason: data.reason,
        evidence: data.evidence,
        attempt: data.attempt,
        run: data.run,
        at: event.what.at_ms,
        terminal: data.state.is_terminal(message.expects_answer),
        ..accepted(message, &data.to)
    })
}
