//! The first state of a connection: one frame, at most 64 KiB, within a few seconds, and it must be HELLO.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use posthouse_protocol::codec::FramingError;
use posthouse_protocol::handshake::{self, Agreed, ServerLimits};
use posthouse_protocol::{Encoding, ErrorCode, Frame, FrameType, Hello, Violation, limits};
use tokio::sync::oneshot;

use super::active::Active;
use super::closing::{Closing, LastWords};
use super::house::House;
use super::identity;
use super::inbound::Inbound;
use super::line::Line;
use super::outbox;
use super::peer::Peer;
use crate::post::command::{Admit, ConnId, Departure, PostCommand};
use crate::principal::Principal;

/// A connection that has not said HELLO.
#[derive(Debug)]
pub(super) struct Handshaking {
    /// Its number.
    pub(super) conn: ConnId,
    /// Its socket.
    pub(super) line: Line,
    /// The process behind it.
    pub(super) peer: Peer,
    /// What the gate's connections share.
    pub(super) house: Arc<House>,
}

/// Why the handshake came to nothing.
enum Failed {
    /// The peer left without a word.
    Gone,
    /// It broke a rule, or its name was refused.
    Violation(Violation),
}

impl From<Violation> for Failed {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

impl Handshaking {
    /// The connection's whole life.
    pub(super) async fn live(self) {
        let closing = match self.run().await {
            Ok(active) => active.run().await,
            Err(closing) => closing,
        };
        closing.run().await;
    }

    /// Reads HELLO and asks post for the name.
    async fn run(self) -> Result<Active, Closing> {
        let mut inbound = Inbound::default();
        match self.shake(&mut inbound).await {
            Ok(admitted) => Ok(admitted.into_active(self, inbound)),
            Err(Failed::Gone) => Err(self.into_closing(LastWords::Nothing)),
            Err(Failed::Violation(why)) => {
                tracing::debug!(conn = self.conn.0, code = %why.code, "handshake refused");
                Err(self.into_closing(LastWords::Violation(Box::new(why), Encoding::Json)))
            }
        }
    }

    fn into_closing(self, last: LastWords) -> Closing {
        Closing { line: self.line, pending: Default::default(), last }
    }

    async fn shake(&self, inbound: &mut Inbound) -> Result<Guest, Failed> {
        let deadline = Duration::from_millis(self.house.limits.hello_ms.into());
        let first = tokio::time::timeout(deadline, self.first_frame(inbound)).await;
        let payload = first.map_err(|_| late(deadline))??;
        let (id, mut hello) = read_hello(&payload)?;
        let about = |violation: Violation| Failed::Violation(violation.about(id.clone()));
        let agreed = handshake::negotiate(&hello).map_err(about)?;
        let whereabouts = self.peer.whereabouts(&self.house).await;
        let principal = identity::establish(&mut hello, self.peer.uid, whereabouts).map_err(about)?;
        self.admit(principal, hello, agreed).await.map_err(about)
    }

    async fn first_frame(&self, inbound: &mut Inbound) -> Result<Bytes, Failed> {
        loop {
            let read = std::future::poll_fn(|cx| inbound.poll_read(cx, &self.line)).await;
            if !matches!(read, Ok(n) if n > 0) {
                return match inbound.finish() {
                    Ok(()) => Err(Failed::Gone),
                    Err(cut) => Err(framing(&cut).into()),
                };
            }
            if let Some(payload) = inbound.next(limits::MAX_FRAME_BEFORE_HELLO).map_err(|e| framing(&e))? {
                return Ok(payload);
            }
            inbound.settle();
        }
    }

