//! The account of the turn that runs: which prompts the harness was given in it, and which of them it may have begun
//! to act on. What a tool may have done must not be done twice. Kept in the session's record, so that the next daemon
//! knows it too.

use serde::{Deserialize, Serialize};

use super::injection::prompt::{Prompt, squeezed};
use super::kept::within_budget;
use crate::harness::transcript::{ApiError, Event};

/// Most prompts that are accounted for; a harness that never tells of a turn's end must not fill the memory.
const MOST: usize = 32;

/// A prompt whose turn has not ended well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// The prompt as it was submitted.
    pub prompt: Prompt,
    /// A tool ran since.
    pub worked: bool,
}

/// How a turn goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// It runs, or there is none.
    #[default]
    Open,
    /// It failed, and what follows from that is not decided.
    Failing,
    /// It failed, and its prompts stay as they are.
    Failed,
}

/// The account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    #[serde(default, serialize_with = "store")]
    open: Vec<Open>,
    #[serde(default)]
    outcome: Outcome,
    /// Where in the run's output the last prompt was submitted, or the last failure decided about: what the harness
    /// reported before that is of the past. An absolute offset in bytes.
    #[serde(default)]
    since: u64,
}

/// What happened while nobody followed the conversation.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CaughtUp {
    /// Prompts whose turn ended well.
    pub ended: bool,
    /// A failure that nobody has dealt with.
    pub failure: Option<ApiError>,
}

impl Turn {
    /// A turn that began with a prompt on the harness's command line.
    pub fn given(prompt: Prompt) -> Self {
        Self { open: vec![Open { prompt, worked: false }], ..Self::default() }
    }

    /// A prompt was submitted when the run had put out `offset` bytes.
    pub fn submitted(&mut self, prompt: Prompt, offset: u64) {
        self.since = self.since.max(offset);
        // An earlier daemon had seen it already.
        if let Some(known) = self.open.iter_mut().find(|open| open.prompt.id == prompt.id) {
            known.prompt = prompt;
            return;
        }
        // Whoever goes on after a failure has seen it: the failed prompts are in the conversation.
        if std::mem::take(&mut self.outcome) != Outcome::Open {
            self.open.clear();
        }
        if self.open.len() == MOST {
            self.open.remove(0);
        }
        self.open.push(Open { prompt, worked: false });
    }

    /// A tool ran. Returns whether that is news.
    pub fn tool_ran(&mut self) -> bool {
        let mut news = false;
        for open in &mut self.open {
            news |= !std::mem::replace(&mut open.worked, true);
        }
        news
    }

    /// The turn failed: its prompts wait for what is decided.
    pub fn failed(&mut self) {
        self.outcome = Outcome::Failing;
    }

    /// It was decided that nothing follows from the failure that showed before `offset`.
    pub fn stays_failed(&mut self, offset: u64) {
        if self.outcome == Outcome::Failing {
            self.outcome = Outcome::Failed;
            self.since = offset;
        }
    }

    /// Whether a failure waits for what is decided.
    pub fn is_failing(&self) -> bool {
        self.outcome == Outcome::Failing
    }

    /// Whether it failed, and it was decided that nothing follows from that.
    pub fn is_decided(&self) -> bool {
        self.outcome == Outcome::Failed
    }

    /// Whether a report of the harness that ends at `offset` was made before the turn.
    pub fn is_past(&self, offset: u64) -> bool {
        offset <= self.since
    }

    /// The turn ended well. Returns whether anything was done in it.
    pub fn ended(&mut self) -> bool {
        if self.outcome != Outcome::Open {
            return false;
        }
        let something = !self.open.is_empty();
        self.open.clear();
        something
    }

    /// Goes through what the conversation recorded while nobody followed it.
    pub fn catch_up(&mut self, events: &[Event]) -> CaughtUp {
        let mut caught = CaughtUp::default();
        let mut begun: Vec<uuid::Uuid> = Vec::new();
        for event in events {
            match event {
                Event::UserMessage { text } => {
                    let text = squeezed(text);
                    let named =
                        |open: &&Open| !open.prompt.sought.is_empty() && text.contains(&open.prompt.sought);
                    begun.extend(self.open.iter().filter(named).map(|open| open.prompt.id));
                    caught.failure = None;
                }
                Event::ToolUsed { .. } => {
                    for open in self.open.iter_mut().filter(|open| begun.contains(&open.prompt.id)) {
                        open.worked = true;
                    }
                }
                Event::TurnEnded { aborted: false } if self.outcome == Outcome::Open => {
                    let before = self.open.len();
                    self.open.retain(|open| !begun.contains(&open.prompt.id));
                    caught.ended |= self.open.len() < before;
                }
                Event::ApiError(error) if error.last && !begun.is_empty() => {
                    caught.failure = Some(error.clone());
                }
                _ => {}
            }
        }
        if self.outcome == Outcome::Failed || self.open.is_empty() {
            caught.failure = None;
        }
        caught
    }

    /// Whether prompts are open.
    pub fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// What identifies the open prompts in a conversation.
    pub fn sought(&self) -> Vec<String> {
        self.open.iter().map(|open| open.prompt.sought.clone()).collect()
    }

