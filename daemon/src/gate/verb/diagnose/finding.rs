//! What a look at one thing brings.

use posthouse_protocol::payload::Check;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// All is well; what was seen.
    Good(String),
    /// It works, but not as it should.
    Doubt {
        /// What was seen.
        detail: String,
        /// The command that mends it.
        fix: Option<String>,
    },
    /// It does not work.
    Bad {
        /// What was seen.
        detail: String,
        /// The command that mends it.
        fix: Option<String>,
    },
}

impl Finding {
    /// It works, but not as it should.
    pub(super) fn doubt(detail: impl Into<String>, fix: Option<String>) -> Self {
        Self::Doubt { detail: detail.into(), fix }
    }

    /// It does not work.
    pub(super) fn bad(detail: impl Into<String>, fix: Option<String>) -> Self {
        Self::Bad { detail: detail.into(), fix }
    }

    /// The same as a check of this name.
    pub(super) fn of(self, name: impl Into<String>) -> Check {
        let (outcome, detail, fix) = match self {
            Self::Good(detail) => ("ok", detail, None),
            Self::Doubt { detail, fix } => ("warning", detail, fix),
            Self::Bad { detail, fix } => ("failed", detail, fix),
        };
        Check { name: name.into(), outcome: outcome.to_owned(), detail, fix }
    }
}
