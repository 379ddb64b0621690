//! What the injector is shown of a harness at one moment.

/// The whole of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Whether input may be given.
    pub gate: Gate,
    /// What is in the composer.
    pub composer: Composer,
    /// Whether someone's half-typed line is there, by the keys they sent or by what the composer shows.
    pub drafting: bool,
    /// Whether the prompt under way is shown outside of the composer.
    pub shown: bool,
    /// Whether the screen has come to rest, so that the composer may be judged.
    pub settled: bool,
}

/// Whether a harness takes input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// There is no harness to type to; the words say why: `starting`, `parked until …`.
    Away(String),
    /// Nothing tells, and output has not rested for the definition's quiet time.
    Unknown,
    /// It waits for input.
    Ready,
    /// It works on a turn.
    Busy,
    /// It waits for a person; the word says for what.
    Blocked(String),
    /// Its turn seems to have failed, and what follows from that is not decided yet.
    Failing,
}

/// What is in the composer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Composer {
    /// It can't be told.
    Unknown,
    /// Nothing.
    Empty,
    /// The prompt under way, or what the harness shows in place of a long paste.
    Ours,
    /// Something else.
    Other,
}

impl Sight {
    /// Before anything is seen.
    pub fn away(why: &str) -> Self {
        Self {
            gate: Gate::Away(why.to_owned()),
            composer: Composer::Unknown,
            drafting: false,
            shown: false,
            settled: false,
        }
    }

    /// Why a prompt has to wait, as its receipt says it; `None` if it need not.
    pub fn waits_for(&self) -> Option<String> {
        match &self.gate {
            Gate::Away(why) => Some(why.clone()),
            Gate::Blocked(what) => Some(format!("blocked: {what}")),
            Gate::Failing => Some("a failure is being judged".to_owned()),
            _ if self.drafting => Some("drafting".to_owned()),
            Gate::Unknown => Some("readiness unknown".to_owned()),
            Gate::Busy => Some("busy".to_owned()),
            Gate::Ready => None,
        }
    }

    /// Whether a person or a dialog has the keyboard, so that nothing may be written.
    pub fn is_taken(&self) -> bool {
        self.drafting || matches!(self.gate, Gate::Blocked(_) | Gate::Away(_) | Gate::Failing)
    }
}
