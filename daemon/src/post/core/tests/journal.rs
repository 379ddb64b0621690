//! A journal in memory, with the meaning of the real one and a commit that the test decides on.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use posthouse_protocol::ReceiptState;

use crate::journal::{
    Advance, Committed, Delivery, Document, DocumentKey, Message, MessageId, NewEvent, Op, Open, Refused,
    Seq, Stored,
};
use crate::post::core::effects::Submission;

#[derive(Debug, Default)]
pub struct FakeJournal {
    queued: VecDeque<Submission>,
    pub messages: Vec<Message>,
    /// By message and recipient.
    pub deliveries: BTreeMap<(MessageId, Arc<str>), Delivery>,
    /// Every state of every delivery, in order.
    pub steps: Vec<(MessageId, Arc<str>, ReceiptState)>,
    pub documents: HashMap<DocumentKey, Document>,
    pub events: Vec<NewEvent>,
    /// Steps beyond an ending: the core asked for what cannot be.
    pub beyond: Vec<Advance>,
    dedupe: HashMap<(u32, Arc<str>, Arc<str>), MessageId>,
}

impl FakeJournal {
    pub fn submit(&mut self, submission: Submission) {
        self.queued.push_back(submission);
    }

    /// Commits the oldest submission.
    pub fn commit_one(&mut self) -> Option<(u64, Committed)> {
        let submission = self.queued.pop_front()?;
        let mut committed = Committed::default();
        for (at, op) in submission.ops.into_iter().enumerate() {
            committed.refused.extend(self.apply(at, op));
        }
        Some((submission.ticket, committed))
    }

    /// Loses what is not committed: the oldest submission fails.
    pub fn fail_one(&mut self) -> Option<u64> {
        self.queued.pop_front().map(|submission| submission.ticket)
    }

    /// The daemon dies: what was queued is lost, or was committed just in time.
    pub fn crash(&mut self, committed_first: usize) {
        for _ in 0..committed_first {
            self.commit_one();
        }
        self.queued.clear();
    }

    fn apply(&mut self, at: usize, op: Op) -> Option<Refused> {
        match op {
            Op::Accept { message, recipients } => {
                if let Some(client_id) = message.client_id.clone() {
                    let key = (message.owner, message.sender.clone(), client_id);
                    if let Some(first) = self.dedupe.get(&key) {
                        return Some(Refused::Duplicate { op: at, first: *first });
                    }
                    self.dedupe.insert(key, message.id);
                }
                let seq = Seq(self.messages.len() as i64 + 1);
                for r in recipients {
                    let delivery = Delivery {
                        message: message.id,
                        seq,
                        owner: r.owner,
                        recipient: r.recipient.clone(),
                        state: r.state,
                        ended: false,
                        reason: r.reason,
                        evidence: None,
                        attempt: 0,
                        run: None,
                        size: message.size() as u32,
                        updated_ms: message.accepted_ms,
                    };
                    self.deliveries.insert((message.id, r.recipient), delivery);
                }
                self.messages.push(*message);
                None
            }
            Op::Advance(advance) => self.advance(at, advance),
            Op::Event(event) => {
                self.events.push(event);
                None
            }
            Op::Put(document) => {
                self.documents.insert(document.key.clone(), document);
                None
            }
            Op::Delete(key) => {
                self.documents.remove(&key);
                None
            }
            Op::Prune { .. } => None,
        }
    }

    fn advance(&mut self, op: usize, a: Advance) -> Option<Refused> {
        let asks = self.messages.iter().find(|m| m.id == a.message).is_some_and(|m| m.expects_answer);
        let Some(delivery) = self.deliveries.get_mut(&(a.message, a.recipient.clone())) else {
            return Some(Refused::NoDelivery { op });
        };
        if delivery.ended {
            let state = delivery.state;
            self.beyond.push(a);
            return Some(Refused::Ended { op, state });
        }
        self.steps.push((a.message, a.recipient, a.state));
        delivery.state = a.state;
        delivery.ended = a.state.is_terminal(asks);
        delivery.reason = a.reason;
        delivery.evidence = a.evidence;
        delivery.attempt = a.attempt;
        delivery.run = a.run;
        None
    }

    pub fn message(&self, id: MessageId) -> Option<&Message> {
        self.messages.iter().find(|m| m.id == id)
    }

    pub fn receipts(&self, id: MessageId) -> Vec<Delivery> {
        self.deliveries.values().filter(|d| d.message == id).cloned().collect()
    }

    /// What a new daemon finds, in the order of acceptance.
    pub fn unfinished(&self) -> Vec<Open> {
        let open = self.deliveries.values().filter(|d| !d.ended);
        let mut open: Vec<Open> = open
            .map(|d| Open {
                delivery: d.clone(),
                stored: Stored { seq: d.seq, message: self.message(d.message).unwrap().clone() },
            })
            .collect();
        open.sort_by(|a, b| {
            (a.delivery.seq, &a.delivery.recipient).cmp(&(b.delivery.seq, &b.delivery.recipient))
        });
        open
    }
}

impl FakeJournal {
    /// Submissions that are not committed.
    pub fn waiting(&self) -> usize {
        self.queued.len()
    }
}
