//! What a screen shows at one moment, as plain values: rows of text with the few attributes that tell a
//! placeholder from typed text.

/// The attributes of one cell that matter for reading a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// The text's colour.
    pub ink: Ink,
    /// Drawn faint, as placeholders and history are.
    pub dim: bool,
    /// Drawn inverse, as a program draws its own cursor.
    pub inverse: bool,
}

/// The colour of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ink {
    /// The terminal's own.
    #[default]
    Default,
    /// An entry of the palette.
    Index(u8),
    /// Red, green, blue.
    Rgb(u8, u8, u8),
}

impl Ink {
    /// Whether it is a warning colour, red to yellow, in any theme.
    pub fn is_warm(self) -> bool {
        match self {
            Self::Default => false,
            Self::Index(entry) => matches!(entry, 1 | 3 | 9 | 11),
            Self::Rgb(red, green, blue) => red >= green && red > blue.saturating_add(40),
        }
    }
}

/// One row of the screen without its trailing blanks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// The text; a wide character appears once.
    pub text: String,
    /// One style for each `char` of `text`.
    pub styles: Vec<Style>,
    /// Whether the row begins with a background colour of its own.
    pub filled: bool,
}

/// An immutable picture of a screen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    /// All rows, top to bottom.
    pub rows: Vec<Row>,
    /// Columns of the screen.
    pub columns: u16,
    /// Zero-based row and column of the cursor.
    pub cursor: (u16, u16),
    /// Whether the alternate screen is shown.
    pub alternate: bool,
}

impl View {
    /// A picture made of plain rows, for tests and for harnesses without a terminal.
    pub fn of_text(text: &str) -> Self {
        let rows: Vec<Row> = text
            .lines()
            .map(|line| {
                let text = line.trim_end().to_owned();
                let styles = vec![Style::default(); text.chars().count()];
                Row { text, styles, filled: false }
            })
            .collect();
        Self { rows, columns: 100, cursor: (0, 0), alternate: false }
    }

    /// The row's text, empty below the screen.
    pub fn text(&self, row: usize) -> &str {
        self.rows.get(row).map_or("", |r| r.text.as_str())
    }

    /// The whole screen as lines of text without the blank rows at its end.
    pub fn contents(&self) -> String {
        let used = self.rows.iter().rposition(|r| !r.text.is_empty()).map_or(0, |last| last + 1);
        self.rows.iter().take(used).map(|r| r.text.as_str()).collect::<Vec<_>>().join("\n")
    }
}
