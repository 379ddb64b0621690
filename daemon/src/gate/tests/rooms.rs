//! Stand-ins for the rooms behind the gate: they answer what they are asked and remember what they were told.

use std::path::PathBuf;

use bytes::BytesMut;
use posthouse_protocol::handshake::{DaemonInfo, Role};
use posthouse_protocol::payload::SessionInfo;
use posthouse_protocol::{Encoding, Frame, FrameType, Header, Violation, Welcome, limits};
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::config::Limits;
use crate::credential::command::Credentials;
use crate::credential::http::Http;
use crate::gate::{self, Gate, Place, Rooms, Stop};
use crate::journal::{Journal, Options};
use crate::post::command::{Admit, Admitted, Departure, PostCommand, PostCounts, PostQuery};
use crate::session::command::{Sessions, SessionsCommand};

/// A gate with its socket, and what post was told.
pub(super) struct Gatehouse {
    pub(super) socket: PathBuf,
    pub(super) told: mpsc::UnboundedReceiver<Told>,
    pub(super) stop: Stop,
    _journal: Journal,
    _dir: TempDir,
}

/// What the stand-in of post was told.
#[derive(Debug)]
pub(super) enum Told {
    Admitted(gate::outbox::Outbox),
    Frames(Vec<Frame>),
    Left(Departure),
}

impl Gatehouse {
    pub(super) async fn open(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path(), Options::default()).unwrap();
        let socket = dir.path().join("posthouse.sock");
        let (post, asked) = mpsc::channel(64);
        let (sessions, commands) = mpsc::channel(64);
        let (credentials, _) = mpsc::channel(1);
        let (tell, told) = mpsc::unbounded_channel();
        tokio::spawn(answer_post(asked, tell));
        tokio::spawn(answer_sessions(commands));
        let rooms = Rooms {
            post,
            sessions: Sessions(sessions),
            credentials: Credentials(credentials, tokio::sync::watch::channel(0).1),
            failover: mpsc::channel(1).0,
            http: Http::from_env(|_| None),
            catalog: Default::default(),
            confines: Default::default(),
            desk: journal.desk(),
            journal: journal.writer(),
        };
        let daemon = DaemonInfo { version: "0.0.0".into(), pid: std::process::id(), generation: 1 };
        let uid = nix::unistd::geteuid().as_raw();
        let place =
            Place { socket: socket.clone(), state: dir.path().to_owned(), program: "/bin/true".into(), uid };
        let gate = Gate::new(rooms, limits, daemon, place);
        let listener = gate::bind(&socket).unwrap();
        let stop = gate.stop();
        tokio::spawn(async move {
            gate.serve(listener).await;
            gate.close().await;
        });
        Self { socket, told, stop, _journal: journal, _dir: dir }
    }

    pub(super) async fn next_told(&mut self) -> Told {
        let told = tokio::time::timeout(super::PATIENCE, self.told.recv());
        told.await.expect("post is told in time").expect("post lives")
    }

    /// Why the next connection to leave left.
    pub(super) async fn next_departure(&mut self) -> Departure {
        loop {
            if let Told::Left(why) = self.next_told().await {
                return why;
            }
        }
    }
}

async fn answer_post(mut asked: mpsc::Receiver<PostCommand>, tell: mpsc::UnboundedSender<Told>) {
    while let Some(command) = asked.recv().await {
        match command {
            PostCommand::Admit(admit) => {
                let told = Told::Admitted(admit.outbox.clone());
                if admit_or_refuse(*admit) {
                    let _ = tell.send(told);
                }
            }
            PostCommand::Frames { frames, .. } => drop(tell.send(Told::Frames(frames))),
            PostCommand::Leave { why, .. } => drop(tell.send(Told::Left(why))),
            PostCommand::Query(PostQuery::Counts { reply }) => drop(reply.send(PostCounts::default())),
            PostCommand::Query(PostQuery::Agents { reply, .. }) => drop(reply.send(Vec::new())),
            other => panic!("the gate never says {other:?}"),
        }
    }
}

fn admit_or_refuse(admit: Admit) -> bool {
    if admit.hello.agent == "taken" {
        let taken =
            Violation::warning(posthouse_protocol::ErrorCode::NameTaken, "taken is connected already");
        return admit.reply.send(Err(taken)).is_err();
    }
    assert!(admit.reply.send(Ok(Admitted { session_id: "s".into() })).is_ok());
    let welcome = Welcome {
        session_id: "s".into(),
        resume_token: None,
        server: admit.limits,
        version: admit.agreed.version,
        encoding: admit.agreed.encoding,
        daemon: admit.daemon,
        principal: admit.principal.wire(),
        role: admit.hello.role.unwrap_or(Role::Primary),
    };
    let frame = Frame::of(Header::new(FrameType::Welcome, "w", 1), &welcome, Encoding::Json).unwrap();
    let mut out = BytesMut::new();
    frame.encode(Encoding::Json, limits::MAX_FRAME, &mut out).unwrap();
    admit.outbox.push(out.freeze()).unwrap();
    true
}

async fn answer_sessions(mut commands: mpsc::Receiver<SessionsCommand>) {
    while let Some(command) = commands.recv().await {
        match command {
            SessionsCommand::List { reply, .. } => drop(reply.send(Vec::<SessionInfo>::new())),
            SessionsCommand::Rights { reply, .. } => drop(reply.send(None)),
            SessionsCommand::Detach { .. } => {}
            // Never answered: a request that takes for ever.
            other => std::mem::forget(other),
        }
    }
}
