//! How a harness's screen is read, as data: signs of its state, its composer, its login screens and the lines in
//! which it tells of failures.

use serde::{Deserialize, Deserializer};

use super::pattern::Pattern;

/// A sign on the screen or in the title that says what the harness is doing. A sign of being blocked counts only
/// while no composer is shown: a dialog takes its place, and prose that quotes a dialog doesn't.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marker {
    /// What it says.
    pub state: MarkedState,
    /// For a blocked harness, what it waits for: `permission`, `trust`, `login` or any other word.
    #[serde(default)]
    pub kind: Option<String>,
    /// Where to look.
    #[serde(rename = "in")]
    pub place: Place,
    /// What to look for, row by row.
    #[serde(rename = "match")]
    pub pattern: Pattern,
}

/// The state that a [`Marker`] speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarkedState {
    /// Takes input.
    Ready,
    /// Works on a turn.
    Busy,
    /// Waits for a person.
    Blocked,
}

/// A part of what a harness shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The window title.
    Title,
    /// Every row.
    Screen,
    /// The rows below the composer, or the last three that aren't blank if no composer is shown.
    Footer,
    /// The last rows that aren't blank, so many.
    Last(u8),
    /// The rows directly above the composer that aren't blank, so many.
    Above(u8),
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let counted = |rest: &str| rest.trim().parse::<u8>().ok().filter(|n| *n > 0);
        match text.as_str() {
            "title" => Some(Self::Title),
            "screen" => Some(Self::Screen),
            "footer" => Some(Self::Footer),
            other => match other.split_once(' ') {
                Some(("last", rest)) => counted(rest).map(Self::Last),
                Some(("above", rest)) => counted(rest).map(Self::Above),
                _ => None,
            },
        }
        .ok_or_else(|| serde::de::Error::custom("expected title, screen, footer, `last N` or `above N`"))
    }
}

/// How to find the rows in which a message is being typed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComposerRules {
    /// The composer's first row; the group `text` is what is typed there.
    pub prompt: Pattern,
    /// Whether the prompt's first character is drawn bright. Some harnesses show history with the same glyph,
    /// drawn dim.
    #[serde(default)]
    pub bright_glyph: bool,
    /// What the row above the first one looks like.
    #[serde(default)]
    pub above: Option<Pattern>,
    /// The row that ends the composer. Without it, the composer ends with its background colour, or at a blank
    /// row if it has none.
    #[serde(default)]
    pub end: Option<Pattern>,
    /// What the row after the end looks like.
    #[serde(default)]
    pub below: Option<Pattern>,
    /// Rows before the end that are no text.
    #[serde(default)]
    pub skip_last: u8,
    /// What further rows are indented with; removed from their text.
    #[serde(default)]
    pub indent: Option<Pattern>,
    /// Texts that an empty composer shows. Dim text is known for a placeholder anyway.
    #[serde(default)]
    pub placeholders: Vec<Pattern>,
    /// What the composer shows in place of a long paste; the group `chars` is the paste's length in characters.
    #[serde(default)]
    pub pasted: Option<Pattern>,
}

/// A screen that asks for a login: all patterns match some row, and no composer is shown.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginScreen {
    /// Its name in reports.
    pub name: String,
    /// What it shows.
    pub all: Vec<Pattern>,
}

/// A line in which the harness itself tells of a failure. It is terminal text: evidence that needs another.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeRule {
    /// Its name in reports, usually the glyph.
    pub marker: String,
    /// The line; the group `text` is the sentence.
    #[serde(rename = "match")]
    pub pattern: Pattern,
    /// The group that must be drawn in one warning colour (red to yellow). Prose is not, whatever it says.
    #[serde(default)]
    pub warm: Option<String>,
    /// Where to look; everything above the composer if not said.
    #[serde(default, rename = "in")]
    pub place: Option<Place>,
}
