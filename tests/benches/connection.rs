//! One connection of the load generator.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::peer::{Peer, Speech, Taken};

/// Room for a read.
const READ: usize = 64 << 10;

/// Anything that bytes go through.
pub trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

pub struct Connection {
    stream: Box<dyn Stream>,
    speech: Box<dyn Speech>,
    inbound: BytesMut,
    outbound: Vec<u8>,
}

impl Connection {
    /// Connected and known; what it sends has bodies of so many bytes.
    pub async fn open(peer: &Peer, name: &str, body: usize) -> Self {
        let (stream, speech) = peer.dial(body).await;
        let mut connection = Self { stream, speech, inbound: BytesMut::new(), outbound: Vec::new() };
        connection.speech.greet(name, &mut connection.outbound);
        connection.flush().await;
        while !connection.speech.greeted(&mut connection.inbound) {
            connection.read().await;
        }
        connection
    }

    /// Puts a message into what is flushed next.
    pub fn send(&mut self, to: &str) {
        self.speech.send(to, &mut self.outbound);
    }

    pub async fn flush(&mut self) {
        if !self.outbound.is_empty() {
            self.stream.write_all(&self.outbound).await.expect("a write");
            self.outbound.clear();
        }
    }

    /// At least one delivery or acceptance; what they want as an answer is flushed. Safe to drop while it waits.
    pub async fn receive(&mut self) -> Taken {
        loop {
            let taken = self.speech.take(&mut self.inbound, &mut self.outbound);
            if taken.deliveries + taken.accepted > 0 {
                return taken;
            }
            self.read().await;
        }
    }

    /// A message from here to `bob`, this one being alice, and one back. Her acknowledgement is not part of the time.
    pub async fn there_and_back(&mut self, bob: &mut Self) -> Duration {
        let begun = Instant::now();
        self.send("bob");
        self.flush().await;
        bob.receive().await;
        bob.send("alice");
        bob.flush().await;
        self.receive().await;
        let took = begun.elapsed();
        self.flush().await;
        took
    }

    async fn read(&mut self) {
        self.inbound.reserve(READ);
        let read = self.stream.read_buf(&mut self.inbound).await.expect("a read");
        assert!(read > 0, "the connection was closed");
    }
}
