//! A core with everything around it played by the test: clients, sessions, the journal and the clock.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use posthouse_protocol::handshake::{Agreed, Capabilities, DaemonInfo, Resume, Role, ServerLimits};
use posthouse_protocol::payload::{Ack, AgentInfo, Message};
use posthouse_protocol::{
    Encoding, Frame, FrameType, Header, Hello, Payload, Receipt, ReceiptState, SendMeta, Violation, Welcome,
    codec,
};

use super::journal::FakeJournal;
use crate::journal::WriteError;
use crate::post::command::{ConnId, Departure, Injection, Intent, Progress, Step};
use crate::post::core::{Applicant, Core, NameId, Now, Quotas};
use crate::principal::{Kind, Principal};

pub const UID: u32 = 1000;

pub struct World {
    pub core: Core,
    pub journal: FakeJournal,
    pub now: Now,
    /// Commits are applied as soon as they are submitted.
    pub prompt: bool,
    /// What a connection is sent is written to its socket at once.
    pub writes: bool,
    received: HashMap<ConnId, Vec<Frame>>,
    encodings: HashMap<ConnId, Encoding>,
    pub ended: Vec<ConnId>,
    pub injections: Vec<(NameId, Injection)>,
    pub intents: Vec<(Intent, Result<(), String>)>,
    next_conn: u64,
    lives: u64,
}

impl World {
    pub fn new() -> Self {
        let now = Now { wall: 1_800_000_000_000, mono: 1000 };
        let mut core = Core::new(UID, 1, Quotas::default());
        core.at(now);
        Self {
            core,
            journal: FakeJournal::default(),
            now,
            prompt: true,
            writes: true,
            received: HashMap::new(),
            encodings: HashMap::new(),
            ended: Vec::new(),
            injections: Vec::new(),
            intents: Vec::new(),
            next_conn: 0,
            lives: 1,
        }
    }

    /// Ends the turn and plays everybody's part in it.
    pub fn turn(&mut self) {
        loop {
            let effects = self.core.finish();
            let quiet = effects.submissions.is_empty()
                && effects.fetches.is_empty()
                && effects.recalls.is_empty()
                && (effects.given.is_empty() || !self.writes);
            for submission in effects.submissions {
                self.journal.submit(submission);
            }
            for (conn, chunk) in effects.frames.into_iter().chain(effects.ends.iter().cloned()) {
                let encoding = self.encodings[&conn];
                self.received.entry(conn).or_default().extend(decode(chunk, encoding));
            }
            for given in effects.given.into_iter().flat_map(|(_, given)| given).filter(|_| self.writes) {
                self.core.written(given);
            }
            self.ended.extend(effects.ends.into_iter().map(|(conn, _)| conn));
            self.injections.extend(effects.injections);
            self.intents.extend(effects.intents);
            for fetch in effects.fetches {
                let found = fetch.ids.iter().filter_map(|id| self.journal.message(*id).cloned()).collect();
                self.core.fetched(&fetch, Some(found));
            }
            for recall in effects.recalls {
                let receipts = self.journal.receipts(recall.first);
                self.core.recalled(&recall, &receipts);
            }
            let due = self.core.next_due().is_some_and(|at| at <= self.now.mono);
            self.core.tick();
            if quiet && !due && !(self.prompt && self.commit()) {
                return;
            }
        }
    }

    /// Commits the oldest submission; `false` if there is none.
    pub fn commit(&mut self) -> bool {
        let Some((ticket, committed)) = self.journal.commit_one() else { return false };
        self.core.committed(ticket, &Ok(committed));
        true
    }

    pub fn commit_all(&mut self) {
        self.turn();
        while self.commit() {
            self.turn();
        }
    }

    pub fn fail_commit(&mut self) {
        let ticket = self.journal.fail_one().unwrap();
        self.core.committed(ticket, &Err(WriteError::DiskFull));
        self.turn();
    }

    pub fn advance(&mut self, ms: u64) {
        self.now = Now { wall: self.now.wall + ms, mono: self.now.mono + ms };
        self.core.at(self.now);
        self.core.tick();
        self.turn();
    }