    /// Takes everything that is open. Without `sees_tools` nobody knows whether a tool ran, so one may have.
    pub fn take(&mut self, sees_tools: bool) -> Vec<Open> {
        self.outcome = Outcome::Open;
        let mut open = std::mem::take(&mut self.open);
        for open in open.iter_mut().filter(|_| !sees_tools) {
            open.worked = true;
        }
        open
    }
}

/// What is too long to be kept can't be submitted again: the conversation is told to go on.
pub fn store<S: serde::Serializer>(open: &[Open], serializer: S) -> Result<S::Ok, S::Error> {
    let kept = within_budget(open, |open| &open.prompt.text);
    serializer.collect_seq(open.iter().zip(kept).map(|(open, fits)| match fits {
        true => open.clone(),
        false => Open { prompt: open.prompt.without_text(), worked: true },
    }))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn prompt(n: u128) -> Prompt {
        Prompt::of_house(Uuid::from_u128(n), format!("prompt {n}"))
    }

    fn worked(open: &[Open]) -> Vec<(u128, bool)> {
        open.iter().map(|open| (open.prompt.id.as_u128(), open.worked)).collect()
    }

    fn user(n: u128) -> Event {
        Event::UserMessage { text: format!("prompt {n}") }
    }

    fn tool() -> Event {
        Event::ToolUsed { what: "Bash".into() }
    }

    fn error() -> ApiError {
        ApiError { text: "revoked".into(), last: true, ..ApiError::default() }
    }

    #[test]
    fn a_tool_concerns_the_prompts_before_it() {
        let mut turn = Turn::default();
        turn.submitted(prompt(1), 0);
        assert!(turn.tool_ran() && !turn.tool_ran());
        turn.submitted(prompt(2), 0);
        turn.failed();
        assert_eq!(worked(&turn.take(true)), [(1, true), (2, false)]);
        assert!(!turn.is_open());
    }

    #[test]
    fn a_turn_that_ended_well_leaves_nothing_open_and_a_failed_one_waits() {
        let mut turn = Turn::default();
        turn.submitted(prompt(1), 0);
        assert!(turn.ended() && !turn.is_open() && !turn.ended());
        turn.submitted(prompt(2), 0);
        turn.failed();
        assert!(!turn.ended() && turn.is_open());
        turn.submitted(prompt(3), 0);
        assert_eq!(worked(&turn.take(true)), [(3, false)], "someone went on after the failure");
    }

    #[test]
    fn what_nobody_can_see_may_have_happened() {
        let mut turn = Turn::default();
        turn.submitted(prompt(1), 0);
        assert_eq!(worked(&turn.take(false)), [(1, true)]);
    }

    #[test]
    fn a_prompt_that_is_seen_again_is_the_same() {
        let mut turn = Turn::default();
        turn.submitted(prompt(1), 10);
        turn.tool_ran();
        turn.submitted(prompt(1), 20);
        assert!(turn.is_past(20) && !turn.is_past(21));
        assert_eq!(worked(&turn.take(true)), [(1, true)]);
    }

    #[test]
    fn what_the_conversation_recorded_meanwhile_counts() {
        let open = |numbers: &[u128]| {
            let mut turn = Turn::default();
            numbers.iter().for_each(|n| turn.submitted(prompt(*n), 0));
            turn
        };
        let ended = Event::TurnEnded { aborted: false };
        let mut turn = open(&[1, 2]);
        let caught = turn.catch_up(&[tool(), user(1), ended.clone(), user(2), tool()]);
        assert_eq!(caught, CaughtUp { ended: true, failure: None });
        assert_eq!(worked(&turn.take(true)), [(2, true)]);

        let mut turn = open(&[1]);
        let caught = turn.catch_up(&[tool(), user(1), Event::ApiError(error())]);
        assert_eq!(caught, CaughtUp { ended: false, failure: Some(error()) });
        assert_eq!(worked(&turn.take(true)), [(1, false)], "the tool was of an earlier turn");

        let mut turn = open(&[1]);
        let caught = turn.catch_up(&[Event::ApiError(error()), user(1)]);
        assert_eq!(caught.failure, None, "that was before");

        let mut turn = open(&[1]);
        turn.failed();
        turn.stays_failed(5);
        assert_eq!(
            turn.catch_up(&[user(1), Event::ApiError(error())]),
            CaughtUp::default(),
            "it was dealt with"
        );
    }

    #[test]
    fn the_account_survives_as_far_as_there_is_room() {
        let mut turn = Turn::default();
        turn.submitted(prompt(1), 7);
        turn.submitted(Prompt::of_house(Uuid::from_u128(2), "x".repeat(super::super::kept::BUDGET)), 9);
        turn.failed();
        let text = serde_json::to_string(&turn).unwrap();
        assert!(text.len() < 2_000, "{} bytes", text.len());
        let mut again: Turn = serde_json::from_str(&text).unwrap();
        assert!(again.is_failing() && again.is_past(9) && !again.is_past(10));
        assert_eq!(worked(&again.take(true)), [(1, false), (2, true)]);
    }
}