    async fn admit(&self, principal: Principal, hello: Hello, agreed: Agreed) -> Result<Guest, Violation> {
        let limits = &self.house.limits;
        let asked = hello.capabilities.max_inflight.unwrap_or(limits.max_inflight);
        let (outbox, outlet) = outbox::outbox(agreed.encoding);
        let outbox = outbox.with_max_frame(limits.max_frame_bytes as usize);
        let (reply, admitted) = oneshot::channel();
        let admit = Admit {
            conn: self.conn,
            principal: principal.clone(),
            pid: self.peer.pid,
            hello,
            agreed,
            limits: ServerLimits {
                max_frame_bytes: limits.max_frame_bytes,
                heartbeat_ms: limits.heartbeat_ms,
                max_inflight: asked.clamp(1, limits.max_inflight),
            },
            daemon: self.house.daemon.clone(),
            outbox: outbox.clone(),
            reply,
        };
        let down = || Violation::fatal(ErrorCode::ShuttingDown, "the daemon is going down");
        let mut registration =
            Registration { conn: self.conn, house: self.house.clone(), known: true, views: false, why: None };
        self.house.post.send(PostCommand::Admit(Box::new(admit))).await.map_err(|_| down())?;
        match admitted.await {
            Ok(Ok(_)) => Ok(Guest { principal, outbox, outlet, registration }),
            Ok(Err(refused)) => {
                registration.known = false;
                Err(refused)
            }
            Err(_) => Err(down()),
        }
    }
}

/// A connection that post knows.
struct Guest {
    principal: Principal,
    outbox: outbox::Outbox,
    outlet: outbox::Outlet,
    registration: Registration,
}

impl Guest {
    fn into_active(self, from: Handshaking, inbound: Inbound) -> Active {
        Active::new(from.line, inbound, self.outbox, self.outlet, self.principal, self.registration)
    }
}

/// Tells post that the connection has ended, however it ended.
#[derive(Debug)]
pub(super) struct Registration {
    /// The connection.
    pub(super) conn: ConnId,
    /// The gate.
    pub(super) house: Arc<House>,
    /// Whether post may know the connection.
    known: bool,
    /// Whether it views a session.
    pub(super) views: bool,
    /// Why it ended, once that is clear.
    pub(super) why: Option<Departure>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        if self.known {
            let why = self.why.take().unwrap_or_else(|| {
                let fault = "the daemon's task for the connection failed";
                Departure::Cut(Violation::fatal(ErrorCode::Internal, fault))
            });
            self.house.leave(self.conn, why);
        }
        if self.views {
            self.house.stop_viewing(self.conn);
        }
    }
}

fn read_hello(payload: &Bytes) -> Result<(String, Hello), Violation> {
    let frame = Frame::decode(payload, Encoding::Json).map_err(|e| {
        let hint = format!("{}; the first frame must be HELLO, in JSON", e.detail);
        Violation { id: e.id, ..Violation::fatal(e.code, hint) }
    })?;
    let id = frame.header.id;
    if frame.header.kind != FrameType::Hello {
        let message = format!("{} came before HELLO: the first frame must be HELLO", frame.header.kind);
        return Err(Violation::fatal(ErrorCode::HandshakeRequired, message).about(id));
    }
    match frame.body.decode::<Hello>() {
        Ok(hello) => Ok((id, hello)),
        Err(e) => Err(Violation::fatal(ErrorCode::BadRequest, e.detail).about(id)),
    }
}

fn late(deadline: Duration) -> Violation {
    let message = format!("HELLO did not come within {} ms", deadline.as_millis());
    Violation::fatal(ErrorCode::HelloLate, message)
}

/// The violation that a broken stream is.
pub(super) fn framing(error: &FramingError) -> Violation {
    let (code, message) = match error {
        FramingError::TooLarge { length, max } => {
            (ErrorCode::FrameTooLarge, format!("a frame of {length} bytes was announced, the limit is {max}"))
        }
        FramingError::Truncated { have, want } => (
            ErrorCode::FrameTruncated,
            format!("the stream ended after {have} of the {want} bytes of a frame"),
        ),
        FramingError::Io(e) => (ErrorCode::FrameTruncated, e.to_string()),
    };
    Violation::fatal(code, message)
}
