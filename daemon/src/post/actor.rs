//! The actor around the core: takes what has queued up, lets the core decide, and carries out what it asks for.

use std::collections::HashMap;
use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use posthouse_protocol::payload::{AgentInfo, Bye, Error};
use posthouse_protocol::{ErrorCode, Frame, FrameType, Header, Payload, Violation, limits};
use tokio::sync::mpsc;
use tokio::time::Sleep;

use super::command::{Admit, ConnId, Departure, PostCommand, PostQuery, SessionSink};
use super::core::{Applicant, Core, Effects, Fetch, Given, Keyed, NameId, Now, Quotas, Recall};
use crate::config::Limits;
use crate::fail_point::{self, Point};
use crate::gate::outbox::{Mark, Outbox, PushError};
use crate::journal::{self, Delivery, Desk, Done, Journal, Outcome, ReadError, Seq, WriteError, Writer};

/// Commands that may wait for post. Each may hold all the frames of one read.
const QUEUE: usize = 1024;
/// Most commands taken in one turn, so that its frames are written before more are read.
const TURN: usize = 256;
/// Rows read at once when the daemon starts.
const PAGE: usize = 1000;

/// What comes back from the journal, and from connections.
#[derive(Debug)]
enum Answer {
    Committed(u64, Outcome),
    Fetched(Fetch, Option<Vec<journal::Message>>),
    Recalled(Recall, Vec<Delivery>),
    Written(Vec<Given>),
}

/// Post with everything it knows, ready to run.
#[derive(Debug)]
pub struct Post {
    core: Core,
    commands: mpsc::Receiver<PostCommand>,
    answers: mpsc::UnboundedReceiver<Answer>,
    answer: mpsc::UnboundedSender<Answer>,
    writer: Writer,
    desk: Desk,
    outboxes: Keyed<ConnId, Outbox>,
    sinks: HashMap<NameId, SessionSink>,
    started: Instant,
}

