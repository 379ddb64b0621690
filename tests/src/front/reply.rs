//! Answers as HTTP has them: a document with the status that its error has, or events until the answer is there.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::conversation::Conversation;
use super::letter::is_answer;

/// The body of every answer.
pub(super) type Reply = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// The status of an answer to a request that stands alone, and that may have lacked what it must have.
pub(super) fn status(answer: &Value, lacks_meta: bool) -> StatusCode {
    match answer["error"]["code"].as_i64() {
        Some(-32601) => StatusCode::NOT_FOUND,
        Some(-32022..=-32020) => StatusCode::BAD_REQUEST,
        Some(-32602) if lacks_meta => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    }
}

pub(super) fn document(status: StatusCode, value: &Value) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(value.to_string())).boxed_unsync());
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

pub(super) fn refusal(status: StatusCode, id: &Value, code: i32, why: &str) -> Reply {
    document(status, &json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": why } }))
}

pub(super) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::new()).boxed_unsync());
    *reply.status_mut() = status;
    reply
}

/// `first` and what follows, up to an answer; the bridge lives at least as long.
pub(super) fn events(first: Option<Value>, rest: mpsc::Receiver<Value>, bridge: Conversation) -> Reply {
    let events = Events { first, rest, answered: false, _bridge: bridge };
    let mut reply = Response::new(events.boxed_unsync());
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    reply
}

struct Events {
    first: Option<Value>,
    rest: mpsc::Receiver<Value>,
    answered: bool,
    _bridge: Conversation,
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.answered {
            return Poll::Ready(None);
        }
        let next = match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => self.rest.poll_recv(context),
        };
        next.map(|message| {
            let message = message?;
            self.answered = is_answer(&message);
            Some(Ok(Frame::data(Bytes::from(format!("event: message\ndata: {message}\n\n")))))
        })
    }
}
