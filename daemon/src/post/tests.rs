//! The actor on the real journal: commits, spilled bodies, repeats, a restart.

use std::time::Duration;

use bytes::BytesMut;
use posthouse_protocol::handshake::{Agreed, DaemonInfo, ServerLimits};
use posthouse_protocol::payload::{Ack, AgentInfo, Error, Message};
use posthouse_protocol::{
    Encoding, ErrorCode, Frame, FrameType, Header, Hello, Payload, Receipt, ReceiptState, codec, limits,
};
use tokio::sync::{mpsc, oneshot};

use super::Post;
use super::command::{Admit, ConnId, Departure, Injection, Intent, PostCommand, Progress, SessionSink, Step};
use crate::config::Limits;
use crate::gate::outbox::{Outlet, outbox};
use crate::journal::{Journal, Options};
use crate::principal::{Kind, Principal};

/// Long enough for a busy machine; nothing waits for it to pass.
const DEADLINE: Duration = Duration::from_secs(60);

struct House {
    post: mpsc::Sender<PostCommand>,
    actor: tokio::task::JoinHandle<()>,
    journal: Journal,
    conns: u64,
}

struct Client {
    conn: ConnId,
    outlet: Outlet,
    read: BytesMut,
}

impl House {
    fn open(dir: &std::path::Path) -> Self {
        let journal = Journal::open(dir, Options::default()).unwrap();
        let (post, actor) = Post::recover(1000, &journal, &Limits::default()).unwrap();
        Self { post, actor: tokio::spawn(actor.run()), journal, conns: 0 }
    }

    /// The daemon dies: what was on its way to the journal may or may not get there.
    async fn kill(self) {
        self.actor.abort();
        let _ = self.actor.await;
        self.journal.close();
    }

    async fn client(&mut self, name: &str) -> Client {
        self.conns += 1;
        let conn = ConnId(self.conns);
        let mut hello = Hello::new(name);
        hello.capabilities.receipts = Some(true);
        let (outbox, outlet) = outbox(Encoding::Bincode);
        let (reply, answer) = oneshot::channel();
        let admit = Admit {
            pid: None,
            conn,
            principal: Principal { uid: 1000, name: name.into(), kind: Kind::Client },
            hello,
            agreed: Agreed { version: 1, encoding: Encoding::Bincode },
            limits: ServerLimits { max_frame_bytes: 1 << 20, heartbeat_ms: 5000, max_inflight: 256 },
            daemon: DaemonInfo { version: "0".into(), pid: 1, generation: 1 },
            outbox,
            reply,
        };
        self.post.send(PostCommand::Admit(Box::new(admit))).await.unwrap();
        answer.await.unwrap().unwrap();
        let mut client = Client { conn, outlet, read: BytesMut::new() };
        assert_eq!(client.next().await.header.kind, FrameType::Welcome);
        client
    }

    async fn frame<P: Payload>(&self, client: &Client, header: Header, payload: &P) {
        let frames = vec![Frame::of(header, payload, Encoding::Bincode).unwrap()];
        self.post.send(PostCommand::Frames { conn: client.conn, frames }).await.unwrap();
    }

    async fn send(&self, client: &Client, id: &str, to: &str, body: &str) {
        let mut header = Header::new(FrameType::Send, id, 0);
        header.to = Some(to.into());
        self.frame(client, header, &Message::text(body)).await;
    }

    async fn ack(&self, client: &Client, delivered: &Frame) {
        let ack = Ack {
            ack_id: delivered.header.id.clone(),
            seq: 0,
            correlation_id: None,
            response: None,
            response_data: None,
        };
        self.frame(client, Header::new(FrameType::Ack, "a", 0), &ack).await;
    }

    async fn session(&self, name: &str) -> mpsc::Receiver<Injection> {
        let (injections, hands) = mpsc::channel(3 * SessionSink::WINDOW);
        let info = AgentInfo {
            name: name.into(),
            cli: None,
            idle: None,
            parent: None,
            team: None,
            pid: Some(1),
            session: Some(true),
        };
        let sink = SessionSink { injections, run: None };
        let up = PostCommand::SessionUp { name: name.into(), info: Box::new(info), sink };
        self.post.send(up).await.unwrap();
        hands
    }

    async fn progress(&self, session: &str, message: uuid::Uuid, step: Step) {
        let progress = Progress { session: session.into(), message, step };
        self.post.send(PostCommand::Progress(progress)).await.unwrap();
    }
}

impl Client {
    async fn next(&mut self) -> Frame {
        loop {
            if let Some(payload) = codec::split(&mut self.read, limits::MAX_FRAME).unwrap() {
                // WELCOME is JSON whatever was agreed.
                let json = payload.first() == Some(&b'{');
                let encoding = if json { Encoding::Json } else { Encoding::Bincode };
                return Frame::decode(&payload, encoding).unwrap();
            }
            let chunk = tokio::time::timeout(DEADLINE, self.outlet.next()).await.expect("a frame comes");
            let chunk = chunk.expect("the connection goes on");
            self.outlet.written(chunk.len());
            self.read.extend_from_slice(&chunk);
        }
    }

    async fn next_of(&mut self, kind: FrameType) -> Frame {
        loop {
            let frame = self.next().await;
            if frame.header.kind == kind {
                return frame;
            }
        }
    }

