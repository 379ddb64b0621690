//! Listening on loopback and answering one request after another.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::answer::{self, Answer};
use super::body::{self, AnswerBody};
use super::conversation::Conversation;
use super::credential::{AccountToken, label_of, presented};
use super::endpoint::{Endpoint, scenario_in};
use super::exchange::{Book, Exchange, Outcome};
use super::plan::Plan;
use super::scenario::{Refusal, Scenario};
use super::{anthropic, device, openai, side, token, tunnel};

/// The scenarios still to be played for a credential; the last one stays.
pub(super) type Scenarios = HashMap<String, VecDeque<Scenario>>;

/// What all connections share.
pub(super) struct Desk {
    pub book: Arc<Book>,
    pub scenarios: Mutex<Scenarios>,
    pub https: SocketAddr,
    /// Whose login a person has approved by a device code.
    pub approved: Mutex<Option<String>>,
    /// Counts the tokens handed out by refreshes.
    pub generation: AtomicU32,
}

/// Accepts connections for ever; `tls` says how, where the listener is the HTTPS one.
pub(super) async fn listen(listener: TcpListener, tls: Option<TlsAcceptor>, desk: Arc<Desk>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, desk) = (tls.clone(), Arc::clone(&desk));
        tokio::spawn(async move {
            match tls {
                None => serve(stream, desk).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, desk).await;
                    }
                }
            }
        });
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, desk: Arc<Desk>) {
    let service = service_fn(move |request| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, Infallible>(desk.answer(request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    // Clients hang up as they like, and a cut reply ends in an error on purpose.
    let _ = connection.await;
}

impl Desk {
    async fn answer(&self, request: Request<Incoming>) -> Response<AnswerBody> {
        if request.method() == Method::CONNECT {
            let number = self.enter(Endpoint::Connect, &request, String::new(), &Value::Null);
            return self.hand_out(number, tunnel::open(request, self.https));
        }
        let (parts, incoming) = request.into_parts();
        let body = body::read_json(&parts.headers, incoming).await;
        let request = Request::from_parts(parts, ());
        let path = request.uri().path();
        let upgrade = request.headers().get("upgrade").is_some_and(|to| to == "websocket");
        let endpoint = Endpoint::of(path, upgrade);
        let credential = match endpoint {
            Endpoint::Token => {
                device::account(&body).unwrap_or_else(|| label_of(token::refresh_token(&body)))
            }
            Endpoint::DeviceCode | Endpoint::DevicePoll => device::LABEL.to_owned(),
            _ => presented(request.headers()),
        };
        let scenario = match self.scenario(&credential, path, endpoint) {
            Ok(scenario) => scenario,
            Err(unknown) => {
                let number = self.enter(endpoint, &request, credential, &body);
                let error = serde_json::json!({"error": {"message": unknown.to_string()}});
                return self.hand_out(number, body::json(404, &error));
            }
        };
        let number = self.enter(endpoint, &request, credential.clone(), &body);
        let response = match endpoint {
            Endpoint::Responses | Endpoint::Messages => {
                return self.model_call(number, endpoint, &scenario, &body).await;
            }
            Endpoint::ResponsesUpgrade => body::json(426, &side::not_found()),
            Endpoint::CountTokens => body::json(200, &serde_json::json!({"input_tokens": 111})),
            // The token is spent, and nobody hears of it.
            Endpoint::Token if matches!(scenario, Scenario::Hang) => std::future::pending().await,
            Endpoint::Token => body::refused(token::answer(&scenario, &body, &self.fresh(&credential))),
            Endpoint::DeviceCode => body::refused(device::code(&scenario)),
            Endpoint::DevicePoll => body::refused(device::poll(self.approved().as_deref())),
            Endpoint::AccountsCheck => body::json(200, &side::accounts(&credential)),
            Endpoint::Usage => match scenario {
                // A login that was ended is let in nowhere.
                Scenario::Refuse(refusal @ (Refusal::TokenInvalidated | Refusal::TokenExpired)) => {
                    body::refused(openai::refuse(&refusal))
                }
                Scenario::Refuse(Refusal::UsageLimit { .. }) => body::json(200, &side::usage(100)),
                _ => body::json(200, &side::usage(12)),
            },
            Endpoint::Side if path.ends_with("/models") => match scenario {
                Scenario::Refuse(Refusal::BadKey) => body::refused(openai::refuse(&Refusal::BadKey)),
                _ => body::json(200, &side::models()),
            },
            Endpoint::Side | Endpoint::Connect => body::json(404, &side::not_found()),
        };
        self.hand_out(number, response)
    }

    async fn model_call(
        &self,
        number: usize,
        endpoint: Endpoint,
        scenario: &Scenario,
        body: &Value,
    ) -> Response<AnswerBody> {
        let messages = endpoint == Endpoint::Messages;
        let word = if messages { anthropic::refuse } else { openai::refuse };
        let (over, tool, fault) = match answer::to_model_call(scenario, word) {
            Answer::Silence => {
                let _until_the_client_leaves = Unanswered { book: &self.book, number };
                std::future::pending().await
            }
            Answer::Refuse(refused) => return self.hand_out(number, body::refused(refused)),
            Answer::Reply { over, tool, fault } => (over, tool, fault),
        };
        let conversation = Conversation::read(endpoint, body);
        let plan = Plan::new(&conversation, body, over, tool);
        if messages && body.get("stream").and_then(Value::as_bool) != Some(true) {
            return self.hand_out(number, body::json(200, &anthropic::whole(&plan, body)));
        }
        let (mut script, failure) = if messages {
            (anthropic::reply(&plan, body), anthropic::failure())
        } else {
            (openai::reply(&plan, &conversation, body), openai::failure())
        };
        if let Some(fault) = fault {
            script.spoil(fault, &failure);
        }
        script.play(fault, Arc::clone(&self.book), number)
    }

    /// The scenario set for the credential, else the one in the path, else all is well.
    fn scenario(
        &self,
        credential: &str,
        path: &str,
        endpoint: Endpoint,
    ) -> Result<Scenario, super::scenario::UnknownScenario> {
        let mut scenarios = self.scenarios.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(planned) = scenarios.get_mut(credential) {
            // Only model calls use a scenario up: a refresh belongs to the call that made it necessary.
            let next = if endpoint.is_model_call() && planned.len() > 1 {
                planned.pop_front()
            } else {
                planned.front().cloned()
            };
            if let Some(scenario) = next {
                return Ok(scenario);
            }
        }
        scenario_in(path).unwrap_or(Ok(Scenario::Ok))
    }

    fn enter<B>(&self, endpoint: Endpoint, request: &Request<B>, credential: String, body: &Value) -> usize {
        self.book.enter(|number| Exchange {
            number,
            at: SystemTime::now(),
            endpoint,
            method: request.method().to_string(),
            path: request.uri().to_string(),
            credential,
            model: body.get("model").and_then(Value::as_str).unwrap_or_default().to_owned(),
            conversation: Conversation::read(endpoint, body),
            outcome: Outcome::Pending,
        })
    }

    fn hand_out(&self, number: usize, response: Response<AnswerBody>) -> Response<AnswerBody> {
        self.book.outcome(number, Outcome::Answered(response.status().as_u16()));
        response
    }

    fn approved(&self) -> Option<String> {
        self.approved.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fresh(&self, account: &str) -> AccountToken {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        AccountToken::new(account, self.generation.fetch_add(1, Ordering::Relaxed), now)
    }
}

/// A request kept waiting; says so in the book once the client gave up.
struct Unanswered<'a> {
    book: &'a Book,
    number: usize,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.book.outcome(self.number, Outcome::BrokenOff);
    }
}
