//! From a scenario to what is sent, the same for every protocol but for the wording of refusals.

use std::time::Duration;

use serde_json::Value;

use super::scenario::{Refusal, Scenario, StreamFault};

/// What the mock sends for one model call.
pub(super) enum Answer {
    /// A status with a JSON body, nothing else.
    Refuse(Refused),
    /// A reply in the protocol's own shape.
    Reply {
        /// Over how long the text is spread, unless the prompt says otherwise.
        over: Duration,
        /// A shell command to call first, unless the prompt says otherwise.
        tool: Option<String>,
        /// How it ends badly, if it does.
        fault: Option<StreamFault>,
    },
    /// Nothing, ever.
    Silence,
}

/// A refusal as it goes over the wire.
pub(super) struct Refused {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Value,
}

impl Refused {
    pub(super) fn new(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

/// The answer to a model call under `scenario`; `word` phrases a refusal in the protocol's terms.
pub(super) fn to_model_call(scenario: &Scenario, word: impl Fn(&Refusal) -> Refused) -> Answer {
    let reply = |over, tool, fault| Answer::Reply { over, tool, fault };
    match scenario {
        Scenario::Ok => reply(Duration::ZERO, None, None),
        Scenario::Slow(over) => reply(*over, None, None),
        Scenario::Tool(command) => reply(Duration::ZERO, Some(command.clone()), None),
        Scenario::Refuse(refusal) => Answer::Refuse(word(refusal)),
        Scenario::Refresh(_) => Answer::Refuse(word(&Refusal::TokenExpired)),
        Scenario::Stream(fault) => reply(Duration::ZERO, None, Some(*fault)),
        Scenario::Hang => Answer::Silence,
    }
}
