//! One connection to the daemon.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use interprocess::local_socket::tokio::prelude::*;
use interprocess::local_socket::{GenericFilePath, tokio::Stream};
use posthouse_protocol::codec;
use posthouse_protocol::handshake::{Capabilities, Role, VersionRange};
use posthouse_protocol::payload::{Error, Message, Ping, Pong};
use posthouse_protocol::{
    Encoding, ErrorCode, Frame, FrameType, Header, Hello, Payload, Request, SendMeta, Welcome, limits,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use crate::ClientError;

/// How long WELCOME may take.
const WELCOME_DEADLINE: Duration = Duration::from_secs(5);

/// How to connect.
#[derive(Clone, Debug)]
pub struct Options {
    /// The daemon's socket.
    pub socket: PathBuf,
    /// The HELLO to say. Versions and encodings are filled in where it leaves them open.
    pub hello: Hello,
    /// How long an answer may take.
    pub timeout: Duration,
}

impl Options {
    /// An auxiliary of `name` that speaks binary and wants receipts: what a command needs.
    pub fn command(socket: PathBuf, name: &str, user: bool) -> Self {
        let mut hello = Hello::new(name);
        hello.role = Some(Role::Auxiliary);
        hello.entity_type = user.then(|| "user".to_owned());
        hello.program = Some(concat!("posthouse ", env!("CARGO_PKG_VERSION")).to_owned());
        hello.capabilities =
            Capabilities { receipts: Some(true), busy: Some(true), ..Capabilities::default() };
        hello.encodings = vec![Encoding::Bincode, Encoding::Json];
        Self { socket, hello, timeout: Duration::from_secs(30) }
    }
}

/// A connection that has shaken hands.
#[derive(Debug)]
pub struct Client {
    reader: ReadHalf<Stream>,
    writer: WriteHalf<Stream>,
    buffer: BytesMut,
    kept: VecDeque<Frame>,
    welcome: Welcome,
    timeout: Duration,
    /// Makes ids differ from those of any other connection, also of one that this one resumes.
    unique: uuid::Uuid,
    last_id: u64,
    last_error: Option<String>,
}

impl Client {
    /// Connects and shakes hands.
    ///
    /// Fails with `NotRunning` if nobody listens, `Refused` if the daemon does not want this client, `Late` if WELCOME
    /// takes more than 5 s.
    pub async fn connect(options: &Options) -> Result<Self, ClientError> {
        let not_running = |source| ClientError::NotRunning { socket: options.socket.clone(), source };
        let name = options.socket.as_path().to_fs_name::<GenericFilePath>().map_err(not_running)?;
        let stream = Stream::connect(name).await.map_err(not_running)?;
        let (reader, writer) = tokio::io::split(stream);
        let mut pending = Pending { reader, writer, buffer: BytesMut::new() };
        let mut hello = options.hello.clone();
        hello.versions.get_or_insert(VersionRange::OURS);
        let late = |_| ClientError::Late { what: "HELLO".to_owned(), seconds: WELCOME_DEADLINE.as_secs() };
        let welcome =
            tokio::time::timeout(WELCOME_DEADLINE, pending.shake_hands(&hello)).await.map_err(late)??;
        Ok(Self {
            reader: pending.reader,
            writer: pending.writer,
            buffer: pending.buffer,
            kept: VecDeque::new(),
            welcome,
            timeout: options.timeout,
            unique: uuid::Uuid::now_v7(),
            last_id: 0,
            last_error: None,
        })
    }

    /// What the daemon said of itself and of us.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// Sends a request and waits for its answer. An ERROR with the request's id is `Refused`.
    pub async fn call<R: Request>(&mut self, request: &R) -> Result<R::Response, ClientError> {
        let id = self.post(request).await?;
        let deadline = self.timeout;
        let late = |_| ClientError::Late { what: R::KIND.to_string(), seconds: deadline.as_secs() };
        tokio::time::timeout(deadline, self.answer::<R>(&id)).await.map_err(late)?
    }

    /// The same with a deadline of its own.
    pub async fn call_within<R: Request>(
        &mut self,
        request: &R,
        deadline: Duration,
    ) -> Result<R::Response, ClientError> {
        let usual = std::mem::replace(&mut self.timeout, deadline);
        let answer = self.call(request).await;
        self.timeout = usual;
        answer
    }

    /// Sends a message and returns the id of its frame, by which receipts name it.
    pub async fn send(&mut self, to: &str, message: &Message, meta: SendMeta) -> Result<String, ClientError> {
        let id = self.fresh_id();
        self.send_as(&id, to, message, meta).await?;
        Ok(id)
    }

    /// The same under an id of the caller's, unique among all that its name ever sent. Whoever does not know whether a
    /// message was accepted before its connection broke sends it again under its id: the daemon takes it once.
    pub async fn send_as(
        &mut self,
        id: &str,
        to: &str,
        message: &Message,
        meta: SendMeta,
    ) -> Result<(), ClientError> {
        let mut header = Header::new(FrameType::Send, id, now());
        header.to = Some(to.to_owned());
        header.meta = (meta != SendMeta::default()).then_some(meta);
        self.write(&Frame::of(header, message, self.welcome.encoding)?).await
    }

    /// Sends a frame that has no answer, or whose answer is read with [`Self::next`]. Returns its id.
    pub async fn post<P: Payload>(&mut self, payload: &P) -> Result<String, ClientError> {
        let id = self.fresh_id();
        let header = Header::new(P::KIND, id.clone(), now());
        self.write(&Frame::of(header, payload, self.welcome.encoding)?).await?;
        Ok(id)
    }

    /// The next frame the daemon pushes. Answers heartbeats on the way. Safe to drop while it waits.
    pub async fn next(&mut self) -> Result<Frame, ClientError> {
        match self.kept.pop_front() {
            Some(frame) => Ok(frame),
            None => self.read().await,
        }
    }

    async fn answer<R: Request>(&mut self, id: &str) -> Result<R::Response, ClientError> {
        loop {
            let frame = self.read().await?;
            match frame.header.kind {
                FrameType::Error if frame.header.id == id => return Err(refused(&frame)),
                kind if kind == <R::Response as Payload>::KIND => return Ok(frame.body.decode()?),
                _ => self.kept.push_back(frame),
            }
        }
    }

    async fn read(&mut self) -> Result<Frame, ClientError> {
        let max = usize::try_from(self.welcome.server.max_frame_bytes).unwrap_or(limits::MAX_FRAME);
        loop {
            let read = next_payload(&mut self.reader, &mut self.buffer, max).await?;
            let Some(payload) = read else {
                return Err(ClientError::Closed { reason: self.last_error.take() });
            };
            let frame = Frame::decode(&payload, self.welcome.encoding)?;
            match frame.header.kind {
                FrameType::Ping => self.pong(&frame).await?,
                FrameType::Error => {
                    if let Ok(error) = frame.body.decode::<Error>() {
                        self.last_error = Some(error.message);
                    }
                    return Ok(frame);
                }
                FrameType::Bye => {}
                _ => return Ok(frame),
            }
        }
    }

    async fn pong(&mut self, ping: &Frame) -> Result<(), ClientError> {
        let Ping { nonce } = ping.body.decode()?;
        self.post(&Pong { nonce }).await.map(|_| ())
    }

    async fn write(&mut self, frame: &Frame) -> Result<(), ClientError> {
        let max = usize::try_from(self.welcome.server.max_frame_bytes).unwrap_or(limits::MAX_FRAME);
        let mut out = BytesMut::new();
        frame.encode(self.welcome.encoding, max, &mut out)?;
        Ok(self.writer.write_all(&out).await?)
    }

    fn fresh_id(&mut self) -> String {
        self.last_id += 1;
        format!("{}-{}", self.unique, self.last_id)
    }
}

/// The error a frame of type ERROR stands for.
pub fn refused(frame: &Frame) -> ClientError {
    match frame.body.decode::<Error>() {
        Ok(error) => ClientError::Refused { code: error.code, message: error.message },
        Err(e) => ClientError::Frame(e),
    }
}

struct Pending {
    reader: ReadHalf<Stream>,
    writer: WriteHalf<Stream>,
    buffer: BytesMut,
}

impl Pending {
    async fn shake_hands(&mut self, hello: &Hello) -> Result<Welcome, ClientError> {
        let mut out = BytesMut::new();
        let header = Header::new(FrameType::Hello, uuid::Uuid::now_v7().to_string(), now());
        Frame::of(header, hello, Encoding::Json)?.encode(
            Encoding::Json,
            limits::MAX_FRAME_BEFORE_HELLO,
            &mut out,
        )?;
        self.writer.write_all(&out).await?;
        loop {
            let read = next_payload(&mut self.reader, &mut self.buffer, limits::MAX_FRAME).await?;
            let Some(payload) = read else { return Err(ClientError::Closed { reason: None }) };
            let frame = Frame::decode(&payload, Encoding::Json)?;
            match frame.header.kind {
                FrameType::Welcome => return Ok(frame.body.decode()?),
                FrameType::Error => {
                    let error: Error = frame.body.decode()?;
                    if error.code != ErrorCode::ResumeTooOld {
                        return Err(ClientError::Refused { code: error.code, message: error.message });
                    }
                }
                _ => {}
            }
        }
    }
}

async fn next_payload(
    reader: &mut ReadHalf<Stream>,
    buffer: &mut BytesMut,
    max: usize,
) -> Result<Option<Bytes>, ClientError> {
    loop {
        if let Some(payload) = codec::split(buffer, max)? {
            return Ok(Some(payload));
        }
        if reader.read_buf(buffer).await? == 0 {
            codec::finish(buffer)?;
            return Ok(None);
        }
    }
}

fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default()
}
