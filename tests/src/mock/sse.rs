//! A reply as server-sent events: a script of events with pauses, and the task that plays it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::body::{Body, Frame};
use serde_json::Value;
use tokio::sync::mpsc;

use super::body::{AnswerBody, CutOff};
use super::exchange::{Book, Outcome};
use super::scenario::StreamFault;

/// A whole reply, ready to be played.
#[derive(Default)]
pub(super) struct Script {
    steps: Vec<(Duration, Bytes)>,
    /// How many of the steps come before the reply's proper ending.
    before_ending: usize,
}

impl Script {
    /// Adds one event, `pause` after the one before.
    pub(super) fn event(&mut self, pause: Duration, data: &Value) {
        let name = data.get("type").and_then(Value::as_str).unwrap_or("message");
        self.steps.push((pause, Bytes::from(format!("event: {name}\ndata: {data}\n\n"))));
    }

    /// Says that the events from here on are the reply's proper ending.
    pub(super) fn ending(&mut self) {
        self.before_ending = self.steps.len();
    }

    /// Replaces the proper ending by a fault; `failure` is the protocol's error event.
    pub(super) fn spoil(&mut self, fault: StreamFault, failure: &Value) {
        self.steps.truncate(self.before_ending);
        if fault == StreamFault::Failed {
            self.event(Duration::ZERO, failure);
        }
    }

    /// A response that plays the script and enters the outcome in the book.
    pub(super) fn play(
        self,
        fault: Option<StreamFault>,
        book: Arc<Book>,
        number: usize,
    ) -> Response<AnswerBody> {
        let (sender, receiver) = mpsc::channel(1);
        book.outcome(number, Outcome::Streaming);
        tokio::spawn(async move {
            let outcome = self.send(fault, &sender).await;
            book.outcome(number, outcome);
        });
        let mut response = Response::new(Playing(receiver).boxed_unsync());
        let headers = response.headers_mut();
        headers.insert("content-type", hyper::header::HeaderValue::from_static("text/event-stream"));
        headers.insert("cache-control", hyper::header::HeaderValue::from_static("no-cache"));
        response
    }

    async fn send(self, fault: Option<StreamFault>, to: &mpsc::Sender<Result<Bytes, CutOff>>) -> Outcome {
        for (pause, bytes) in self.steps {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = to.closed() => return Outcome::BrokenOff,
            }
            if to.send(Ok(bytes)).await.is_err() {
                return Outcome::BrokenOff;
            }
        }
        match fault {
            Some(StreamFault::Cut) => {
                let _ = to.send(Err(CutOff)).await;
                Outcome::BrokenOff
            }
            Some(StreamFault::Stall) => {
                to.closed().await;
                Outcome::BrokenOff
            }
            Some(StreamFault::Failed) => Outcome::BrokenOff,
            None => Outcome::Streamed,
        }
    }
}

/// The reading end of a script being played.
struct Playing(mpsc::Receiver<Result<Bytes, CutOff>>);

impl Body for Playing {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        self.0.poll_recv(context).map(|step| step.map(|bytes| bytes.map(Frame::data)))
    }
}
