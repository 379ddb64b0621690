//! The second state of a connection: frames in, frames out, until someone ends it.
//!
//! Reading never waits for writing and the other way round, because ACKs share the socket with what they acknowledge. Only
//! whoever sends more than its [share](super::share) is read a millisecond later.
//! Frames of the message plane go to post in batches, as they were read; requests are answered by tasks of their own.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use posthouse_protocol::codec::FramingError;
use posthouse_protocol::{ErrorCode, Frame, FrameType, Violation, payload};
use tokio::sync::Semaphore;
use tokio::time::Sleep;

use super::closing::{Closing, LastWords};
use super::handshake::{Registration, framing};
use super::inbound::Inbound;
use super::line::Line;
use super::outbox::{Outbox, Outlet, PushError};
use super::outgoing::{Outgoing, WriteEnd};
use super::plane::{self, Plane};
use super::share::{REST, Share};
use super::verb::{self, Caller};
use super::{roster, stamp};
use crate::fail_point::{self, Point};
use crate::post::command::{Departure, PostCommand};
use crate::principal::Principal;

/// A connection with a name.
#[derive(Debug)]
pub(super) struct Active {
    line: Line,
    inbound: Inbound,
    outgoing: Outgoing,
    outbox: Outbox,
    principal: Arc<Principal>,
    requests: Arc<Semaphore>,
    registration: Registration,
    share: Share,
    /// It sends more than its share and is read again after this.
    rest: Option<Pin<Box<Sleep>>>,
}

/// Why a connection ends.
#[derive(Debug)]
enum Ending {
    /// The peer closed its side between two frames, or the socket failed.
    Gone,
    /// The peer said BYE.
    Bye,
    /// Post closed it and has queued the last words.
    Told,
    /// A rule was broken, or the daemon wants it closed.
    Violation(Box<Violation>),
    /// It does not read what it asks for.
    Slow,
}

/// What woke a connection.
enum Event {
    Read,
    End(Ending),
}

impl Active {
    pub(super) fn new(
        line: Line,
        inbound: Inbound,
        outbox: Outbox,
        outlet: Outlet,
        principal: Principal,
        registration: Registration,
    ) -> Self {
        let requests = Arc::new(Semaphore::new(registration.house.limits.max_requests as usize));
        let (outgoing, principal) = (Outgoing::new(outlet), Arc::new(principal));
        let share = Share::default();
        Self { line, inbound, outgoing, outbox, principal, requests, registration, share, rest: None }
    }

    /// Serves the connection until it ends.
    pub(super) async fn run(mut self) -> Closing {
        self.registration.house.roster.join(&self.outbox).await;
        // HELLO may have brought more frames with it.
        let mut ending = self.take_frames().await;
        loop {
            if let Some(ending) = ending {
                return self.close(ending);
            }
            ending = match poll_fn(|cx| self.poll_event(cx)).await {
                Event::Read => {
                    let ending = self.take_frames().await;
                    let_others_go_first().await;
                    ending
                }
                Event::End(ending) => Some(ending),
            };
        }
    }

