//! What becomes of a request, by its method and its era.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::sync::{Mutex, PoisonError};

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::conversation::Conversation;
use super::guard::admit;
use super::letter::{Letter, PRESENT, is_answer};
use super::reply::{self, Reply};

/// The one place there is.
pub(super) const PATH: &str = "/mcp";
const SESSION: &str = "mcp-session-id";
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const INTERNAL_ERROR: i32 = -32603;
const HEADER_MISMATCH: i32 = -32020;

/// How bridges are started, and those of the sessions.
#[derive(Debug)]
pub(super) struct Desk {
    program: OsString,
    args: Vec<OsString>,
    sessions: Mutex<HashMap<String, Conversation>>,
}

impl Desk {
    pub(super) fn new(program: OsString, args: Vec<OsString>) -> Self {
        Self { program, args, sessions: Mutex::default() }
    }

    pub(super) async fn answer(&self, request: Request<Incoming>) -> Reply {
        if let Err(why) = admit(request.headers()) {
            return reply::refusal(StatusCode::FORBIDDEN, &Value::Null, INVALID_REQUEST, &why);
        }
        if request.uri().path() != PATH {
            return reply::empty(StatusCode::NOT_FOUND);
        }
        match *request.method() {
            Method::POST => {
                let (parts, body) = request.into_parts();
                let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
                match serde_json::from_slice(&bytes) {
                    Ok(message) => self.post(&parts.headers, message).await,
                    Err(why) => {
                        let why = why.to_string();
                        reply::refusal(StatusCode::BAD_REQUEST, &Value::Null, PARSE_ERROR, &why)
                    }
                }
            }
            Method::GET => match self.session(request.headers()) {
                Ok(bridge) => reply::events(None, bridge.listen().await, bridge),
                Err(status) => reply::empty(status),
            },
            Method::DELETE => match self.end(request.headers()) {
                Ok(()) => reply::empty(StatusCode::NO_CONTENT),
                Err(status) => reply::empty(status),
            },
            _ => reply::empty(StatusCode::METHOD_NOT_ALLOWED),
        }
    }

    async fn post(&self, headers: &HeaderMap, message: Value) -> Reply {
        let letter = Letter::new(headers, message);
        let id = letter.asks().cloned().unwrap_or_default();
        let answered = if letter.stands_alone() {
            self.alone(letter).await
        } else {
            self.in_session(headers, letter).await
        };
        answered.unwrap_or_else(|why| {
            reply::refusal(StatusCode::INTERNAL_SERVER_ERROR, &id, INTERNAL_ERROR, &why.to_string())
        })
    }

    /// Of the present era: a bridge for this request. What is no request concerns none that is still there.
    async fn alone(&self, letter: Letter) -> io::Result<Reply> {
        let Some(id) = letter.asks() else { return Ok(reply::empty(StatusCode::ACCEPTED)) };
        if let Some(why) = letter.contradiction() {
            return Ok(reply::refusal(StatusCode::BAD_REQUEST, id, HEADER_MISMATCH, &why));
        }
        let bridge = self.start()?;
        // A connection is of one era, and of the present one once it has answered a request of that.
        bridge.ask(opening()).await.recv().await.ok_or(io::ErrorKind::UnexpectedEof)?;
        let lacks_meta = letter.lacks_meta();
        let mut answers = bridge.ask_alone(letter.message).await;
        let first = answers.recv().await.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(if is_answer(&first) {
            reply::document(reply::status(&first, lacks_meta), &first)
        } else {
            reply::events(Some(first), answers, bridge)
        })
    }

    /// Of an era that shakes hands: the session's bridge, or a new one for the handshake.
    async fn in_session(&self, headers: &HeaderMap, letter: Letter) -> io::Result<Reply> {
        let opens = letter.is("initialize");
        let bridge = if opens { Ok(self.start()?) } else { self.session(headers) };
        let bridge = match bridge {
            Ok(bridge) => bridge,
            Err(status) => {
                let why = "there is no such session; initialize opens one";
                return Ok(reply::refusal(status, &letter.message["id"], INVALID_REQUEST, why));
            }
        };
        if letter.asks().is_none() {
            bridge.tell(letter.message).await;
            return Ok(reply::empty(StatusCode::ACCEPTED));
        }
        let mut answers = bridge.ask(letter.message).await;
        let first = answers.recv().await.ok_or(io::ErrorKind::UnexpectedEof)?;
        if !is_answer(&first) {
            return Ok(reply::events(Some(first), answers, bridge));
        }
        let mut answer = reply::document(StatusCode::OK, &first);
        if opens && first.get("result").is_some() {
            let name = Uuid::new_v4().to_string();
            let value = HeaderValue::from_str(&name).map_err(io::Error::other)?;
            answer.headers_mut().insert(SESSION, value);
            self.sessions.lock().unwrap_or_else(PoisonError::into_inner).insert(name, bridge);
        }
        Ok(answer)
    }

    fn start(&self) -> io::Result<Conversation> {
        Conversation::start(&self.program, &self.args)
    }

    fn session(&self, headers: &HeaderMap) -> Result<Conversation, StatusCode> {
        let name = named(headers)?;
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(name).cloned().ok_or(StatusCode::NOT_FOUND)
    }

    fn end(&self, headers: &HeaderMap) -> Result<(), StatusCode> {
        let name = named(headers)?;
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.remove(name).map(drop).ok_or(StatusCode::NOT_FOUND)
    }
}

fn named(headers: &HeaderMap) -> Result<&str, StatusCode> {
    headers.get(SESSION).and_then(|name| name.to_str().ok()).ok_or(StatusCode::BAD_REQUEST)
}

fn opening() -> Value {
    let key = |word: &str| format!("io.modelcontextprotocol/{word}");
    let meta = json!({ key("protocolVersion"): PRESENT, key("clientCapabilities"): {} });
    json!({ "jsonrpc": "2.0", "id": "front", "method": "prompts/list", "params": { "_meta": meta } })
}