impl Post {
    /// Reads what the journal has of names and unfinished messages, for the daemon of the user `owner`. Blocks the
    /// thread as long as that takes. The sender is where commands go; post ends once every clone of it is gone.
    ///
    /// # Errors
    /// The journal cannot be read, or the system has no randomness to give.
    pub fn recover(
        owner: u32,
        journal: &Journal,
        limits: &Limits,
    ) -> Result<(mpsc::Sender<PostCommand>, Self), ReadError> {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|e| ReadError::Row(e.to_string()))?;
        let mut core = Core::new(owner, u64::from_le_bytes(seed), Quotas::from(limits));
        let started = Instant::now();
        core.at(now(started));
        let reader = journal.reader()?;
        for document in reader.documents(journal::DocumentKind::Name)? {
            core.recover_name(&document);
        }
        let mut after = Seq::default();
        loop {
            let page = reader.unfinished(after, PAGE)?;
            let Some(last) = page.rows.last() else { break };
            after = last.stored.seq;
            for open in page.rows {
                core.recover_delivery(open);
            }
            if !page.more {
                break;
            }
        }
        let (sender, commands) = mpsc::channel(QUEUE);
        let (answer, answers) = mpsc::unbounded_channel();
        let (writer, desk) = (journal.writer(), journal.desk());
        let (outboxes, sinks) = (Keyed::default(), HashMap::new());
        Ok((sender, Self { core, commands, answers, answer, writer, desk, outboxes, sinks, started }))
    }

    /// Runs until nobody can send commands any more.
    pub async fn run(mut self) {
        let mut batch = Vec::with_capacity(TURN);
        let mut alarm = Alarm::new(self.started);
        loop {
            alarm.set(self.core.next_due());
            tokio::select! {
                taken = self.commands.recv_many(&mut batch, TURN) => {
                    if taken == 0 {
                        break;
                    }
                    self.core.at(now(self.started));
                }
                Some(answer) = self.answers.recv() => {
                    self.core.at(now(self.started));
                    self.answered(answer);
                }
                () = &mut alarm.sleep, if alarm.is_set() => {
                    alarm.ring();
                    self.core.at(now(self.started));
                }
            }
            while let Ok(answer) = self.answers.try_recv() {
                self.answered(answer);
            }
            for command in batch.drain(..) {
                self.command(command);
            }
            self.core.tick();
            self.carry_out();
        }
        self.core.keep_newcomers();
        self.carry_out();
    }

    fn command(&mut self, command: PostCommand) {
        match command {
            PostCommand::Frames { conn, frames } => self.core.frames(conn, frames),
            PostCommand::Admit(admit) => self.admit(*admit),
            PostCommand::Leave { conn, why } => {
                self.outboxes.remove(&conn);
                self.core.leave(conn, why);
            }
            PostCommand::Reserve { name, reply } => drop(reply.send(self.core.reserve(&name))),
            PostCommand::SessionUp { name, info, sink } => self.session_up(&name, *info, sink),
            PostCommand::SessionDown { name, forget } => {
                if let Some(id) = self.core.session_down(&name, forget) {
                    self.sinks.remove(&id);
                }
            }
            PostCommand::Progress(progress) => self.core.progress(progress),
            PostCommand::Query(query) => self.query(query),
        }
    }

    fn admit(&mut self, admit: Admit) {
        let Admit { conn, principal, pid, hello, agreed, limits, daemon, outbox, reply } = admit;
        let mut secret = [0; 32];
        let admitted = match getrandom::fill(&mut secret) {
            Ok(()) => {
                self.core.admit(Applicant { conn, principal, pid, hello, agreed, limits, daemon, secret })
            }
            Err(e) => Err(Violation::warning(ErrorCode::Internal, format!("failed to make a token: {e}"))),
        };
        let entered = admitted.is_ok();
        if entered {
            self.outboxes.insert(conn, outbox);
        }
        if reply.send(admitted).is_err() && entered {
            self.outboxes.remove(&conn);
            self.core.leave(conn, Departure::Closed);
        }
    }

    /// The same session may come up again to say something new of itself; what it has in its hands stays there.
    fn session_up(&mut self, name: &str, info: AgentInfo, sink: SessionSink) {
        let same = |(_, old): &(&NameId, &SessionSink)| old.injections.same_channel(&sink.injections);
        if let Some(id) = self.sinks.iter().find(same).map(|(id, _)| *id) {
            self.core.session_info(id, info);
        } else if let Some(id) = self.core.session_up(name, info) {
            self.sinks.insert(id, sink);
        } else {
            tracing::error!(name, "a session came up under a name that a connection has");
        }
    }

    fn query(&mut self, query: PostQuery) {
        // Whoever asked may have lost interest.
        match query {
            PostQuery::Agents { connected, reply } => drop(reply.send(self.core.agents(connected))),
            PostQuery::Remove { name, reply } => drop(reply.send(self.core.remove(&name))),
            PostQuery::Counts { reply } => drop(reply.send(self.core.counts())),
        }
    }

    fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Committed(ticket, outcome) => {
                fail_point::pass(Point::PostCommitted);
                self.core.committed(ticket, &outcome);
            }
            Answer::Fetched(fetch, found) => self.core.fetched(&fetch, found),
            Answer::Recalled(recall, deliveries) => self.core.recalled(&recall, &deliveries),
            Answer::Written(given) => given.into_iter().for_each(|given| self.core.written(given)),
        }
    }

    /// Carries out what the core wants. Where that fails the core is told, and may want more.
    fn carry_out(&mut self) {
        loop {
            let effects = self.core.finish();
            if !self.apply(effects) {
                return;
            }
        }
    }

    /// Whether the core has been told of something that failed.
    fn apply(&mut self, effects: Effects) -> bool {
        let mut failed = false;
        for submission in effects.submissions {
            fail_point::pass(Point::PostSubmit);
            let (ticket, answer) = (submission.ticket, self.answer.clone());
            let done = Done::notify(move |outcome| {
                // Post ends only when the daemon does.
                let _ = answer.send(Answer::Committed(ticket, outcome));
            });
            if let Err(error) = self.writer.submit(submission.ops, submission.durability, done) {
                self.core.committed(ticket, &Err(WriteError::Refused(error.to_string())));
                failed = true;
            }
        }
        for (conn, chunk) in effects.frames {
            fail_point::pass(Point::PostFrames);
            failed |= self.push(conn, chunk);
        }
        for (conn, given) in effects.given {
            if let Some(outbox) = self.outboxes.get(&conn) {
                let answer = self.answer.clone();
                // Post ends only when the daemon does.
                outbox.mark(Mark::new(move || drop(answer.send(Answer::Written(given)))));
            }
        }
        for (conn, last) in effects.ends {
            if let Some(outbox) = self.outboxes.remove(&conn) {
                outbox.end(last);
            }
        }
        for (name, injection) in effects.injections {
            fail_point::pass(Point::PostInject);
            let taken = self.sinks.get(&name).is_some_and(|sink| sink.injections.try_send(injection).is_ok());
            if !taken {
                self.sinks.remove(&name);
                self.core.session_lost(name);
                failed = true;
            }
        }
        for (intent, result) in effects.intents {
            if let Some(told) = intent.0 {
                drop(told.send(result));
            }
        }
        for fetch in effects.fetches {
            self.fetch(fetch);
        }
        for recall in effects.recalls {
            self.recall(recall);
        }
        failed
    }

    /// Appends a chunk to a connection's outbox. A client that has not read what waits there is cut off: its stream
    /// would have a hole.
    fn push(&mut self, conn: ConnId, chunk: Bytes) -> bool {
        let Some(outbox) = self.outboxes.get(&conn) else { return false };
        match outbox.push(chunk) {
            // The gate is about to say that it left.
            Ok(()) | Err(PushError::Closed) => false,
            Err(PushError::Full) => {
                let message = "the client does not read what it is sent";
                let cut = Violation::fatal(ErrorCode::SlowConsumer, message);
                outbox.end(last_words(outbox, &cut));
                self.outboxes.remove(&conn);
                self.core.leave(conn, Departure::Cut(cut));
                true
            }
        }
    }

    fn fetch(&self, fetch: Fetch) {
        let (desk, answer) = (self.desk.clone(), self.answer.clone());
        tokio::spawn(async move {
            let ids = fetch.ids.clone();
            let read = desk.ask(move |reader| {
                let mut found = Vec::with_capacity(ids.len());
                for id in ids {
                    found.extend(reader.message(id)?.map(|stored| stored.message));
                }
                Ok(found)
            });
            let found = read.await.inspect_err(|error| tracing::warn!(%error, "bodies not read back")).ok();
            let _ = answer.send(Answer::Fetched(fetch, found));
        });
    }

    fn recall(&self, recall: Recall) {
        let (desk, answer) = (self.desk.clone(), self.answer.clone());
        tokio::spawn(async move {
            let first = recall.first;
            let receipts = desk.ask(move |reader| reader.receipts(first)).await;
            let receipts = receipts.inspect_err(|error| tracing::warn!(%error, "receipts not read")).ok();
            let deliveries = receipts.flatten().map(|receipts| receipts.deliveries).unwrap_or_default();
            let _ = answer.send(Answer::Recalled(recall, deliveries));
        });
    }
}

