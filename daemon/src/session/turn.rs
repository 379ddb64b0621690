//! The account of the turn that runs: which prompts the harness was given in it, and which of them it may have begun
//! to act on. What a tool may have done must not be done twice.

use super::injection::prompt::Prompt;

/// Most prompts that are accounted for; a harness that never tells of a turn's end must not fill the memory.
const MOST: usize = 32;

/// A prompt whose turn has not ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The prompt as it was submitted.
    pub prompt: Prompt,
    /// A tool ran since.
    pub worked: bool,
}

/// The account.
#[derive(Debug, Default)]
pub struct Turn {
    open: Vec<Open>,
    failed: bool,
}

impl Turn {
    /// A prompt was submitted.
    pub fn submitted(&mut self, prompt: Prompt) {
        // Whoever goes on after a failure has seen it: the failed prompts are in the conversation.
        if std::mem::take(&mut self.failed) {
            self.open.clear();
        }
        if self.open.len() == MOST {
            self.open.remove(0);
        }
        self.open.push(Open { prompt, worked: false });
    }

    /// A tool ran.
    pub fn tool_ran(&mut self) {
        for open in &mut self.open {
            open.worked = true;
        }
    }

    /// The turn failed: its prompts wait for what is decided.
    pub fn failed(&mut self) {
        self.failed = true;
    }

    /// The turn ended well. Returns whether anything was done in it.
    pub fn ended(&mut self) -> bool {
        if self.failed {
            return false;
        }
        let something = !self.open.is_empty();
        self.open.clear();
        something
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
        self.failed = false;
        let mut open = std::mem::take(&mut self.open);
        for open in open.iter_mut().filter(|_| !sees_tools) {
            open.worked = true;
        }
        open
    }
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

    #[test]
    fn a_tool_concerns_the_prompts_before_it() {
        let mut turn = Turn::default();
        turn.submitted(prompt(1));
        turn.tool_ran();
        turn.submitted(prompt(2));
        turn.failed();
        assert_eq!(worked(&turn.take(true)), [(1, true), (2, false)]);
        assert!(!turn.is_open());
    }

    #[test]
    fn a_turn_that_ended_well_leaves_nothing_open_and_a_failed_one_waits() {
        let mut turn = Turn::default();
        turn.submitted(prompt(1));
        assert!(turn.ended() && !turn.is_open() && !turn.ended());
        turn.submitted(prompt(2));
        turn.failed();
        assert!(!turn.ended() && turn.is_open());
        turn.submitted(prompt(3));
        assert_eq!(worked(&turn.take(true)), [(3, false)], "someone went on after the failure");
    }

    #[test]
    fn what_nobody_can_see_may_have_happened() {
        let mut turn = Turn::default();
        turn.submitted(prompt(1));
        assert_eq!(worked(&turn.take(false)), [(1, true)]);
    }
}
