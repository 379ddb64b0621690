//! Commands to a holder. Each method sends one and waits for the answer; those named `…_soon` only
//! queue it, for callers that must not wait.

use tokio::sync::{mpsc, oneshot};

use super::{Identity, LinkError};
use crate::holder::run::{Size, StreamId};
use crate::holder::script::{OperationId, Report, Step};
use crate::holder::wire::{
    Ack, Answered, Cancel, Command, End, Event, Follow, HowFar, Note, Resize, Rung, SendSignal, Status,
    Target, WireStep, Write,
};

/// Bytes of a stream in flight between holder and daemon.
pub(super) const WINDOW: u32 = 512 << 10;

pub(super) struct Order {
    pub command: Command,
    pub answer: Option<oneshot::Sender<Result<Event, LinkError>>>,
}

/// Commands one holder; cheap to clone. Every method fails with [`LinkError::Lost`] once the
/// connection has ended and with [`LinkError::Refused`] if the holder says no.
#[derive(Clone, Debug)]
pub struct LinkHandle {
    identity: Identity,
    orders: mpsc::Sender<Order>,
}

impl LinkHandle {
    pub(super) const fn new(identity: Identity, orders: mpsc::Sender<Order>) -> Self {
        Self { identity, orders }
    }

    /// Who is at the other end.
    pub const fn identity(&self) -> Identity {
        self.identity
    }

    /// Everything the holder knows: what a session needs after adoption.
    ///
    /// # Errors
    /// As all methods.
    pub async fn status(&self) -> Result<Status, LinkError> {
        match self.ask(Command::Status(())).await? {
            Event::Status(status) => Ok(status),
            other => Err(unexpected(&other)),
        }
    }

    /// Has a stream's output sent from the absolute offset `from` on. A link made by
    /// [`super::spawn`] follows all its streams from the start.
    ///
    /// # Errors
    /// As all methods.
    pub async fn follow(&self, stream: StreamId, from: u64) -> Result<(), LinkError> {
        self.tell(Command::Follow(Follow { stream, from, window: WINDOW })).await
    }

    /// Says that a pipe's output before `upto` is safe: the holder forgets it and lets the child
    /// write on. (A terminal's output is acknowledged by the link itself.)
    ///
    /// # Errors
    /// As all methods.
    pub async fn ack(&self, stream: StreamId, upto: u64) -> Result<(), LinkError> {
        self.tell(Command::Ack(Ack { stream, upto })).await
    }

    /// Applies a script, at most once under this id, and returns how far it is by now; the rest
    /// comes as [`super::HolderEvent::Progress`].
    ///
    /// # Errors
    /// As all methods. A refusal of the script itself is a state of the report.
    pub async fn write(&self, operation: OperationId, steps: Vec<Step>) -> Result<Report, LinkError> {
        let answer = self.ask(write_command(operation, steps)).await?;
        report(&answer)?.ok_or_else(|| unexpected(&answer))
    }

    /// As [`Self::write`], without waiting: every report comes as
    /// [`super::HolderEvent::Progress`].
    ///
    /// # Errors
    /// [`LinkError::Busy`] or [`LinkError::Lost`]; nothing was sent then.
    pub fn write_soon(&self, operation: OperationId, steps: Vec<Step>) -> Result<(), LinkError> {
        self.soon(write_command(operation, steps))
    }

    /// Stops a script between its steps or within one, and returns how far it came; `None` if the
    /// holder does not remember it. A script that has ended keeps its ending.
    ///
    /// # Errors
    /// As all methods.
    pub async fn cancel(&self, operation: OperationId) -> Result<Option<Report>, LinkError> {
        report(&self.ask(Command::Cancel(Cancel { operation })).await?)
    }

    /// How far a script is; `None` if the holder does not remember it.
    ///
    /// # Errors
    /// As all methods.
    pub async fn how_far(&self, operation: OperationId) -> Result<Option<Report>, LinkError> {
        report(&self.ask(Command::HowFar(HowFar { operation })).await?)
    }

    /// Sets the terminal's size.
    ///
    /// # Errors
    /// As all methods.
    pub async fn resize(&self, size: Size) -> Result<(), LinkError> {
        self.tell(Command::Resize(Resize { size })).await
    }

    /// Sends a signal (its number on this machine).
    ///
    /// # Errors
    /// As all methods.
    pub async fn signal(&self, signal: i32, target: Target) -> Result<(), LinkError> {
        self.tell(Command::Signal(SendSignal { signal, target })).await
    }

    /// Remembers that terminal queries before `offset` have been answered, without waiting.
    ///
    /// # Errors
    /// [`LinkError::Busy`] or [`LinkError::Lost`].
    pub fn answered_soon(&self, offset: u64) -> Result<(), LinkError> {
        self.soon(Command::Answered(Answered { offset }))
    }

    /// Stores a note of at most [`crate::holder::wire::MAX_NOTE`] bytes in place of the last one.
    ///
    /// # Errors
    /// As all methods.
    pub async fn note(&self, bytes: Vec<u8>) -> Result<(), LinkError> {
        self.tell(Command::Note(Note { bytes })).await
    }

    /// Begins to end the run: each rung's signal to the leader and its group, then KILL to all of
    /// the run. [`super::HolderEvent::Gone`] or [`super::HolderEvent::NotGone`] follows.
    ///
    /// # Errors
    /// As all methods.
    pub async fn end(&self, rungs: Vec<Rung>) -> Result<(), LinkError> {
        self.tell(Command::End(End { rungs })).await
    }

    /// Closes the child's standard input after the writes before (pipes only).
    ///
    /// # Errors
    /// As all methods.
    pub async fn close_input(&self) -> Result<(), LinkError> {
        self.tell(Command::CloseInput(())).await
    }

    /// Lets the holder go: the exit has been recorded. Refused unless the run is proven gone.
    ///
    /// # Errors
    /// As all methods.
    pub async fn collect(&self) -> Result<(), LinkError> {
        self.tell(Command::Collect(())).await
    }

    async fn tell(&self, command: Command) -> Result<(), LinkError> {
        match self.ask(command).await? {
            Event::Done(()) => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    async fn ask(&self, command: Command) -> Result<Event, LinkError> {
        let (answer, answered) = oneshot::channel();
        let order = Order { command, answer: Some(answer) };
        self.orders.send(order).await.map_err(|_| LinkError::Lost)?;
        answered.await.map_err(|_| LinkError::Lost)?
    }

    fn soon(&self, command: Command) -> Result<(), LinkError> {
        self.orders.try_send(Order { command, answer: None }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => LinkError::Busy,
            mpsc::error::TrySendError::Closed(_) => LinkError::Lost,
        })
    }
}

fn write_command(operation: OperationId, steps: Vec<Step>) -> Command {
    let steps = steps.into_iter().map(WireStep::from).collect();
    Command::Write(Write { operation, steps })
}

fn report(answer: &Event) -> Result<Option<Report>, LinkError> {
    match answer {
        Event::Operation(operation) => Ok(Some(operation.report)),
        Event::NotSeen(_) => Ok(None),
        other => Err(unexpected(other)),
    }
}

const fn unexpected(answer: &Event) -> LinkError {
    LinkError::Unexpected { kind: answer.kind() }
}
