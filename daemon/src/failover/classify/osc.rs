//! The status that harnesses write to their terminal: `ESC ] 7501 ; state=…:app=…[:kind=…][:msg=…]`.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::signal::{Reading, Signal, Voice};
use super::text::plain;

/// Reads one status. Only the harness's own `app` counts; programs that it runs may write one too.
pub(super) fn read(harness: &str, raw: &str, mut signal: Signal) -> Reading {
    let body = raw.trim_start_matches('\u{1b}').trim_start_matches(']').trim_start_matches("7501;");
    let body = body.trim_end_matches(['\u{7}', '\\', '\u{1b}', '\u{9c}']);
    let field = |name: &str| body.split(':').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    let own = match harness {
        "codex" => Some("codex"),
        "claude" => Some("claude-code"),
        _ => None,
    };
    if own.is_some() && field("app").is_some() && field("app") != own {
        return Reading::CONTENT;
    }
    signal.voice = Voice::DressedLine;
    if let Some(message) = field("msg") {
        let bytes = STANDARD.decode(message).or_else(|_| STANDARD_NO_PAD.decode(message)).unwrap_or_default();
        signal.say(&plain(&String::from_utf8_lossy(&bytes)));
    }
    match (field("state"), field("kind")) {
        (Some("blocked"), Some("auth")) => {
            signal.code("authentication_failed");
            Reading::Failed(signal)
        }
        (Some("error"), _) => Reading::Failed(signal),
        _ => Reading::NOTICE,
    }
}
