//! Random interleavings of everything that can happen, against what must hold whatever happens.
//!
//! Two senders, two clients (one of which comes and goes as primary or as a leasing auxiliary), one session and the
//! journal are played by the test. At the end everyone comes back, and the books are checked.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use posthouse_protocol::payload::{Claim, Lease};
use posthouse_protocol::{Durability, Frame, FrameType, Header, Receipt, ReceiptState, SendMeta};
use proptest::prelude::*;
use uuid::Uuid;

use super::world::{World, body};
use crate::post::command::{ConnId, Injection, Intent, Step};

const SENDERS: [&str; 2] = ["ann", "ben"];
const CLIENTS: [&str; 2] = ["cat", "dan"];
const SESSION: &str = "sess";

#[derive(Clone, Debug)]
enum Act {
    Send { from: usize, to: usize, volatile: bool },
    Repeat { from: usize },
    Ack { client: usize, which: usize },
    Connect { client: usize, lease: bool },
    Leave { client: usize },
    LeaveSender { from: usize },
    Commit,
    FailCommit,
    Crash { committed: usize },
    SessionUp,
    SessionDown,
    Type,
    Claim { which: usize },
    AckClaim,
    LeaveAgent,
    Wait,
}

fn act() -> impl Strategy<Value = Act> {
    let two = 0..2usize;
    prop_oneof![
        8 => (two.clone(), 0..4usize, any::<bool>()).prop_map(|(from, to, v)| Act::Send { from, to, volatile: v }),
        1 => two.clone().prop_map(|from| Act::Repeat { from }),
        6 => (two.clone(), 0..3usize).prop_map(|(client, which)| Act::Ack { client, which }),
        2 => (two.clone(), any::<bool>()).prop_map(|(client, lease)| Act::Connect { client, lease }),
        2 => two.clone().prop_map(|client| Act::Leave { client }),
        1 => two.prop_map(|from| Act::LeaveSender { from }),
        8 => Just(Act::Commit),
        1 => Just(Act::FailCommit),
        1 => (0..3usize).prop_map(|committed| Act::Crash { committed }),
        1 => Just(Act::SessionUp),
        1 => Just(Act::SessionDown),
        4 => Just(Act::Type),
        2 => (0..4usize).prop_map(|which| Act::Claim { which }),
        2 => Just(Act::AckClaim),
        1 => Just(Act::LeaveAgent),
        1 => Just(Act::Wait),
    ]
}

/// What a client remembers over all its connections.
#[derive(Default)]
struct Peer {
    conns: Vec<ConnId>,
    unacked: VecDeque<(ConnId, Frame)>,
    /// Bodies in the order they were first seen, by sender.
    seen: BTreeMap<String, Vec<u64>>,
    ids: BTreeMap<String, u64>,
}

struct Play {
    w: World,
    senders: [Option<ConnId>; 2],
    sent: [u64; 2],
    clients: [Peer; 2],
    /// What the session task has and has not typed yet.
    hands: VecDeque<Injection>,
    up: bool,
    typed: Vec<Uuid>,
    /// What was typed, by sender, in order.
    order: BTreeMap<String, Vec<u64>>,
    /// The session's own agent: an auxiliary that may claim what its session has not begun.
    agent: Option<ConnId>,
    claimed: VecDeque<Frame>,
    /// Claims that it acknowledged.
    took: Vec<Uuid>,
    claims: bool,
    crashed: bool,
    /// Terminal receipts shown, by message and recipient. A repeated SEND is shown the first one's again.
    endings: BTreeMap<(String, String), BTreeSet<ReceiptState>>,
    accepted: BTreeSet<(String, String)>,
}

impl Play {
    fn new() -> Self {
        let mut play = Self {
            w: World::new(),
            senders: [None; 2],
            sent: [0; 2],
            clients: Default::default(),
            hands: VecDeque::new(),
            up: false,
            typed: Vec::new(),
            order: BTreeMap::new(),
            agent: None,
            claimed: VecDeque::new(),
            took: Vec::new(),
            claims: false,
            crashed: false,
            endings: BTreeMap::new(),
            accepted: BTreeSet::new(),
        };
        play.w.prompt = false;
        // Everyone is known before the play begins.
        for client in 0..2 {
            play.connect(client, false);
        }
        play.session_up();
        play
    }

    fn sender(&mut self, from: usize) -> ConnId {
        if let Some(conn) = self.senders[from] {
            return conn;
        }
        // A sender does not acknowledge what others broadcast.
        let mut hello = World::hello(SENDERS[from]);
        hello.capabilities.ack = Some(false);
        let conn = self.w.enter(hello).unwrap().0;
        self.senders[from] = Some(conn);
        conn
    }

