//! What one control frame, response or line says, taken apart but not yet judged.

use crate::failover::failure::Harmless;
use crate::failover::observation::{Endpoint, Headers};
use crate::failover::reset::Hint;

/// What an observation turned out to be.
#[derive(Debug, Clone)]
pub(super) enum Reading {
    /// No failure.
    Harmless(Harmless),
    /// Something went wrong and the harness is still trying.
    Progress(Signal),
    /// Something went wrong.
    Failed(Signal),
}

impl Reading {
    /// The harness says that a turn ended well, so what went wrong before did no harm.
    pub(super) const SUCCESS: Self = Self::Harmless(Harmless::Success);
    /// Agent, tool or person speaking.
    pub(super) const CONTENT: Self = Self::Harmless(Harmless::Content);
    /// The harness or provider reporting.
    pub(super) const NOTICE: Self = Self::Harmless(Harmless::Notice);
}

/// The parts of a message that rules look at.
#[derive(Debug, Clone, Default)]
pub(super) struct Signal {
    /// Typed codes in canonical spelling.
    pub(super) codes: Vec<String>,
    /// The status, typed or read out of the message.
    pub(super) status: Option<u16>,
    /// Response headers.
    pub(super) headers: Headers,
    /// What was said, in plain text.
    pub(super) text: String,
    /// The same before it was taken out of its dress, which may say when to try again.
    pub(super) dressed: Option<String>,
    /// Which endpoint answered.
    pub(super) endpoint: Option<Endpoint>,
    /// Which provider answered.
    pub(super) provider: Option<String>,
    /// The model that the body names.
    pub(super) model: Option<String>,
    /// Typed reset times.
    pub(super) resets: Vec<Hint>,
    /// Who speaks.
    pub(super) voice: Voice,
    /// The harness is only reconnecting its stream; what it says of the cause is a guess.
    pub(super) reconnecting: bool,
}

/// Who speaks; it bounds how strong the evidence can be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Voice {
    /// The provider, in a response that was seen as such.
    Response,
    /// The harness, in a frame that ends the turn.
    #[default]
    FinalFrame,
    /// The harness, in a frame that it may recover from.
    Frame,
    /// The harness, in words of its own that need not be about a failure.
    Aside,
    /// A terminal, in words that only the harness dresses like this.
    DressedLine,
    /// A terminal.
    Line,
}

impl Signal {
    /// Adds a typed code, in canonical spelling.
    pub(super) fn code(&mut self, code: &str) {
        let code = canonical_code(code);
        if !code.is_empty() && !self.codes.contains(&code) {
            self.codes.push(code);
        }
    }

    /// Adds a sentence to the message.
    pub(super) fn say(&mut self, text: &str) {
        if text.is_empty() || self.text.contains(text) {
            return;
        }
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(text);
    }
}

/// One spelling for `refresh_token_reused`, `refreshTokenReused` and `REFRESH-TOKEN-REUSED`.
pub(super) fn canonical_code(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}
