//! Requests: one file per verb, each of which checks rights and asks the room that knows.
//!
//! Every request runs as a task of its own, so that a long one holds up nothing else of its connection; how many may
//! be under way is bounded per connection. The few that have an order among themselves (the frames of a terminal view)
//! are handed on as they come.

mod agents;
mod conversation;
mod credential;
mod diagnose;
mod events;
mod failures;
mod health;
mod history;
mod inbox;
mod interrupt;
mod kept;
mod logs;
mod messages;
mod metrics;
mod outcome;
mod receipts;
mod release;
mod remove;
mod route;
mod route_explain;
mod screen;
mod send_input;
mod sessions;
mod shutdown;
mod spawn;
mod status;
mod terminal;
mod token;
mod workers;

use std::sync::Arc;

use posthouse_protocol::payload::{
    Conversation, Credential, CredentialResponse, Diagnose, Events, Failures, Health, Inbox, Interrupt,
    ListAgents, ListConnectedAgents, ListSessions, ListWorkers, Logs, MessagesQuery, Metrics, Outcome,
    Receipts, Release, RemoveAgent, Route, RouteExplain, Screen, SendInput, Shutdown, Spawn, Status, Token,
};
use posthouse_protocol::{ErrorCode, Frame, FrameType, Request, Violation};
use serde::Serialize;
use tokio::sync::{Semaphore, oneshot};

use super::house::House;
use super::outbox::{Outbox, PushError};
use super::{roster, stamp};
use crate::credential::command::CredentialCommand;
use crate::failover::command::FailoverCommand;
use crate::journal::ReadError;
use crate::post::command::{ConnId, PostCommand, PostQuery};
use crate::principal::{Kind, Principal, Right};
use crate::session::command::{SessionError, SessionsCommand};

/// Who asks, and where the answer goes.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) house: Arc<House>,
    pub(super) principal: Arc<Principal>,
    pub(super) conn: ConnId,
    pub(super) outbox: Outbox,
    /// Id of the request; the answer's envelope carries it too.
    pub(super) id: String,
}

/// What answers a request.
pub(super) type Answer<R> = Result<<R as Request>::Response, Violation>;

