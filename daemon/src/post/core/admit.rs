//! Giving a connection its name, and WELCOME with what was kept for it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::BytesMut;
use posthouse_protocol::handshake::{Agreed, DaemonInfo, Role, ServerLimits};
use posthouse_protocol::payload::Error;
use posthouse_protocol::{
    Encoding, ErrorCode, Frame, FrameType, Header, Hello, Name, Payload, Violation, Welcome, limits,
};

use super::connection::{Conn, Takes};
use super::directory::{Entry, Identity, Seat};
use super::document::hash;
use super::{Core, NameId, Slot};
use crate::post::command::{Admitted, ConnId};
use crate::principal::{Kind, Principal};

/// A connection that asks for its name.
#[derive(Debug)]
pub(crate) struct Applicant {
    pub conn: ConnId,
    pub principal: Principal,
    pub pid: Option<u32>,
    pub hello: Hello,
    pub agreed: Agreed,
    pub limits: ServerLimits,
    pub daemon: DaemonInfo,
    /// Randomness for its resume token.
    pub secret: [u8; 32],
}

/// How an applicant may come in.
enum Entrance {
    Auxiliary,
    /// As primary; a connection that has to go first.
    Primary {
        instead_of: Option<Slot>,
    },
    /// As one more connection of a person.
    Person,
}

impl Core {
    /// Admits a connection, or says why not. The refusal is not fatal: the name may be free a moment later.
    pub fn admit(&mut self, applicant: Applicant) -> Result<Admitted, Violation> {
        let principal = &applicant.principal;
        let name = Name::parse(&principal.name)
            .map_err(|e| Violation::fatal(ErrorCode::BadName, format!("failed to {e}")))?;
        let known = self.names.find(principal.uid, name.as_str());
        let entry = known.and_then(|id| self.names.get(id));
        let token = applicant.hello.resume_token().map(hash);
        let entrance = self.entrance(&applicant, entry, token)?;
        let resumed = token.is_some() && entry.is_some_and(|e| e.identity.token == token);
        let most = self.quotas.connections;
        let replaces = matches!(entrance, Entrance::Primary { instead_of: Some(_) });
        if !replaces && entry.is_some_and(|entry| entry.conns.len() >= most) {
            let message = format!("{name} has {most} connections already (limits.connections_per_name)");
            return Err(Violation::warning(ErrorCode::LimitExceeded, message));
        }
        let (id, was_known) = self.ensure(principal.uid, name.as_str())?;
        if !was_known {
            self.join_general(id);
        }
        if let Entrance::Primary { instead_of: Some(old) } = entrance {
            self.evict(old);
        }
        Ok(self.enter(applicant, id, &entrance, resumed, !was_known))
    }

    /// Decides how an applicant may come in.
    fn entrance(
        &self,
        a: &Applicant,
        entry: Option<&Entry>,
        token: Option<[u8; 32]>,
    ) -> Result<Entrance, Violation> {
        let name = &a.principal.name;
        let own_session = a.principal.session() == Some(name);
        let observer = a.principal.kind == Kind::Observer;
        if own_session || observer || a.hello.role == Some(Role::Auxiliary) {
            return Ok(Entrance::Auxiliary);
        }
        let (person, seat) = (a.hello.is_user(), entry.map_or(&Seat::Empty, |entry| &entry.seat));
        let resumes = token.is_some() && entry.is_some_and(|entry| entry.identity.token == token);
        match seat {
            Seat::Empty | Seat::People(_) if person => return Ok(Entrance::Person),
            Seat::Empty => return Ok(Entrance::Primary { instead_of: None }),
            Seat::Client(old) if !person && resumes => {
                return Ok(Entrance::Primary { instead_of: Some(*old) });
            }
            _ => {}
        }
        let by = self.who_sits(seat).unwrap_or_default();
        let message = format!("{name} is taken by {by}; connect as an auxiliary, or with its resume token");
        Err(Violation::warning(ErrorCode::NameTaken, message))
    }

    /// Who has a seat, for people; `None` if nobody has.
    pub(super) fn who_sits(&self, seat: &Seat) -> Option<String> {
        let connection = |what: &str, slot: &Slot| {
            let pid = self.conns.get(*slot).and_then(|conn| conn.pid);
            pid.map_or_else(|| what.to_owned(), |pid| format!("{what}, process {pid}"))
        };
        match seat {
            Seat::Empty => None,
            Seat::Reserved | Seat::Session => Some("a session".to_owned()),
            Seat::Resting => {
                Some("a session that has ended (posthouse release gives the name back)".to_owned())
            }
            Seat::Client(slot) => Some(connection("another connection", slot)),
            Seat::People(slots) => {
                Some(slots.first().map_or_else(String::new, |slot| connection("a person", slot)))
            }
        }
    }

