//! Aligned columns, and colour where a person looks.

/// Colours that are empty where nobody would see them.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    /// Whether to colour.
    pub on: bool,
}

/// What a word means to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// All is well.
    Good,
    /// Worth a look.
    Warn,
    /// Needs someone.
    Bad,
    /// Beside the point.
    Dim,
    /// A heading.
    Head,
}

impl Paint {
    /// `text` in the colour of `tone`.
    pub fn tone(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Good => "32",
            Tone::Warn => "33",
            Tone::Bad => "31",
            Tone::Dim => "2",
            Tone::Head => "1",
        };
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// One cell.
pub type Cell = (Tone, String);

/// A plain cell.
pub fn cell(text: impl Into<String>) -> Cell {
    (Tone::Plain, text.into())
}

/// Rows under a heading, each column as wide as its widest cell. Cells must be free of control characters.
pub fn render(paint: Paint, head: &[&str], rows: &[Vec<Cell>]) -> String {
    let heading: Vec<Cell> = head.iter().map(|word| (Tone::Head, (*word).to_owned())).collect();
    let all = || std::iter::once(&heading).chain(rows);
    let width = |column: usize| {
        all().filter_map(|row| row.get(column)).map(|(_, text)| text.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut lines = Vec::new();
    for row in all() {
        let mut line = String::new();
        for (column, (tone, text)) in row.iter().enumerate() {
            let last = column + 1 == row.len();
            let gap = widths.get(column).copied().unwrap_or(0).saturating_sub(text.chars().count());
            line.push_str(&paint.tone(*tone, text));
            if !last {
                line.push_str(&" ".repeat(gap + 2));
            }
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = vec![vec![cell("a"), (Tone::Bad, "failed".into())], vec![cell("longer"), cell("x")]];
        let text = render(Paint { on: false }, &["NAME", "STATE"], &rows);
        assert_eq!(text, "NAME    STATE\na       failed\nlonger  x");
        assert!(render(Paint { on: true }, &["NAME", "STATE"], &rows).contains("\x1b[31mfailed\x1b[0m"));
    }
}