    /// `kill -9` and a new daemon. Of what was submitted, the first `committed` submissions made it.
    pub fn crash(&mut self, committed: usize) {
        self.journal.crash(committed);
        self.lives += 1;
        self.now.mono = 5;
        self.core = Core::new(UID, self.lives, Quotas::default());
        self.core.at(self.now);
        let mut documents: Vec<_> = self.journal.documents.values().cloned().collect();
        documents.sort_by(|a, b| a.key.key.cmp(&b.key.key));
        for document in &documents {
            self.core.recover_name(document);
        }
        for open in self.journal.unfinished() {
            self.core.recover_delivery(open);
        }
        self.received.clear();
        self.injections.clear();
        self.turn();
    }

    pub fn hello(name: &str) -> Hello {
        let mut hello = Hello::new(name);
        hello.capabilities = Capabilities { receipts: Some(true), ..Capabilities::default() };
        hello
    }

    pub fn client(&mut self, name: &str) -> ConnId {
        self.enter(Self::hello(name)).unwrap().0
    }

    pub fn auxiliary(&mut self, name: &str) -> ConnId {
        let mut hello = Self::hello(name);
        hello.role = Some(Role::Auxiliary);
        self.enter(hello).unwrap().0
    }

    pub fn person(&mut self, name: &str) -> ConnId {
        let mut hello = Self::hello(name);
        hello.entity_type = Some("user".into());
        self.enter(hello).unwrap().0
    }

    pub fn resume(&mut self, name: &str, token: &str) -> Result<(ConnId, Welcome), Violation> {
        let mut hello = Self::hello(name);
        hello.session = Some(Resume { resume_token: Some(token.into()) });
        self.enter(hello)
    }

    pub fn enter(&mut self, hello: Hello) -> Result<(ConnId, Welcome), Violation> {
        self.enter_as(hello, Kind::Client)
    }

    pub fn enter_as(&mut self, hello: Hello, kind: Kind) -> Result<(ConnId, Welcome), Violation> {
        self.next_conn += 1;
        let conn = ConnId(self.next_conn);
        let encoding = hello.encodings.first().copied().unwrap_or(Encoding::Json);
        self.encodings.insert(conn, encoding);
        let max_inflight = hello.capabilities.max_inflight.unwrap_or(256);
        let applicant = Applicant {
            conn,
            principal: Principal { uid: UID, name: hello.agent.clone(), kind },
            pid: Some(4711),
            hello,
            agreed: Agreed { version: 1, encoding },
            limits: ServerLimits { max_frame_bytes: 1 << 20, heartbeat_ms: 5000, max_inflight },
            daemon: DaemonInfo { version: "0".into(), pid: 1, generation: self.lives },
            secret: [self.next_conn as u8; 32],
        };
        self.core.admit(applicant)?;
        self.turn();
        let welcome = self.take_first(conn, FrameType::Welcome).body.decode().unwrap();
        Ok((conn, welcome))
    }

    pub fn leave(&mut self, conn: ConnId) {
        self.core.leave(conn, Departure::Closed);
        self.turn();
    }

    pub fn cut(&mut self, conn: ConnId, violation: Violation) {
        self.core.leave(conn, Departure::Cut(violation));
        self.turn();
    }

    pub fn frame<P: Payload>(&mut self, conn: ConnId, header: Header, payload: &P) {
        let frame = Frame::of(header, payload, self.encodings[&conn]).unwrap();
        self.core.frames(conn, vec![frame]);
        self.turn();
    }

    pub fn send(&mut self, conn: ConnId, id: &str, to: &str, body: &str) {
        self.send_with(conn, id, to, body, None);
    }

    pub fn send_with(&mut self, conn: ConnId, id: &str, to: &str, body: &str, meta: Option<SendMeta>) {
        let mut header = Header::new(FrameType::Send, id, 0);
        header.to = Some(to.to_owned());
        header.from = Some("somebody-else".to_owned());
        header.meta = meta;
        self.frame(conn, header, &Message::text(body));
    }

    pub fn ack(&mut self, conn: ConnId, delivered: &Frame) {
        let ack = Ack {
            ack_id: delivered.header.id.clone(),
            seq: delivered.header.delivery.as_ref().map_or(0, |d| d.seq),
            correlation_id: None,
            response: None,
            response_data: None,
        };
        self.frame(conn, Header::new(FrameType::Ack, "ack", 0), &ack);
    }