    fn enter(
        &mut self,
        applicant: Applicant,
        id: NameId,
        entrance: &Entrance,
        resumed: bool,
        new: bool,
    ) -> Admitted {
        let fresh = self.fresh_id();
        let auxiliary = matches!(entrance, Entrance::Auxiliary);
        let mut resume_token = None;
        let mut session_id = fresh;
        let Some(entry) = self.names.get_mut(id) else { return Admitted { session_id } };
        let arrives = !auxiliary && !entry.reachable();
        if let Entrance::Primary { .. } = entrance {
            resume_token = applicant.hello.resume_token().filter(|_| resumed).map(str::to_owned);
            if resumed {
                session_id.clone_from(&entry.identity.session_id);
            } else {
                let token = URL_SAFE_NO_PAD.encode(applicant.secret);
                let token_hash = Some(hash(&token));
                entry.identity =
                    Identity { session_id: session_id.clone(), token: token_hash, person: false };
                resume_token = Some(token);
            }
        }
        if !auxiliary {
            let hello = &applicant.hello;
            entry.info.cli.clone_from(&hello.cli);
            entry.info.team.clone_from(&hello.team);
            entry.identity.person = matches!(entrance, Entrance::Person);
        }
        let cut = entry.cut.take();
        let from = entry.name.clone();
        let slot = self.conns.insert(conn(&applicant, id, from, auxiliary, session_id.clone()));
        self.by_conn.insert(applicant.conn, slot);
        if let Some(entry) = self.names.get_mut(id) {
            entry.conns.push(slot);
            match (entrance, &mut entry.seat) {
                (Entrance::Auxiliary, _) => {}
                (Entrance::Person, Seat::People(slots)) => slots.push(slot),
                (Entrance::Person, seat) => *seat = Seat::People(vec![slot]),
                (Entrance::Primary { .. }, seat) => *seat = Seat::Client(slot),
            }
        }
        if !auxiliary && !resumed && applicant.hello.resume_token().is_some() {
            let stale = Violation::warning(ErrorCode::ResumeTooOld, "the resume token is not known here");
            self.say_in_json(slot, FrameType::Error, &error(&stale));
        }
        let role = if auxiliary { Role::Auxiliary } else { Role::Primary };
        let welcome = welcome(applicant, session_id.clone(), resume_token, role);
        self.say_in_json(slot, FrameType::Welcome, &welcome);
        if let Some(cut) = cut {
            self.tell_of_cut(slot, &cut);
        }
        if arrives {
            self.arrived.push(id);
        }
        if !auxiliary || new {
            self.keep_soon(id);
        }
        self.pump(id);
        Admitted { session_id }
    }

    /// HELLO and WELCOME, and what comes before WELCOME, are JSON whatever was agreed.
    fn say_in_json<P: Payload>(&mut self, slot: Slot, kind: FrameType, payload: &P) {
        let id = self.fresh_id();
        let wall = self.now.wall;
        let Some(conn) = self.conns.get_mut(slot) else { return };
        if conn.out.is_empty() {
            self.touched.push(slot);
        }
        let frame = Frame::of(Header::new(kind, id, wall), payload, Encoding::Json);
        let written = frame.and_then(|frame| frame.encode(Encoding::Json, limits::MAX_FRAME, &mut conn.out));
        if let Err(error) = written {
            tracing::error!(%error, %kind, "handshake frame left out");
        }
    }

    /// The connection's place is taken by one that proved to be the same client.
    fn evict(&mut self, old: Slot) {
        let message = "the same client connected again and brought its resume token";
        let last = self.farewell(old, ErrorCode::DuplicateConnection, message);
        if let Some(conn) = self.conns.get(old) {
            self.effects.ends.push((conn.id, last.freeze()));
        }
        self.depart(old, None);
    }

    fn tell_of_cut(&mut self, slot: Slot, cut: &Violation) {
        let message = format!("the last connection of this name was cut: {}", cut.message);
        let id = self.fresh_id();
        self.refuse(slot, &id, None, &Violation::warning(cut.code, message));
    }
}

fn conn(a: &Applicant, name: NameId, from: std::sync::Arc<str>, auxiliary: bool, session_id: String) -> Conn {
    let can = &a.hello.capabilities;
    Conn {
        id: a.conn,
        name,
        principal: a.principal.clone(),
        pid: a.pid,
        from,
        auxiliary,
        encoding: a.agreed.encoding,
        session_id,
        takes: Takes {
            receipts: can.receipts == Some(true),
            busy: can.busy == Some(true),
            acks: can.ack != Some(false),
            arrivals: a.hello.versions.is_none(),
        },
        max_frame: usize::try_from(a.limits.max_frame_bytes).unwrap_or(limits::MAX_FRAME),
        window: usize::try_from(a.limits.max_inflight).unwrap_or(1).max(1),
        topics: Vec::new(),
        shadows: None,
        route: None,
        out: BytesMut::new(),
        given: Vec::new(),
        usual_chunk: 512,
    }
}

fn welcome(a: Applicant, session_id: String, resume_token: Option<String>, role: Role) -> Welcome {
    Welcome {
        session_id,
        resume_token,
        server: a.limits,
        version: a.agreed.version,
        encoding: a.agreed.encoding,
        daemon: a.daemon,
        principal: a.principal.wire(),
        role,
    }
}

fn error(violation: &Violation) -> Error {
    Error { code: violation.code, message: violation.message.clone(), fatal: violation.fatal }
}
