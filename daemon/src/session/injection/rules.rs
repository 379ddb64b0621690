//! How one harness is typed to: what its definition says, in the injector's terms.

use std::time::Duration;

use super::framing::Framing;
use super::prompt::Prompt;
use crate::harness::definition::{Definition, MidTurn, Paste, TranscriptKind};
use crate::holder::script::Step;

/// What opens a bracketed paste.
const PASTE_BEGIN: &[u8] = b"\x1b[200~";
/// What ends a bracketed paste.
pub const PASTE_END: &[u8] = b"\x1b[201~";
/// Text is long, and needs the longer gap, from so many bytes on.
const LONG: usize = 256;
/// Evidence may take this many times as long as a second Enter waits: conversation files are written late on a busy
/// machine, and `uncertain` is final.
const PATIENCE: u32 = 8;

/// How a harness is typed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether text is wrapped in a bracketed paste.
    pub paste: bool,
    /// What passes between a short text and Enter.
    pub gap: Duration,
    /// The same for text of several lines or more than 256 bytes.
    pub long_gap: Duration,
    /// What has to stand around a body.
    pub framing: Framing,
    /// The key that submits.
    pub enter: Vec<u8>,
    /// Whether Enter is of use while a turn runs.
    pub mid_turn: bool,
    /// How a submission is confirmed.
    pub confirm: Confirm,
}

/// How a submission is confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirm {
    /// There is nothing to see: what the terminal took counts as delivered.
    Holder,
    /// The harness shows it.
    Evidence {
        /// Enter is pressed once more if the composer still shows our text after this; `None` for never.
        again_after: Option<Duration>,
        /// Without evidence by then the message is `uncertain`.
        within: Duration,
        /// How long a turn that began may take to show itself.
        turn_shows_within: Duration,
    },
}

impl Rules {
    /// Rules for a session that has no run and will be given others before it has one.
    pub fn unknown() -> Self {
        Self {
            paste: false,
            gap: Duration::ZERO,
            long_gap: Duration::ZERO,
            framing: Framing::default(),
            enter: b"\r".to_vec(),
            mid_turn: false,
            confirm: Confirm::Holder,
        }
    }

    /// The rules of a harness.
    pub fn of(definition: &Definition) -> Self {
        let injection = &definition.injection;
        let shows = definition.status.is_some()
            || definition.composer.is_some()
            || definition.transcript != TranscriptKind::None;
        Self {
            paste: injection.paste == Paste::Bracketed,
            gap: injection.gap,
            long_gap: injection.long_gap,
            framing: Framing {
                closing_line: injection.closing_line,
                composes_below: usize::from(injection.composes_below_lines),
            },
            enter: injection.enter.clone().into_bytes(),
            mid_turn: injection.mid_turn != MidTurn::None,
            confirm: if shows {
                Confirm::Evidence {
                    again_after: injection.may_press_enter_again.then_some(injection.confirm),
                    within: injection.confirm * PATIENCE,
                    turn_shows_within: injection.confirm,
                }
            } else {
                Confirm::Holder
            },
        }
    }

    /// The script that types a prompt and submits it, all in one operation.
    pub fn script(&self, prompt: &Prompt) -> Vec<Step> {
        self.script_of(&self.framing.apply(prompt))
    }

    fn script_of(&self, text: &str) -> Vec<Step> {
        let mut body = Vec::with_capacity(text.len() + PASTE_BEGIN.len() + PASTE_END.len());
        if self.paste {
            body.extend_from_slice(PASTE_BEGIN);
        }
        body.extend_from_slice(text.as_bytes());
        if self.paste {
            body.extend_from_slice(PASTE_END);
        }
        let gap = if text.len() > LONG || text.contains('\n') { self.long_gap } else { self.gap };
        vec![Step::Bytes(body), Step::Wait(gap), Step::Bytes(self.enter.clone())]
    }

    /// The script that submits what is in the composer.
    pub fn press_enter(&self) -> Vec<Step> {
        vec![Step::Bytes(self.enter.clone())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules {
            paste: true,
            gap: Duration::from_millis(30),
            long_gap: Duration::from_millis(300),
            framing: Framing::default(),
            enter: b"\r".to_vec(),
            mid_turn: true,
            confirm: Confirm::Holder,
        }
    }

    #[test]
    fn text_and_enter_are_one_script_with_a_gap_that_fits() {
        let enter = Step::Bytes(b"\r".to_vec());
        assert_eq!(
            rules().script_of("hi"),
            [Step::Bytes(b"\x1b[200~hi\x1b[201~".to_vec()), Step::Wait(Duration::from_millis(30)), enter]
        );
        assert_eq!(rules().script_of("a\nb")[1], Step::Wait(Duration::from_millis(300)));
        assert_eq!(rules().script_of(&"x".repeat(300))[1], Step::Wait(Duration::from_millis(300)));
    }
}