/// A request that the gate answers.
trait Verb: Request + Send + 'static
where
    Self::Response: Send,
{
    /// Does what was asked for. A refusal is told as a non-fatal ERROR with the request's id.
    fn answer(self, caller: &Caller) -> impl Future<Output = Answer<Self>> + Send;

    /// What is to follow the answer, such as a stream of events.
    fn after(_caller: Caller) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// Takes one request. The violation, if any, is the caller's to be told at once.
pub(super) async fn take(frame: Frame, caller: Caller, slots: &Arc<Semaphore>) -> Option<Violation> {
    let id = caller.id.clone();
    let taken = match frame.header.kind {
        FrameType::Attach | FrameType::Input | FrameType::Resize | FrameType::Detach => {
            terminal::take(&frame, &caller).await
        }
        FrameType::Spawn => start::<Spawn>(&frame, caller, slots),
        FrameType::Release => start::<Release>(&frame, caller, slots),
        FrameType::SendInput => start::<SendInput>(&frame, caller, slots),
        FrameType::ListWorkers => start::<ListWorkers>(&frame, caller, slots),
        FrameType::Status => start::<Status>(&frame, caller, slots),
        FrameType::Inbox => start::<Inbox>(&frame, caller, slots),
        FrameType::MessagesQuery => start::<MessagesQuery>(&frame, caller, slots),
        FrameType::ListAgents => start::<ListAgents>(&frame, caller, slots),
        FrameType::ListConnectedAgents => start::<ListConnectedAgents>(&frame, caller, slots),
        FrameType::RemoveAgent => start::<RemoveAgent>(&frame, caller, slots),
        FrameType::Health => start::<Health>(&frame, caller, slots),
        FrameType::Metrics => start::<Metrics>(&frame, caller, slots),
        FrameType::Receipts => start::<Receipts>(&frame, caller, slots),
        FrameType::ListSessions => start::<ListSessions>(&frame, caller, slots),
        FrameType::Screen => start::<Screen>(&frame, caller, slots),
        FrameType::Logs => start::<Logs>(&frame, caller, slots),
        FrameType::Events => start::<Events>(&frame, caller, slots),
        FrameType::Credential => start::<Credential>(&frame, caller, slots),
        FrameType::RouteExplain => start::<RouteExplain>(&frame, caller, slots),
        FrameType::Shutdown => start::<Shutdown>(&frame, caller, slots),
        FrameType::Diagnose => start::<Diagnose>(&frame, caller, slots),
        FrameType::Conversation => start::<Conversation>(&frame, caller, slots),
        FrameType::Interrupt => start::<Interrupt>(&frame, caller, slots),
        FrameType::Route => start::<Route>(&frame, caller, slots),
        FrameType::Outcome => start::<Outcome>(&frame, caller, slots),
        FrameType::Token => start::<Token>(&frame, caller, slots),
        FrameType::Failures => start::<Failures>(&frame, caller, slots),
        kind => Err(Violation::warning(ErrorCode::BadRequest, format!("{kind} is not a request"))),
    };
    taken.err().map(|violation| violation.about(id))
}

/// Starts a request's task.
fn start<V: Verb>(frame: &Frame, caller: Caller, slots: &Arc<Semaphore>) -> Result<(), Violation>
where
    V::Response: Send,
{
    let request = frame.body.decode::<V>()?;
    let slot = slots.clone().try_acquire_owned().map_err(|_| {
        let most = caller.house.limits.max_requests;
        Violation::warning(
            ErrorCode::LimitExceeded,
            format!("{most} requests of this connection are under way already"),
        )
    })?;
    tokio::spawn(async move {
        let answer = request.answer(&caller).await;
        let answered = answer.is_ok();
        caller.finish::<V>(answer);
        drop(slot);
        if answered {
            V::after(caller).await;
        }
    });
    Ok(())
}

impl Caller {
    /// Refuses a principal that may not.
    fn require(&self, right: Right) -> Result<(), Violation> {
        if self.principal.may(right) {
            return Ok(());
        }
        let message = match &self.principal.kind {
            Kind::Agent { session, .. } => {
                format!("session {session} was not given the right to {}", right.word())
            }
            kind => format!("{} has no right to {}", kind_word(kind), right.word()),
        };
        Err(Violation::warning(ErrorCode::Forbidden, message))
    }

    /// Refuses an agent that wants to look into another session.
    fn require_view(&self, session: &str) -> Result<(), Violation> {
        match &self.principal.kind {
            Kind::Agent { session: own, .. } if own != session => self.require(Right::Administer),
            _ => Ok(()),
        }
    }

    /// Whether the principal sees what concerns others: the user, and those who only look.
    fn sees_all(&self) -> bool {
        self.principal.may(Right::Administer) || self.principal.kind == Kind::Observer
    }

    /// Refuses a principal that wants to read what is kept for another name.
    fn require_own(&self, name: &str) -> Result<(), Violation> {
        if name == self.principal.name || self.sees_all() {
            return Ok(());
        }
        let message = format!("{} may not read what is kept for {name}", self.principal.name);
        Err(Violation::warning(ErrorCode::Forbidden, message))
    }

    fn finish<V: Request>(&self, answer: Answer<V>) {
        let encoding = self.outbox.encoding();
        let sent = answer
            .and_then(|response| {
                let frame = stamp::frame(self.id.clone(), &response, encoding).map_err(internal)?;
                self.outbox.push_frame(&frame).map_err(internal)
            })
            .or_else(|violation| {
                let told = Violation { fatal: false, ..violation }.about(self.id.clone());
                stamp::error(&told, encoding).and_then(|frame| self.outbox.push_frame(&frame))
            });
        match sent {
            Ok(Err(PushError::Full)) => self.outbox.close(roster::slow_reader(&self.outbox)),
            Ok(Ok(()) | Err(PushError::Closed)) => {}
            Err(e) => tracing::error!(error = %e, "an answer could not be written"),
        }
    }

    /// Asks post.
    async fn ask_post<T>(&self, query: impl FnOnce(oneshot::Sender<T>) -> PostQuery) -> Result<T, Violation> {
        let (reply, answer) = oneshot::channel();
        self.house.post.send(PostCommand::Query(query(reply))).await.map_err(|_| going_down())?;
        answer.await.map_err(|_| going_down())
    }

    /// Asks for or about credentials.
    async fn ask_credentials(&self, request: Credential) -> Result<CredentialResponse, Violation> {
        let (reply, answer) = oneshot::channel();
        let request = CredentialCommand::Request { request, actor: self.principal.name.clone(), reply };
        self.house.credentials.0.send(request).await.map_err(|_| going_down())?;
        let answer = answer.await.map_err(|_| going_down())?;
        answer.map_err(|why| Violation::warning(why.code, format!("failed to {}", why.message)))
    }

    /// Asks failover.
    async fn ask_failover<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, String>>) -> FailoverCommand,
    ) -> Result<T, Violation> {
        let (reply, answer) = oneshot::channel();
        self.house.failover.send(command(reply)).await.map_err(|_| going_down())?;
        let answer = answer.await.map_err(|_| going_down())?;
        answer.map_err(|why| Violation::warning(ErrorCode::BadRoute, format!("failed to {why}")))
    }

    /// Asks the sessions.
    async fn ask_sessions<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> SessionsCommand,
    ) -> Result<T, Violation> {
        let (reply, answer) = oneshot::channel();
        self.house.sessions.0.send(command(reply)).await.map_err(|_| going_down())?;
        answer.await.map_err(|_| going_down())
    }
}