    /// Everything a connection has been sent since this was last asked.
    pub fn received(&mut self, conn: ConnId) -> Vec<Frame> {
        self.received.remove(&conn).unwrap_or_default()
    }

    /// What it was sent of one type; the rest is dropped.
    pub fn received_of(&mut self, conn: ConnId, kind: FrameType) -> Vec<Frame> {
        self.received(conn).into_iter().filter(|frame| frame.header.kind == kind).collect()
    }

    pub fn bodies(&mut self, conn: ConnId) -> Vec<String> {
        self.received_of(conn, FrameType::Deliver).iter().map(body).collect()
    }

    /// Receipts as `recipient state`, in order.
    pub fn receipts(&mut self, conn: ConnId) -> Vec<String> {
        let frames = self.received_of(conn, FrameType::Receipt);
        let receipts = frames.iter().map(|frame| frame.body.decode::<Receipt>().unwrap());
        receipts
            .map(|r| format!("{} {}{}", r.recipient, r.state, if r.terminal { "." } else { "" }))
            .collect()
    }

    pub fn error(&mut self, conn: ConnId) -> (String, posthouse_protocol::payload::Error) {
        let frame = self.take_first(conn, FrameType::Error);
        (frame.header.id.clone(), frame.body.decode().unwrap())
    }

    pub fn take_first(&mut self, conn: ConnId, kind: FrameType) -> Frame {
        let frames = self.received.entry(conn).or_default();
        let at = frames.iter().position(|frame| frame.header.kind == kind);
        let at = at.unwrap_or_else(|| panic!("no {kind} in {frames:?}"));
        frames.remove(at)
    }

    pub fn session(&mut self, name: &str) -> NameId {
        self.core.reserve(name).unwrap();
        self.session_up(name)
    }

    pub fn session_up(&mut self, name: &str) -> NameId {
        let info = AgentInfo {
            name: name.into(),
            cli: None,
            idle: None,
            parent: None,
            team: None,
            pid: Some(1),
            session: Some(true),
        };
        let id = self.core.session_up(name, info).unwrap();
        self.turn();
        id
    }

    pub fn session_down(&mut self, name: &str, forget: bool) {
        self.core.session_down(name, forget);
        self.turn();
    }

    pub fn progress(&mut self, session: &str, message: uuid::Uuid, step: Step) {
        self.core.progress(Progress { session: session.into(), message, step });
        self.turn();
    }

    /// The session is about to write; what it was told.
    pub fn writing(
        &mut self,
        session: &str,
        message: uuid::Uuid,
        run: &str,
        attempt: u32,
    ) -> Result<(), String> {
        let before = self.intents.len();
        self.progress(session, message, Step::Writing { run: run.into(), attempt, done: Intent(None) });
        assert_eq!(self.intents.len(), before + 1, "every intent is answered");
        self.intents.pop().unwrap().1
    }

    pub fn reached(&mut self, session: &str, message: uuid::Uuid, state: ReceiptState) {
        let step =
            Step::Reached { state, evidence: None, reason: None, run: Some("run-1".into()), attempt: 1 };
        self.progress(session, message, step);
    }

    pub fn injected(&mut self) -> Vec<Injection> {
        std::mem::take(&mut self.injections).into_iter().map(|(_, injection)| injection).collect()
    }
}

pub fn body(frame: &Frame) -> String {
    frame.body.decode::<Message>().unwrap().body
}

/// Frames of a chunk. WELCOME and what may come before it are JSON in every encoding.
fn decode(chunk: Bytes, encoding: Encoding) -> Vec<Frame> {
    let mut buffer = BytesMut::from(&chunk[..]);
    let mut frames = Vec::new();
    while let Some(payload) = codec::split(&mut buffer, 1 << 20).unwrap() {
        let encoding = if payload.first() == Some(&b'{') { Encoding::Json } else { encoding };
        frames.push(Frame::decode(&payload, encoding).unwrap());
    }
    assert!(buffer.is_empty(), "a chunk holds whole frames");
    frames
}
