//! Status reports that a harness makes about itself over the terminal: `ESC ] 7501 ; state=… : app=… …`.
//!
//! The payload is `key=value` fields joined by colons; `msg` is base64. What is read here came from inside a
//! terminal and is therefore bounded, and only reports that name the definition's own `app` are believed by
//! [`readiness`](super::readiness): another harness may be running inside a tool of this one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The operating system command's number.
pub const STATUS_CODE: &str = "7501";

/// Longest decoded `msg` that is kept, in bytes.
const LONGEST_MESSAGE: usize = 2048;

/// Longest `kind` or `app` that is kept, in bytes.
const LONGEST_WORD: usize = 64;

/// What a harness says that it is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reported {
    /// Waiting for input, nothing has happened yet or the last result was seen.
    Idle,
    /// Working on a turn.
    Working,
    /// A turn ended well.
    Done,
    /// A turn ended with an error.
    Error,
    /// Waiting for a person; the kind is the harness's word, e.g. `permission` or `auth`.
    Blocked(Option<String>),
    /// The harness takes its report back, usually on exit.
    Clear,
    /// A state that this version doesn't know.
    Other(String),
}

/// One status report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusReport {
    /// The state.
    pub state: Reported,
    /// Which program says so; absent in some `clear` reports.
    pub app: Option<String>,
    /// The harness's own sentence, decoded and free of control characters.
    pub message: Option<String>,
}

/// What an OSC 7501 payload asks or tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusCommand {
    /// `?`: does this terminal understand status reports?
    Asked,
    /// A report.
    Report(StatusReport),
}

/// Reads an OSC payload (without terminator). `None` if it isn't a well-formed status command.
pub fn parse(payload: &[u8]) -> Option<StatusCommand> {
    let text = std::str::from_utf8(payload).ok()?;
    let body = text.strip_prefix(STATUS_CODE)?.strip_prefix(';')?;
    if body == "?" {
        return Some(StatusCommand::Asked);
    }
    let (mut state, mut app, mut kind, mut message) = (None, None, None, None);
    for field in body.split(':') {
        match field.split_once('=') {
            Some(("state", value)) => state = Some(value),
            Some(("app", value)) => app = word(value),
            Some(("kind", value)) => kind = word(value),
            Some(("msg", value)) => message = sentence(value),
            // A later protocol's field says nothing to us and harms nothing.
            _ => {}
        }
    }
    let state = match state? {
        "idle" => Reported::Idle,
        "working" => Reported::Working,
        "done" => Reported::Done,
        "error" => Reported::Error,
        "blocked" => Reported::Blocked(kind),
        "clear" => Reported::Clear,
        other => Reported::Other(word(other)?),
    };
    Some(StatusCommand::Report(StatusReport { state, app, message }))
}

fn word(value: &str) -> Option<String> {
    let plain = !value.is_empty() && value.len() <= LONGEST_WORD && !value.chars().any(char::is_control);
    plain.then(|| value.to_owned())
}

fn sentence(encoded: &str) -> Option<String> {
    let bytes = STANDARD.decode(encoded).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let mut kept = String::new();
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if kept.len() + c.len_utf8() > LONGEST_MESSAGE {
            break;
        }
        kept.push(c);
    }
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn report(payload: &str) -> StatusReport {
        match parse(payload.as_bytes()) {
            Some(StatusCommand::Report(report)) => report,
            other => panic!("{payload}: {other:?}"),
        }
    }

    #[test]
    fn reads_what_codex_and_claude_send() {
        assert_eq!(parse(b"7501;?"), Some(StatusCommand::Asked));
        assert_eq!(
            report("7501;state=working:app=codex"),
            StatusReport { state: Reported::Working, app: Some("codex".into()), message: None }
        );
        let blocked =
            report("7501;state=blocked:app=claude-code:kind=permission:msg=YXBwcm92ZSBCYXNoOiB0b3VjaCB4Mw==");
        assert_eq!(blocked.state, Reported::Blocked(Some("permission".into())));
        assert_eq!(blocked.message.as_deref(), Some("approve Bash: touch x3"));
        assert_eq!(report("7501;state=clear").app, None);
        assert_eq!(report("7501;state=pondering:app=x").state, Reported::Other("pondering".into()));
    }

    #[test]
    fn control_characters_and_endless_messages_do_not_get_through() {
        let message = format!("a\x1b[31m{}", "x".repeat(9000));
        let got = report(&format!("7501;state=error:app=x:msg={}", STANDARD.encode(message)));
        let message = got.message.unwrap();
        assert!(message.len() <= LONGEST_MESSAGE);
        assert!(!message.contains('\x1b'));
    }

    #[test]
    fn other_commands_and_broken_ones_are_nothing() {
        for payload in ["", "7501", "7501;", "7501;app=codex", "75010;state=idle", "0;title", "7501;state"] {
            assert_eq!(parse(payload.as_bytes()), None, "{payload}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut payload = b"7501;".to_vec();
            payload.extend(bytes);
            let _ = parse(&payload);
        }
    }
}
