//! RECEIPTS: every step of one message so far.

use std::collections::{HashMap, HashSet};

use posthouse_protocol::payload::{Receipts, ReceiptsResponse};
use posthouse_protocol::{ErrorCode, Evidence, Receipt, ReceiptState, Violation};
use serde::Deserialize;

use super::history::Wanted;
use super::{Answer, Caller, Verb, fit, refuse};
use crate::journal::{
    Delivery, Desk, Event, EventKind, Message, MessageId, ReadError, Reader, Stored, Subject,
};

/// Steps read at once.
const PAGE: usize = 1_000;

impl Verb for Receipts {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        let asked = Asked::of(&self, caller)?;
        let desk = &caller.house.desk;
        let found = desk.ask(move |reader| asked.read(reader)).await.map_err(refuse)?;
        let Some((stored, deliveries)) = found else { return Err(unknown()) };
        let own = &caller.principal.name;
        // A stranger's question is answered as if the message did not exist.
        let concerned = *stored.message.sender == **own || deliveries.iter().any(|d| *d.recipient == **own);
        if !concerned && !caller.sees_all() {
            return Err(unknown());
        }
        let receipts = every_step(desk, &stored, &deliveries).await.map_err(refuse)?;
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

    fn read(self, reader: &Reader) -> Result<Option<(Stored, Vec<Delivery>)>, ReadError> {
        let id = match self {
            Self::Id(id) => Some(id),
            Self::ClientId { owner, sender, id } => reader.by_client_id(owner, &sender, &id)?,
        };
        let Some(id) = id else { return Ok(None) };
        let (stored, receipts) = (reader.message(id)?, reader.receipts(id)?);
        Ok(stored.zip(receipts.map(|receipts| receipts.deliveries)))
    }
}

/// All steps of a message, oldest first.
async fn every_step(
    desk: &Desk,
    stored: &Stored,
    deliveries: &[Delivery],
) -> Result<Vec<Receipt>, ReadError> {
    let message = &stored.message;
    let mut steps: Vec<Receipt> = deliveries.iter().map(|d| accepted(message, &d.recipient)).collect();
    let wanted = Wanted {
        owner: message.owner,
        kinds: vec![EventKind::RECEIPT.as_str().to_owned()],
        subject: Some(Subject::Message(message.id)),
    };
    let mut missing: HashSet<(String, ReceiptState, u64)> = deliveries
        .iter()
        .filter(|delivery| delivery.updated_ms != message.accepted_ms || delivery.attempt > 0)
        .map(|delivery| (delivery.recipient.to_string(), delivery.state, delivery.updated_ms))
        .collect();
    let mut cursor = stored.seq;
    // The history behind the last step has nothing more to say about this message.
    while !missing.is_empty() {
        let found = wanted.after(desk, cursor, PAGE).await?;
        let taken: Vec<Receipt> = found.events.iter().filter_map(|event| step(message, event)).collect();
        for step in &taken {
            missing.remove(&(step.recipient.clone(), step.state, step.at));
        }
        steps.extend(taken);
        if found.events.len() < PAGE {
            break;
        }
        cursor = found.end;
    }
    // The first state has no event of its own, and retention may have taken one: the delivery itself knows its last.
    let mut last: HashMap<String, ReceiptState> = HashMap::new();
    last.extend(steps.iter().map(|step| (step.recipient.clone(), step.state)));
    let known = deliveries.iter().filter(|delivery| last.get(&*delivery.recipient) != Some(&delivery.state));
    steps.extend(known.map(|delivery| current(message, delivery)));
    Ok(steps)
}

fn current(message: &Message, delivery: &Delivery) -> Receipt {
    Receipt {
        state: delivery.state,
        reason: delivery.reason.as_deref().map(str::to_owned),
        evidence: delivery.evidence,
        attempt: delivery.attempt,
        run: delivery.run.as_deref().map(str::to_owned),
        at: delivery.updated_ms,
        terminal: delivery.ended,
        ..accepted(message, &delivery.recipient)
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
