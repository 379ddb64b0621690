//! The connection to the daemon, made anew when a daemon ends: sessions and messages outlive it.

use std::time::{Duration, Instant};

use posthouse_client::{Client, ClientError};
use posthouse_protocol::payload::{Event, Events, Message};
use posthouse_protocol::{Frame, Request, SendMeta};

use crate::context::Context;
use crate::exit::Failure;

/// How long a daemon may be away.
const AWAY: Duration = Duration::from_secs(30);
/// Pause between two looks for it.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A daemon, and the events of one session from it.
#[derive(Debug)]
pub struct Daemon {
    client: Client,
    session: String,
    /// The last event that was seen.
    cursor: Option<u64>,
    /// Connections after the first.
    reconnects: u64,
}

impl Daemon {
    /// Connects, and follows what happens to `session` from now on.
    pub async fn connect(context: &Context, session: &str) -> Result<Self, Failure> {
        let client = context.connect().await?;
        let mut daemon = Self { client, session: session.to_owned(), cursor: None, reconnects: 0 };
        daemon.follow().await?;
        Ok(daemon)
    }

    /// How often the connection was made anew.
    pub fn reconnects(&self) -> u64 {
        self.reconnects
    }

    /// Asks. A question that only reads is asked again after a reconnection.
    pub async fn ask<R: Request>(&mut self, context: &Context, request: &R) -> Result<R::Response, Failure> {
        match self.client.call(request).await {
            Err(e) if is_away(&e) => {
                self.reconnect(context).await?;
                Ok(self.client.call(request).await?)
            }
            other => Ok(other?),
        }
    }

    /// Asks for something to be done, once.
    pub async fn order<R: Request>(&mut self, request: &R) -> Result<R::Response, Failure> {
        Ok(self.client.call_within(request, Duration::from_secs(60)).await?)
    }

    /// Sends `text` as a person types it. Returns the id by which receipts name it.
    pub async fn send(&mut self, text: &str) -> Result<String, Failure> {
        let meta = SendMeta { plain: Some(true), ..SendMeta::default() };
        let session = self.session.clone();
        Ok(self.client.send(&session, &Message::text(text), meta).await?)
    }

    /// The next frame that the daemon pushes. Safe to drop while it waits.
    pub async fn next(&mut self) -> Result<Frame, ClientError> {
        self.client.next().await
    }

    /// Notes that an event was seen.
    pub fn saw(&mut self, event: &Event) {
        self.cursor = self.cursor.max(Some(event.seq));
    }

    /// Connects again. Returns what happened meanwhile. No daemon is started: whoever took it down had a reason.
    pub async fn reconnect(&mut self, context: &Context) -> Result<Vec<Event>, Failure> {
        let begun = Instant::now();
        loop {
            match context.connect_running().await {
                Ok(client) => {
                    self.client = client;
                    self.reconnects += 1;
                    return self.follow().await;
                }
                Err(failure) if begun.elapsed() > AWAY => return Err(failure),
                Err(_) => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    async fn follow(&mut self) -> Result<Vec<Event>, Failure> {
        let first = self.cursor.is_none();
        let request = Events {
            after: self.cursor,
            limit: Some(if first { 1 } else { 1000 }),
            kinds: vec!["session.turn_ended".to_owned()],
            subject: Some(self.session.clone()),
            tail: first.then_some(true),
            follow: Some(true),
        };
        let answer = self.client.call(&request).await?;
        self.cursor = self.cursor.max(Some(answer.next));
        Ok(if first { Vec::new() } else { answer.events })
    }
}

/// Whether the connection is gone, and a new one may not be.
pub fn is_away(e: &ClientError) -> bool {
    matches!(
        e,
        ClientError::Closed { .. }
            | ClientError::Io(_)
            | ClientError::Framing(_)
            | ClientError::NotRunning { .. }
            | ClientError::Refused { code: posthouse_protocol::ErrorCode::ShuttingDown, .. }
    )
}
