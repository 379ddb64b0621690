//! What a screen shows at one moment, as plain values: rows of text with the few attributes that tell a
//! placeholder from typed text.

/// The attributes of one cell that matter for reading a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Drawn faint, as placeholders and history are.
    pub dim: bool,
    /// Drawn inverse, as a program draws its own cursor.
    pub inverse: bool,
}

/// One row of the screen without its trailing blanks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// The text; a wide character appears once.
    pub text: String,
    /// One style for each `char` of `text`.
    pub styles: Vec<Style>,
    /// Whether the terminal itself continued this row on the next one.
    pub wrapped: bool,
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
                Row { text, styles, wrapped: false }
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
