//! The gate on real sockets, with stand-ins for the rooms behind it.

mod handshake;
mod link;
mod rooms;
mod socket;

use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use posthouse_protocol::{
    Encoding, ErrorCode, Frame, FrameType, Header, Hello, Payload, codec, limits, payload,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A peer that speaks frames, well or badly.
struct Peer {
    stream: UnixStream,
    read: BytesMut,
    encoding: Encoding,
}

impl Peer {
    async fn connect(socket: &PathBuf) -> Self {
        let stream = UnixStream::connect(socket).await.expect("the gate listens");
        Self { stream, read: BytesMut::new(), encoding: Encoding::Json }
    }

    /// Connects and says HELLO.
    async fn hello(socket: &PathBuf, hello: Hello) -> Self {
        let mut peer = Self::connect(socket).await;
        peer.send(Header::new(FrameType::Hello, "hello-1", 1), &hello).await;
        let welcome = peer.expect(FrameType::Welcome).await;
        let welcome: posthouse_protocol::Welcome = welcome.body.decode().expect("a WELCOME");
        peer.encoding = welcome.encoding;
        peer
    }

    async fn send<P: Payload>(&mut self, header: Header, payload: &P) {
        let frame = Frame::of(header, payload, self.encoding).expect("encodable");
        let mut out = BytesMut::new();
        frame.encode(self.encoding, limits::MAX_FRAME, &mut out).expect("encodable");
        self.write(&out).await;
    }

    async fn request<P: posthouse_protocol::Request>(&mut self, id: &str, payload: &P) {
        self.send(Header::new(P::KIND, id, 1), payload).await;
    }

    /// Writes bytes with the length in front of them.
    async fn raw_frame(&mut self, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
        self.write(&[&length, payload].concat()).await;
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the gate reads");
    }

    /// The next frame, or `None` at the end of the stream.
    async fn next(&mut self) -> Option<Frame> {
        let frame = async {
            loop {
                if let Some(payload) = codec::split(&mut self.read, limits::MAX_FRAME).expect("whole frames")
                {
                    let payload: Bytes = payload;
                    let first = payload.first() == Some(&b'{');
                    let encoding = if first { Encoding::Json } else { self.encoding };
                    return Some(Frame::decode(&payload, encoding).expect("a frame"));
                }
                // A reset is an end too: the peer of a socket that is closed on it.
                if self.stream.read_buf(&mut self.read).await.unwrap_or(0) == 0 {
                    assert!(self.read.is_empty(), "the stream ended inside a frame");
                    return None;
                }
            }
        };
        tokio::time::timeout(PATIENCE, frame).await.expect("a frame or the end in time")
    }

    /// The next frame but for heartbeats, which must be of this type.
    async fn expect(&mut self, kind: FrameType) -> Frame {
        loop {
            let frame = self.next().await.unwrap_or_else(|| panic!("the stream ended, {kind} was expected"));
            if frame.header.kind == kind {
                return frame;
            }
            assert_eq!(frame.header.kind, FrameType::Ping, "{kind} was expected: {frame:?}");
        }
    }

    async fn expect_error(&mut self, code: ErrorCode) -> (Frame, payload::Error) {
        let frame = self.expect(FrameType::Error).await;
        let error: payload::Error = frame.body.decode().expect("an ERROR");
        assert_eq!(error.code, code, "{error:?}");
        assert!(!error.message.is_empty());
        (frame, error)
    }

    /// A fatal ERROR with this code, BYE, and the end.
    async fn expect_cut(&mut self, code: ErrorCode) -> (Frame, payload::Error) {
        let told = self.expect_error(code).await;
        assert!(told.1.fatal, "{:?}", told.1);
        self.expect(FrameType::Bye).await;
        assert!(self.next().await.is_none(), "nothing follows BYE");
        told
    }

    /// Proves that the connection still works.
    async fn expect_alive(&mut self) {
        self.request("alive", &payload::ListSessions::default()).await;
        assert_eq!(self.expect(FrameType::ListSessionsResponse).await.header.id, "alive");
    }
}
