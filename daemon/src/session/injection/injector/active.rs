//! How far the prompt that is under way has come.

use std::time::Instant;

use posthouse_protocol::{Evidence, ReceiptState};

use crate::holder::script::OperationId;
use crate::session::injection::operation::Part;
use crate::session::injection::prompt::Prompt;

/// The prompt that is under way.
#[derive(Debug)]
pub(super) enum Active {
    Nothing,
    /// An earlier daemon had begun with it: the holder is asked for its script.
    Asking {
        prompt: Prompt,
        reached: ReceiptState,
    },
    Noting(Prompt),
    Writing(Writing),
    /// A dialog came between text and Enter: the text may be in the composer.
    Stranded(Prompt),
    Confirming(Confirming),
    /// Its run ended.
    Adrift(Prompt),
}

/// A script that was handed to the holder.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) prompt: Prompt,
    pub(super) operation: OperationId,
    pub(super) part: Part,
    pub(super) mid_turn: bool,
    /// `written` has been told.
    pub(super) told: bool,
    pub(super) cancelling: bool,
    /// Enter was not pressed before.
    pub(super) is_first_enter: bool,
    pub(super) proof: Option<Evidence>,
    pub(super) seen_in_composer: bool,
}

/// A submission that waits for evidence.
#[derive(Debug)]
pub(super) struct Confirming {
    pub(super) prompt: Prompt,
    pub(super) since: Instant,
    pub(super) mid_turn: bool,
    pub(super) pressed_again: bool,
    /// The time for a second Enter has come; whether it is pressed depends on what is seen.
    pub(super) overdue: bool,
    pub(super) seen_in_composer: bool,
}

impl Active {
    /// Which prompt it is.
    pub(super) fn prompt(&self) -> Option<&Prompt> {
        match self {
            Self::Nothing => None,
            Self::Asking { prompt, .. }
            | Self::Noting(prompt)
            | Self::Writing(Writing { prompt, .. })
            | Self::Stranded(prompt)
            | Self::Confirming(Confirming { prompt, .. })
            | Self::Adrift(prompt) => Some(prompt),
        }
    }

    /// Its run ended. A prompt that was only noted can be put back; any other may have reached the harness.
    pub(super) fn run_ended(self) -> (Self, Option<Prompt>) {
        match self {
            Self::Nothing => (Self::Nothing, None),
            Self::Noting(prompt) => (Self::Nothing, Some(prompt)),
            Self::Asking { prompt, .. }
            | Self::Writing(Writing { prompt, .. })
            | Self::Stranded(prompt)
            | Self::Confirming(Confirming { prompt, .. })
            | Self::Adrift(prompt) => (Self::Adrift(prompt), None),
        }
    }
}