    fn send(&mut self, from: usize, to: usize, volatile: bool) {
        let conn = self.sender(from);
        self.sent[from] += 1;
        let number = self.sent[from];
        let target = [CLIENTS[0], CLIENTS[1], SESSION, "*"][to];
        let durability = if volatile { Durability::Volatile } else { Durability::Durable };
        let meta = SendMeta { durability: Some(durability), ..SendMeta::default() };
        self.w.send_with(conn, &number.to_string(), target, &number.to_string(), Some(meta));
    }

    fn repeat(&mut self, from: usize) {
        let (conn, number) = (self.sender(from), self.sent[from].to_string());
        if let Some(first) = self
            .w
            .journal
            .messages
            .iter()
            .find(|m| *m.sender == *SENDERS[from] && m.client_id.as_deref() == Some(&*number))
        {
            let target = first.target.to_string();
            self.w.send(conn, &number, &target, &number);
        }
    }

    fn connect(&mut self, client: usize, lease: bool) {
        if lease {
            let conn = self.w.auxiliary(CLIENTS[client]);
            self.w.frame(conn, Header::new(FrameType::Lease, "l", 0), &Lease {});
            self.clients[client].conns.push(conn);
        } else if let Ok((conn, _)) = self.w.enter(World::hello(CLIENTS[client])) {
            self.clients[client].conns.push(conn);
        }
    }

    fn leave(&mut self, client: usize) {
        if self.clients[client].conns.is_empty() {
            return;
        }
        let conn = self.clients[client].conns.remove(0);
        self.collect();
        self.w.leave(conn);
        self.clients[client].unacked.retain(|(on, _)| *on != conn);
    }

    fn ack(&mut self, client: usize, which: usize) {
        let peer = &mut self.clients[client];
        let which = which.min(peer.unacked.len().saturating_sub(1));
        if let Some((conn, frame)) = peer.unacked.remove(which) {
            self.w.ack(conn, &frame);
        }
    }

    fn session_up(&mut self) {
        if !self.up {
            self.hands.clear();
            self.up = true;
            self.w.session_up(SESSION);
        }
    }

    fn session_down(&mut self) {
        if self.up {
            self.up = false;
            self.hands.clear();
            self.w.session_down(SESSION, false);
        }
    }

    /// The session deals with the first message it has.
    fn type_next(&mut self) {
        let Some(injection) = self.hands.pop_front() else { return };
        let id = injection.message;
        // What an earlier daemon had typed is not typed again; the holder knows.
        if !self.typed.contains(&id) {
            let done = Intent(None);
            self.w.progress(SESSION, id, Step::Writing { run: "run".into(), attempt: 1, done });
            while self.w.intents.is_empty() {
                assert!(self.w.commit(), "an intent is answered");
                self.w.turn();
            }
            if self.w.intents.pop().unwrap().1.is_err() {
                return;
            }
            self.typed.push(id);
            self.order.entry(injection.from).or_default().push(injection.body.parse().unwrap());
        }
        self.w.reached(SESSION, id, ReceiptState::Delivered);
    }

    fn claim(&mut self, which: usize) {
        let Some(message) = self.hands.get(which).map(|injection| injection.message) else { return };
        let agent = match self.agent {
            Some(agent) => agent,
            None => self.w.auxiliary(SESSION),
        };
        self.agent = Some(agent);
        self.claims = true;
        self.w.frame(agent, Header::new(FrameType::Claim, "c", 0), &Claim { message: message.to_string() });
        let frames = self.w.received(agent);
        self.claimed.extend(frames.into_iter().filter(|frame| frame.header.kind == FrameType::Deliver));
    }

    fn ack_claim(&mut self) {
        if let (Some(agent), Some(frame)) = (self.agent, self.claimed.pop_front()) {
            self.w.ack(agent, &frame);
            self.took.push(Uuid::parse_str(&frame.header.id).unwrap());
        }
    }

    fn leave_agent(&mut self) {
        if let Some(agent) = self.agent.take() {
            self.claimed.clear();
            self.w.leave(agent);
        }
    }

    fn crash(&mut self, committed: usize) {
        self.collect();
        self.crashed = true;
        self.agent = None;
        self.claimed.clear();
        self.w.crash(committed);
        self.senders = [None; 2];
        for peer in &mut self.clients {
            peer.conns.clear();
            peer.unacked.clear();
        }
        self.hands.clear();
        self.up = false;
        self.w.intents.clear();
    }

