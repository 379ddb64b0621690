//! Random histories against a model of what the journal promises, with restarts in between.

use std::collections::BTreeMap;

use posthouse_protocol::ReceiptState;
use posthouse_protocol::code::Code;
use posthoused::journal::*;
use proptest::prelude::*;

use crate::build::*;

/// One thing done to the journal.
#[derive(Clone, Debug)]
enum Act {
    /// Message `id` with client id `client`, to the recipients in the bit mask.
    Accept {
        id: u64,
        client: u64,
        recipients: u8,
        asks: bool,
    },
    Advance {
        id: u64,
        recipient: usize,
        state: ReceiptState,
    },
    Event,
    Restart,
}

const RECIPIENTS: [&str; 3] = ["bob", "carol", "dave"];

fn act() -> impl Strategy<Value = Act> {
    let state = (1u16..=9).prop_map(ReceiptState::from_number);
    prop_oneof![
        4 => (0u64..40, 0u64..12, 1u8..8, any::<bool>())
            .prop_map(|(id, client, recipients, asks)| Act::Accept { id, client, recipients, asks }),
        8 => (0u64..40, 0usize..3, state).prop_map(|(id, recipient, state)| Act::Advance { id, recipient, state }),
        1 => Just(Act::Event),
        1 => Just(Act::Restart),
    ]
}

/// What must be known after a history.
#[derive(Default)]
struct Model {
    events: i64,
    clients: BTreeMap<u64, u64>,
    asks: BTreeMap<u64, bool>,
    /// State and whether it has ended, by message and recipient.
    deliveries: BTreeMap<(u64, &'static str), (ReceiptState, bool)>,
    /// Messages in the order of acceptance.
    order: Vec<u64>,
}

impl Model {
    /// Applies an act; what the journal must refuse of it.
    fn apply(&mut self, act: &Act) -> Option<Refused> {
        match *act {
            Act::Accept { id: n, client, recipients, asks } => {
                if let Some(first) = self.clients.get(&client) {
                    return Some(Refused::Duplicate { op: 0, first: id(*first) });
                }
                self.clients.insert(client, n);
                self.asks.insert(n, asks);
                self.order.push(n);
                for name in chosen(recipients) {
                    self.deliveries.insert((n, name), (ReceiptState::Accepted, false));
                }
            }
            Act::Advance { id: n, recipient, state } => {
                let Some(delivery) = self.deliveries.get_mut(&(n, RECIPIENTS[recipient])) else {
                    return Some(Refused::NoDelivery { op: 0 });
                };
                if delivery.1 {
                    return Some(Refused::Ended { op: 0, state: delivery.0 });
                }
                *delivery = (state, state.is_terminal(self.asks[&n]));
            }
            Act::Event => {}
            Act::Restart => return None,
        }
        self.events += 1;
        None
    }
}

fn chosen(mask: u8) -> impl Iterator<Item = &'static str> {
    RECIPIENTS.into_iter().enumerate().filter(move |(bit, _)| mask & (1 << bit) != 0).map(|(_, name)| name)
}

fn op(act: &Act) -> Op {
    match *act {
        Act::Accept { id: n, client, recipients, asks } => {
            let client_id = Some(format!("client {client}").into());
            let message = Message { client_id, expects_answer: asks, ..message(n) };
            accept_as(message, &chosen(recipients).collect::<Vec<_>>())
        }
        Act::Advance { id, recipient, state } => advance(id, RECIPIENTS[recipient], state),
        Act::Event | Act::Restart => event("test.tick", "x"),
    }
}

fn check(journal: &Journal, model: &Model) {
    let reader = journal.reader().unwrap();
    for (&(n, recipient), &(state, ended)) in &model.deliveries {
        let receipts = reader.receipts(id(n)).unwrap().unwrap();
        let delivery = receipts.deliveries.iter().find(|d| &*d.recipient == recipient).unwrap();
        assert_eq!((delivery.state, delivery.ended), (state, ended));
    }
    let all = MessageQuery { owner: OWNER, limit: 1000, ..Default::default() };
    let order: Vec<_> = reader.messages(&all).unwrap().rows.iter().map(|s| s.message.id).collect();
    assert_eq!(order, model.order.iter().map(|n| id(*n)).collect::<Vec<_>>());
    for recipient in RECIPIENTS {
        let open = |n: &&u64| model.deliveries.get(&(**n, recipient)).is_some_and(|(_, ended)| !ended);
        let expected: Vec<_> = model.order.iter().filter(open).map(|n| id(*n)).collect();
        let inbox = InboxQuery {
            owner: OWNER,
            recipient: recipient.into(),
            unread_only: true,
            limit: 1000,
            ..Default::default()
        };
        let inbox: Vec<_> = reader.inbox(&inbox).unwrap().rows.iter().map(|o| o.delivery.message).collect();
        assert_eq!(inbox, expected);
    }
    let open: u64 = reader.open_totals().unwrap().iter().map(|total| total.messages).sum();
    assert_eq!(open, model.deliveries.values().filter(|(_, ended)| !ended).count() as u64);
    assert_eq!(reader.unfinished(Seq(0), 1000).unwrap().rows.len() as u64, open);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_journal_keeps_its_promises(acts in prop::collection::vec(act(), 1..80)) {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path());
        let mut model = Model::default();
        let mut used = std::collections::BTreeSet::new();
        for act in &acts {
            match act {
                // Ids are the daemon's own and never repeat.
                Act::Accept { id, .. } if !used.insert(*id) => continue,
                Act::Restart => {
                    journal.close();
                    journal = open(dir.path());
                }
                act => {
                    let refused = model.apply(act);
                    let committed = commit(&journal.writer(), vec![op(act)]).unwrap();
                    prop_assert_eq!(committed.refused, refused.into_iter().collect::<Vec<_>>());
                    prop_assert_eq!(committed.last, Seq(model.events));
                }
            }
        }
        check(&journal, &model);
        journal.close();
        check(&open(dir.path()), &model);
    }
}
