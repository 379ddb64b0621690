//! What the holder keeps for the next daemon: the screen as it was at an offset, and what the harness had last said of
//! itself, so that adopting a run need not read all of its output again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::harness::osc::{self, Reported, StatusCommand, StatusReport};
use crate::harness::screen::Checkpoint;
use crate::holder::wire::MAX_NOTE;

/// A picture of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The screen.
    pub screen: Checkpoint,
    /// The window title.
    pub title: String,
    /// The harness's last report about itself.
    pub report: Option<StatusReport>,
}

/// Everything but the screen's bytes, which follow.
#[derive(Serialize, Deserialize)]
struct Head {
    offset: u64,
    title: String,
    report: Option<String>,
}

impl Picture {
    /// The picture as a note: the head's length, the head in JSON, the screen's bytes. `None` if the holder would not
    /// take a note of that size.
    pub fn to_note(&self) -> Option<Vec<u8>> {
        let head = Head {
            offset: self.screen.offset,
            title: self.title.clone(),
            report: self.report.as_ref().map(payload),
        };
        let head = serde_json::to_vec(&head).ok()?;
        let length = u32::try_from(head.len()).ok()?;
        let note = [&length.to_be_bytes(), head.as_slice(), &self.screen.bytes].concat();
        (note.len() <= MAX_NOTE).then_some(note)
    }

    /// Reads a note; `None` if it is none that this version knows.
    pub fn of_note(note: &[u8]) -> Option<Self> {
        let (length, rest) = note.split_first_chunk::<4>()?;
        let (head, bytes) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        let Head { offset, title, report } = serde_json::from_slice(head).ok()?;
        let report = report.and_then(|payload| match osc::parse(payload.as_bytes()) {
            Some(StatusCommand::Report(report)) => Some(report),
            _ => None,
        });
        Some(Self { screen: Checkpoint { bytes: bytes.to_vec(), offset }, title, report })
    }
}

/// A report in the form in which the harness sent it.
fn payload(report: &StatusReport) -> String {
    let (state, kind) = match &report.state {
        Reported::Idle => ("idle", None),
        Reported::Working => ("working", None),
        Reported::Done => ("done", None),
        Reported::Error => ("error", None),
        Reported::Blocked(kind) => ("blocked", kind.as_deref()),
        Reported::Clear => ("clear", None),
        Reported::Other(word) => (word.as_str(), None),
    };
    let mut payload = format!("{};state={state}", osc::STATUS_CODE);
    for (name, value) in [("app", report.app.as_deref()), ("kind", kind)] {
        if let Some(value) = value {
            payload.push_str(&format!(":{name}={value}"));
        }
    }
    if let Some(message) = &report.message {
        payload.push_str(&format!(":msg={}", STANDARD.encode(message)));
    }
    payload
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_picture_survives_as_a_note() {
        let states = [
            Reported::Idle,
            Reported::Working,
            Reported::Done,
            Reported::Error,
            Reported::Blocked(None),
            Reported::Blocked(Some("auth".into())),
            Reported::Clear,
            Reported::Other("pondering".into()),
        ];
        for state in states {
            let report = StatusReport { state, app: Some("codex".into()), message: Some("it's: so".into()) };
            let picture = Picture {
                screen: Checkpoint { bytes: b"\x1b[Hhello".to_vec(), offset: 1 << 40 },
                title: "✳ title".into(),
                report: Some(report),
            };
            assert_eq!(Picture::of_note(&picture.to_note().unwrap()), Some(picture));
        }
    }

    proptest! {
        #[test]
        fn any_note_is_safe_to_read(note in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Picture::of_note(&note);
        }
    }
}
