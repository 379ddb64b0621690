//! A blocking peer that speaks frames, well or badly.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use posthouse_protocol::handshake::PrincipalKind;
use posthouse_protocol::payload::{Error, Message, Ping, Pong};
use posthouse_protocol::{
    Encoding, ErrorCode, Frame, FrameType, Header, Hello, Payload, Request, Violation, Welcome, codec, limits,
};

use crate::house::PATIENCE;

pub struct Peer {
    pub stream: UnixStream,
    pub welcome: Option<Welcome>,
    read: BytesMut,
    asked: u32,
}

impl Peer {
    pub fn connect(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).expect("the daemon listens");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, welcome: None, read: BytesMut::new(), asked: 0 }
    }

    pub fn hello(socket: &Path, hello: &Hello) -> Self {
        Self::try_hello(socket, hello).expect("WELCOME")
    }

    /// Says HELLO; the refusal if it is refused.
    pub fn try_hello(socket: &Path, hello: &Hello) -> Result<Self, Error> {
        let mut peer = Self::connect(socket);
        peer.send(Header::new(FrameType::Hello, "hello", 1), hello);
        let answer = peer.next().expect("an answer to HELLO");
        match answer.header.kind {
            FrameType::Welcome => peer.welcome = Some(answer.body.decode().unwrap()),
            _ => return Err(answer.body.decode().unwrap()),
        }
        Ok(peer)
    }

    pub fn named(socket: &Path, name: &str) -> Self {
        Self::hello(socket, &Hello::new(name))
    }

    /// A person; their name may be in use any number of times.
    pub fn operator(socket: &Path) -> Self {
        let mut hello = Hello::new("tester");
        hello.kind = Some(PrincipalKind::Operator);
        hello.entity_type = Some("user".into());
        Self::hello(socket, &hello)
    }

    pub fn encoding(&self) -> Encoding {
        self.welcome.as_ref().map_or(Encoding::Json, |welcome| welcome.encoding)
    }

    pub fn send<P: Payload>(&mut self, header: Header, payload: &P) {
        let bytes = encoded(&header, payload, self.encoding());
        self.write(&bytes);
    }

    pub fn send_text(&mut self, id: &str, to: &str, body: &str) {
        let header = Header { to: Some(to.into()), ..Header::new(FrameType::Send, id, 1) };
        self.send(header, &Message::text(body));
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the daemon reads");
    }

    pub fn stop_writing(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// The next frame, or `None` at the end. Answers heartbeats on the way.
    pub fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(payload) = codec::split(&mut self.read, limits::MAX_FRAME).expect("whole frames") {
                let frame = self.decode(&payload);
                if frame.header.kind != FrameType::Ping {
                    return Some(frame);
                }
                let Ping { nonce } = frame.body.decode().unwrap();
                let pong =
                    encoded(&Header::new(FrameType::Pong, "pong", 1), &Pong { nonce }, self.encoding());
                let _ = self.stream.write_all(&pong);
                continue;
            }
            let mut chunk = [0; 16 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(n) => self.read.extend_from_slice(&chunk[..n]),
                Err(e) if e.kind() == ErrorKind::ConnectionReset => return None,
                // A read with a time limit is not restarted after a signal, and a child's end is one.
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => panic!("the daemon neither answers nor closes: {e}"),
            }
        }
    }

    fn decode(&self, payload: &Bytes) -> Frame {
        // WELCOME and refusals of HELLO are JSON whatever was agreed; no binary frame begins with a brace.
        let encoding = if payload.first() == Some(&b'{') { Encoding::Json } else { self.encoding() };
        Frame::decode(payload, encoding).expect("a frame")
    }

    /// The next frame of this type; others are passed over.
    pub fn wait_for(&mut self, kind: FrameType) -> Frame {
        loop {
            let frame = self.next().unwrap_or_else(|| panic!("the connection ended before {kind}"));
            if frame.header.kind == kind {
                return frame;
            }
        }
    }

    pub fn try_ask<R: Request>(&mut self, request: &R) -> Result<R::Response, Violation> {
        self.asked += 1;
        let id = format!("ask-{}", self.asked);
        self.send(Header::new(R::KIND, id.clone(), 1), request);
        loop {
            let frame = self
                .next()
                .unwrap_or_else(|| panic!("the connection ended before the answer to {}", R::KIND));
            if frame.header.id != id {
                continue;
            }
            if frame.header.kind == FrameType::Error {
                let Error { code, message, fatal } = frame.body.decode().unwrap();
                return Err(Violation { code, message, fatal, id: Some(id) });
            }
            return Ok(frame.body.decode().unwrap());
        }
    }

    pub fn ask<R: Request>(&mut self, request: &R) -> R::Response {
        self.try_ask(request).unwrap_or_else(|refused| panic!("{} was refused: {refused}", R::KIND))
    }

    /// The code that a request is refused with.
    pub fn refused<R: Request>(&mut self, request: &R) -> ErrorCode {
        self.try_ask(request).map_or_else(|refused| refused.code, |_| panic!("{} was not refused", R::KIND))
    }
}

/// A frame with its length in front.
pub fn encoded<P: Payload>(header: &Header, payload: &P, encoding: Encoding) -> Bytes {
    let frame = Frame::of(header.clone(), payload, encoding).unwrap();
    let mut out = BytesMut::new();
    frame.encode(encoding, limits::MAX_FRAME, &mut out).unwrap();
    out.freeze()
}