fn kind_word(kind: &Kind) -> &'static str {
    match kind {
        Kind::Operator => "an operator",
        Kind::Client => "a client",
        Kind::Agent { .. } => "an agent",
        Kind::Observer => "an observer",
    }
}

fn going_down() -> Violation {
    Violation::warning(ErrorCode::ShuttingDown, "the daemon is going down")
}

fn internal(error: impl std::fmt::Display) -> Violation {
    Violation::warning(ErrorCode::Internal, format!("failed to {error}"))
}

impl From<SessionError> for Refusal {
    fn from(e: SessionError) -> Self {
        Self(Violation::warning(e.code, format!("failed to {}", e.message)))
    }
}

impl From<ReadError> for Refusal {
    fn from(e: ReadError) -> Self {
        let code = match e {
            ReadError::Busy { .. } => ErrorCode::LimitExceeded,
            ReadError::Sqlite(_) | ReadError::Row(_) | ReadError::Closed => ErrorCode::Internal,
        };
        Self(Violation::warning(code, format!("failed to {e}")))
    }
}

/// A room's error on its way to become an ERROR frame.
struct Refusal(Violation);

/// Turns a room's error into the violation that the caller is told.
fn refuse<E: Into<Refusal>>(error: E) -> Violation {
    error.into().0
}

/// Room that a list must leave for its envelope and for what else the payload says, in bytes.
const ENVELOPE: usize = 8 * 1024;

/// As many of `items` as fit one frame in either encoding, and whether all did. JSON is the larger of the two but for
/// a few bytes per field, which the margin covers.
fn fit<T: Serialize>(items: Vec<T>, max_frame: usize) -> (Vec<T>, bool) {
    let budget = max_frame.saturating_sub(ENVELOPE);
    let mut used = 0;
    let count = items
        .iter()
        .take_while(|item| {
            used += serde_json::to_vec(item).map_or(0, |json| json.len() + 1);
            used <= budget
        })
        .count();
    let all = count == items.len();
    (items.into_iter().take(count).collect(), all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_where_a_frame_ends() {
        let items = vec!["x".repeat(1000); 100];
        let (kept, all) = fit(items.clone(), ENVELOPE + 10_030);
        assert_eq!((kept.len(), all), (10, false));
        assert!(fit(items, ENVELOPE + 200_000).1);
    }
}
