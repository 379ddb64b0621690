//! Text of others on the user's terminal: no control character of a body, name or title gets there.

/// One line: control characters, line ends included, become visible.
pub fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { visible(c) } else { c.to_string() }).collect()
}

/// Several lines: line ends and tabs stay, other control characters become visible.
pub fn block(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\n' && c != '\t' { visible(c) } else { c.to_string() })
        .collect()
}

/// At most `width` characters of the first line, with an ellipsis where something is left out.
pub fn brief(text: &str, width: usize) -> String {
    let first = text.lines().next().unwrap_or_default();
    let shown: String = line(first).chars().take(width).collect();
    let whole = shown.chars().count() == line(first).chars().count() && text.lines().count() <= 1;
    if whole { shown } else { shown.chars().take(width.saturating_sub(1)).collect::<String>() + "…" }
}

fn visible(c: char) -> String {
    match c {
        '\n' => "␤".to_owned(),
        '\r' => "␍".to_owned(),
        '\t' => "␉".to_owned(),
        '\x1b' => "␛".to_owned(),
        other => format!("\\x{:02x}", u32::from(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_cursor_gets_through() {
        let hostile = "a\x1b[31mb\u{9b}2Jc\x07\r\nd\te\x7f";
        assert_eq!(line(hostile), "a␛[31mb\\x9b2Jc\\x07␍␤d␉e\\x7f");
        assert_eq!(block("a\n\tb\x1b"), "a\n\tb␛");
        assert!(line(hostile).chars().all(|c| !c.is_control()));
    }

    #[test]
    fn brief_shows_that_it_left_something_out() {
        assert_eq!(brief("short", 10), "short");
        assert_eq!(brief("one\ntwo", 10), "one…");
        assert_eq!(brief("0123456789ab", 10), "012345678…");
    }
}
