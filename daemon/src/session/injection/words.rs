//! What the injector is told, and what it answers with.

use posthouse_protocol::{Evidence, ReceiptState};
use uuid::Uuid;

use super::prompt::{Prompt, Source};
use crate::holder::script::{OperationId, Step};

/// What is to be done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Note in the journal that the prompt is about to be written, then call [`Injector::noted`](super::injector::Injector::noted).
    Note(Prompt),
    /// Tell whoever sent the prompt.
    Tell {
        /// Which prompt.
        prompt: Uuid,
        /// Who sent it.
        source: Source,
        /// Which attempt.
        attempt: u32,
        /// What to tell.
        news: News,
    },
    /// Hand the script to the holder.
    Write {
        /// Its id.
        operation: OperationId,
        /// Its steps.
        steps: Vec<Step>,
    },
    /// Take a script back.
    Cancel(OperationId),
    /// Ask the holder how far a script is, then call [`reported`](super::injector::Injector::reported) or [`not_seen`](super::injector::Injector::not_seen).
    Ask(OperationId),
    /// Enter was applied: from here on the harness may be working on it.
    Submitted(Prompt),
}

/// What can be told of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// It waits; for what.
    Waits(String),
    /// It moved on.
    Reached {
        /// How far.
        state: ReceiptState,
        /// On what that rests.
        evidence: Option<Evidence>,
        /// Why it went no further.
        reason: Option<String>,
    },
}

/// Something that shows what became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The harness itself recorded the prompt as a person's message.
    Recorded(Uuid),
    /// The harness reported that it began to work.
    TurnBegan,
}

/// What is to become of a prompt whose run ended while it was under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is submitted again in the next run.
    Again,
    /// Nobody knows whether it was worked on.
    Uncertain(String),
}