    fn poll_event(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Event> {
        if let Poll::Ready(end) = self.outgoing.poll_write(cx, &mut self.line) {
            return Poll::Ready(Event::End(match end {
                WriteEnd::End(Some(why)) => Ending::Violation(why),
                WriteEnd::End(None) => Ending::Told,
                WriteEnd::Lost(e) => {
                    tracing::debug!(conn = self.registration.conn.0, error = %e, "write failed");
                    Ending::Gone
                }
            }));
        }
        if let Some(rest) = &mut self.rest {
            if rest.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.rest = None;
        }
        self.inbound.poll_read(cx, &self.line).map(|read| match read {
            Ok(n) if n > 0 => Event::Read,
            Ok(_) => Event::End(self.end_of_stream()),
            Err(_) => Event::End(Ending::Gone),
        })
    }

    fn end_of_stream(&self) -> Ending {
        match self.inbound.finish() {
            Ok(()) => Ending::Gone,
            Err(cut) => Ending::Violation(Box::new(framing(&cut))),
        }
    }

    /// Handles every whole frame that was read.
    async fn take_frames(&mut self) -> Option<Ending> {
        self.outgoing.heard();
        let mut batch = Vec::new();
        let ending = loop {
            match self.next_frame() {
                Ok(Some(Ok(frame))) => match plane::of(frame.header.kind) {
                    Plane::Message => batch.push(frame),
                    other => {
                        // What came before a request is to have reached post before the request is looked at.
                        self.hand_over(&mut batch).await;
                        if let Some(ending) = self.take_other(frame, other).await {
                            break Some(ending);
                        }
                    }
                },
                Ok(Some(Err(violation))) => {
                    if let Some(ending) = self.complain(&violation) {
                        break Some(ending);
                    }
                }
                Ok(None) => break None,
                Err(broken) => break Some(Ending::Violation(Box::new(framing(&broken)))),
            }
        };
        self.hand_over(&mut batch).await;
        self.inbound.settle();
        ending
    }

    fn next_frame(&mut self) -> Result<Option<Result<Frame, Violation>>, FramingError> {
        let Some(payload) = self.inbound.next(self.outbox.max_frame())? else { return Ok(None) };
        Ok(Some(Frame::decode(&payload, self.outbox.encoding()).map_err(Violation::from)))
    }

    async fn hand_over(&mut self, batch: &mut Vec<Frame>) {
        if !batch.is_empty() {
            fail_point::at(Point::GateFrames).await;
            let messages = batch
                .iter()
                .filter(|frame| matches!(frame.header.kind, FrameType::Send | FrameType::ChannelMessage))
                .count() as u64;
            let traffic = &self.registration.house.traffic;
            if messages > 0 && traffic.sent(&mut self.share, messages, Instant::now()) {
                self.rest = Some(Box::pin(tokio::time::sleep(REST)));
            }
            let frames = PostCommand::Frames { conn: self.registration.conn, frames: std::mem::take(batch) };
            // Post outlives its connections; at the daemon's end nobody is left to be told.
            let _ = self.registration.house.post.send(frames).await;
        }
    }

    async fn take_other(&mut self, frame: Frame, plane: Plane) -> Option<Ending> {
        let id = frame.header.id.clone();
        let kind = frame.header.kind;
        match plane {
            Plane::Message | Plane::Pong => None,
            Plane::Bye => Some(Ending::Bye),
            Plane::Ping => self.pong(&frame),
            Plane::Log => self.log(&frame),
            Plane::Request => {
                self.registration.views |= kind == FrameType::Attach;
                let caller = Caller {
                    house: self.registration.house.clone(),
                    principal: self.principal.clone(),
                    conn: self.registration.conn,
                    outbox: self.outbox.clone(),
                    id,
                };
                verb::take(frame, caller, &self.requests)
                    .await
                    .and_then(|violation| self.complain(&violation))
            }
            Plane::Hello => {
                let message = "HELLO was said already; the connection stays as it was";
                self.complain(&Violation::warning(ErrorCode::HelloTwice, message).about(id))
            }
            Plane::DaemonOnly => {
                let message = format!("{kind} is only ever sent by the daemon");
                self.complain(&Violation::warning(ErrorCode::BadRequest, message).about(id))
            }
            Plane::Unknown => {
                let message = "a frame of a type that this daemon does not know was skipped";
                self.complain(&Violation::warning(ErrorCode::UnknownType, message).about(id))
            }
        }
    }

    fn pong(&self, frame: &Frame) -> Option<Ending> {
        let ping = match frame.body.decode::<payload::Ping>() {
            Ok(ping) => ping,
            Err(e) => return self.complain(&Violation::from(e).about(frame.header.id.clone())),
        };
        let pong = payload::Pong { nonce: ping.nonce };
        let answer = stamp::frame(frame.header.id.clone(), &pong, self.outbox.encoding());
        answer.ok().and_then(|frame| self.push(&frame))
    }

    fn log(&self, frame: &Frame) -> Option<Ending> {
        match frame.body.decode::<payload::Log>() {
            Ok(line) => {
                let line: String = line.data.chars().take(1024).flat_map(char::escape_debug).collect();
                tracing::debug!(name = %self.principal.name, "client log: {line}");
                None
            }
            Err(e) => self.complain(&Violation::from(e).about(frame.header.id.clone())),
        }
    }

    /// Tells the peer of a violation; a fatal one ends the connection.
    fn complain(&self, violation: &Violation) -> Option<Ending> {
        if violation.fatal {
            return Some(Ending::Violation(Box::new(violation.clone())));
        }
        stamp::error(violation, self.outbox.encoding()).ok().and_then(|frame| self.push(&frame))
    }

    fn push(&self, frame: &Frame) -> Option<Ending> {
        match self.outbox.push_frame(frame) {
            Ok(Err(PushError::Full)) => Some(Ending::Slow),
            Ok(Ok(()) | Err(PushError::Closed)) | Err(_) => None,
        }
    }

    fn close(mut self, ending: Ending) -> Closing {
        let encoding = self.outbox.encoding();
        let (why, last) = match ending {
            Ending::Gone => (Departure::Closed, LastWords::Nothing),
            Ending::Bye => (Departure::Closed, LastWords::Bye(encoding)),
            Ending::Told => (Departure::Closed, LastWords::Queued),
            Ending::Slow => (Departure::Cut(roster::slow_reader(&self.outbox)), LastWords::Nothing),
            // Nothing can be written in front of what the peer does not read.
            Ending::Violation(why) if why.code == ErrorCode::SlowConsumer => {
                (Departure::Cut(*why), LastWords::Nothing)
            }
            Ending::Violation(why) => (Departure::Cut((*why).clone()), LastWords::Violation(why, encoding)),
        };
        tracing::debug!(name = %self.principal.name, conn = self.registration.conn.0, ?why, "connection ends");
        self.registration.why = Some(why);
        Closing { line: self.line, pending: self.outgoing.into_pending(), last }
    }
}

/// Puts this task behind all that are ready. One read's frames are as much as a connection may have handled at a time:
/// a client that floods would otherwise fill post's queue before post, or anyone else, gets to run.
async fn let_others_go_first() {
    let mut gone = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut gone, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_type_has_its_plane() {
        for kind in FrameType::ALL {
            assert_ne!(plane::of(*kind), Plane::Unknown, "{kind}");
        }
    }
}