    async fn state(&mut self) -> ReceiptState {
        self.next_of(FrameType::Receipt).await.body.decode::<Receipt>().unwrap().state
    }
}

#[tokio::test]
async fn accepted_messages_survive_the_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::open(dir.path());
    let (mut a, mut b) = (house.client("alice").await, house.client("bob").await);
    house.send(&a, "m1", "bob", "1").await;
    house.send(&a, "m2", "bob", "2").await;
    let first = b.next_of(FrameType::Deliver).await;
    let second = b.next_of(FrameType::Deliver).await;
    house.ack(&b, &first).await;
    assert_eq!([a.state().await, a.state().await, a.state().await][2], ReceiptState::Delivered);
    house.kill().await;

    let mut house = House::open(dir.path());
    let mut b = house.client("bob").await;
    let again = b.next_of(FrameType::Deliver).await;
    assert_eq!(again.header.id, second.header.id);
    assert_eq!(again.header.delivery.as_ref().unwrap().seq, 2);
    house.ack(&b, &again).await;
    let mut a = house.client("alice").await;
    house.send(&a, "m2", "bob", "2").await;
    let receipt: Receipt = a.next_of(FrameType::Receipt).await.body.decode().unwrap();
    assert_eq!((receipt.message, receipt.state), (second.header.id, ReceiptState::Delivered));
    house.send(&a, "m3", "nobody", "?").await;
    let error: Error = a.next_of(FrameType::Error).await.body.decode().unwrap();
    assert_eq!(error.code, ErrorCode::NoSuchName);
    house.kill().await;
}

#[tokio::test]
async fn an_inbox_larger_than_memory_arrives_whole_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::open(dir.path());
    let (a, b) = (house.client("alice").await, house.client("bob").await);
    house.post.send(PostCommand::Leave { conn: b.conn, why: Departure::Closed }).await.unwrap();
    let text = |n: usize| format!("{n} {}", "x".repeat(8000));
    for n in 0..500 {
        house.send(&a, &format!("m{n}"), "bob", &text(n)).await;
    }
    let mut b = house.client("bob").await;
    for n in 0..500 {
        let delivered = b.next_of(FrameType::Deliver).await;
        assert_eq!(delivered.body.decode::<Message>().unwrap().body, text(n));
        house.ack(&b, &delivered).await;
    }
    house.kill().await;
}

#[tokio::test]
async fn a_session_writes_after_its_intent_and_a_new_daemon_knows() {
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::open(dir.path());
    let mut a = house.client("alice").await;
    let mut hands = house.session("sess").await;
    house.send(&a, "m1", "sess", "do it").await;
    let injection = hands.recv().await.unwrap();
    let (done, noted) = oneshot::channel();
    let step = Step::Writing { run: "run-1".into(), attempt: 1, done: Intent(Some(done)) };
    house.progress("sess", injection.message, step).await;
    assert_eq!(noted.await.unwrap(), Ok(()));
    house.kill().await;

    let mut house = House::open(dir.path());
    let mut hands = house.session("sess").await;
    let again = hands.recv().await.unwrap();
    assert_eq!(again.message, injection.message);
    assert_eq!(again.earlier.unwrap().run, "run-1");
    a = house.client("alice").await;
    let step = Step::Reached {
        state: ReceiptState::Uncertain,
        evidence: None,
        reason: Some("the holder is gone".into()),
        run: Some("run-1".into()),
        attempt: 1,
    };
    house.progress("sess", injection.message, step).await;
    assert_eq!(a.state().await, ReceiptState::Uncertain);
    house.kill().await;
}

#[tokio::test]
async fn a_session_that_is_gone_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::open(dir.path());
    let mut a = house.client("alice").await;
    drop(house.session("sess").await);
    house.send(&a, "m1", "sess", "still there?").await;
    assert_eq!(a.state().await, ReceiptState::Accepted);
    assert_eq!(a.state().await, ReceiptState::Queued);
    let mut hands = house.session("sess").await;
    assert_eq!(hands.recv().await.unwrap().body, "still there?");
    house.kill().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_and_told_why() {
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::open(dir.path());
    let (a, mut b) = (house.client("alice").await, house.client("bob").await);
    // Channel messages have no window, so they are what fills the outbox of a client that does not read.
    for n in 0..10 {
        house.send(&a, &format!("m{n}"), "#general", &"x".repeat(900_000)).await;
    }
    let mut last = Vec::new();
    while let Some(chunk) = tokio::time::timeout(DEADLINE, b.outlet.next()).await.expect("it is ended") {
        b.read.extend_from_slice(&chunk);
        while let Some(payload) = codec::split(&mut b.read, limits::MAX_FRAME).unwrap() {
            last.push(Frame::decode(&payload, Encoding::Bincode).unwrap().header.kind);
        }
    }
    assert_eq!(last[last.len() - 2..], [FrameType::Error, FrameType::Bye]);
    let mut b = house.client("bob").await;
    let error: Error = b.next_of(FrameType::Error).await.body.decode().unwrap();
    assert_eq!((error.code, error.fatal), (ErrorCode::SlowConsumer, false));
    house.kill().await;
}