/// The moment by both clocks.
fn now(started: Instant) -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { wall: millis(wall), mono: millis(started.elapsed()) }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// ERROR and BYE for a connection that is cut off.
fn last_words(outbox: &Outbox, cut: &Violation) -> Bytes {
    let mut out = BytesMut::new();
    let error = Error { code: cut.code, message: cut.message.clone(), fatal: true };
    append(outbox, FrameType::Error, &error, &mut out);
    append(outbox, FrameType::Bye, &Bye {}, &mut out);
    out.freeze()
}

fn append<P: Payload>(outbox: &Outbox, kind: FrameType, payload: &P, out: &mut BytesMut) {
    let frame = Frame::of(Header::new(kind, "", 0), payload, outbox.encoding());
    let written = frame.and_then(|frame| frame.encode(outbox.encoding(), limits::MAX_FRAME, out));
    if let Err(error) = written {
        tracing::warn!(%error, %kind, "last frame left out");
    }
}

/// One sleep for all of post's deadlines, moved only when the earliest of them changes.
struct Alarm {
    started: Instant,
    sleep: Pin<Box<Sleep>>,
    at: Option<u64>,
}

impl Alarm {
    fn new(started: Instant) -> Self {
        Self { started, sleep: Box::pin(tokio::time::sleep(Duration::ZERO)), at: None }
    }

    fn set(&mut self, at: Option<u64>) {
        if self.at != at {
            self.at = at;
            if let Some(at) = at {
                let moment = self.started + Duration::from_millis(at);
                self.sleep.as_mut().reset(moment.into());
            }
        }
    }

    fn is_set(&self) -> bool {
        self.at.is_some()
    }

    fn ring(&mut self) {
        self.at = None;
    }
}