    /// Everyone looks at what has come.
    fn collect(&mut self) {
        self.hands.extend(self.w.injected());
        for (client, peer) in self.clients.iter_mut().enumerate() {
            for conn in peer.conns.clone() {
                for frame in self.w.received_of(conn, FrameType::Deliver) {
                    assert_eq!(frame.header.to.as_deref(), Some(CLIENTS[client]), "only its own messages");
                    let twice = peer.unacked.iter().any(|(_, other)| other.header.id == frame.header.id);
                    assert!(!twice, "one delivery path: {} is in two hands", frame.header.id);
                    let from = frame.header.from.clone().unwrap();
                    let number: u64 = body(&frame).parse().unwrap();
                    let known = peer.ids.insert(frame.header.id.clone(), number);
                    match known {
                        Some(known) => assert_eq!(known, number, "the same id is the same message"),
                        None => peer.seen.entry(from).or_default().push(number),
                    }
                    peer.unacked.push_back((conn, frame));
                }
            }
        }
        for conn in self.senders.into_iter().flatten() {
            for frame in self.w.received_of(conn, FrameType::Receipt) {
                let receipt: Receipt = frame.body.decode().unwrap();
                let key = (receipt.message, receipt.recipient);
                if receipt.state == ReceiptState::Accepted {
                    self.accepted.insert(key);
                } else if receipt.terminal {
                    self.endings.entry(key).or_default().insert(receipt.state);
                }
            }
        }
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Send { from, to, volatile } => self.send(from, to, volatile),
            Act::Repeat { from } => self.repeat(from),
            Act::Ack { client, which } => self.ack(client, which),
            Act::Connect { client, lease } => self.connect(client, lease),
            Act::Leave { client } => self.leave(client),
            Act::LeaveSender { from } => {
                if let Some(conn) = self.senders[from].take() {
                    self.collect();
                    self.w.leave(conn);
                }
            }
            Act::Commit => drop(self.w.commit()),
            Act::FailCommit => {
                if self.w.journal.waiting() > 0 {
                    self.w.fail_commit();
                }
            }
            Act::Crash { committed } => self.crash(committed),
            Act::SessionUp => self.session_up(),
            Act::SessionDown => self.session_down(),
            Act::Type => self.type_next(),
            Act::Claim { which } => self.claim(which),
            Act::AckClaim => self.ack_claim(),
            Act::LeaveAgent => self.leave_agent(),
            Act::Wait => self.w.advance(700),
        }
        self.w.turn();
        self.collect();
    }

    /// Everyone comes back and finishes.
    fn settle(&mut self) {
        self.leave_agent();
        self.session_up();
        for client in 0..2 {
            self.sender(client);
            self.connect(client, false);
        }
        for _ in 0..10_000 {
            self.w.commit_all();
            self.w.advance(1000);
            self.collect();
            let idle = self.hands.is_empty() && self.clients.iter().all(|peer| peer.unacked.is_empty());
            if idle && self.w.journal.waiting() == 0 {
                return;
            }
            self.type_next();
            self.ack(0, 0);
            self.ack(1, 0);
        }
        panic!("it never comes to rest");
    }

    fn check(&self) {
        assert!(self.w.journal.beyond.is_empty(), "a step beyond an ending: {:?}", self.w.journal.beyond);
        for delivery in self.w.journal.deliveries.values() {
            assert!(delivery.ended, "not ended: {delivery:?}");
            let id = delivery.message.to_string();
            if let Some(client) = CLIENTS.iter().position(|name| **name == *delivery.recipient) {
                assert_eq!(delivery.state, ReceiptState::Delivered);
                assert!(self.clients[client].ids.contains_key(&id), "lost: {delivery:?}");
            }
            if *delivery.recipient == *SESSION {
                let typed = self.typed.contains(&delivery.message.0);
                let took = self.took.contains(&delivery.message.0);
                match delivery.state {
                    ReceiptState::Delivered => assert!(typed || took, "nobody got {delivery:?}"),
                    state => assert_eq!(state, ReceiptState::Uncertain),
                }
            }
        }
        for (key, states) in &self.endings {
            assert_eq!(states.len(), 1, "{key:?} ended more than once: {states:?}");
        }
        for (message, recipient) in &self.accepted {
            let known = self
                .w
                .journal
                .deliveries
                .keys()
                .any(|(id, to)| id.to_string() == *message && **to == **recipient);
            assert!(known, "{message} was said to be accepted");
        }
        let typed: BTreeSet<_> = self.typed.iter().collect();
        assert_eq!(typed.len(), self.typed.len(), "typed twice");
        // An ACK that died with the daemon before it was noted may be followed by a second delivery, as for any client.
        if !self.crashed {
            assert!(self.took.iter().all(|id| !typed.contains(id)), "claimed and typed");
        }
        if !self.claims {
            assert!(
                self.order.values().all(|numbers| numbers.is_sorted()),
                "typed out of order: {:?}",
                self.order
            );
        }
        for (peer, name) in self.clients.iter().zip(CLIENTS) {
            for (from, numbers) in &peer.seen {
                assert!(numbers.is_sorted(), "{from} to {name} out of order: {numbers:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_interleaving_loses_doubles_or_reorders(acts in proptest::collection::vec(act(), 1..70)) {
        let mut play = Play::new();
        for act in &acts {
            play.act(act);
        }
        play.settle();
        play.check();
    }
}
