//! Questions that a program asks its terminal, and the answers Posthouse gives in the terminal's stead.
//!
//! The daemon is the terminal: viewers' own replies are dropped, so that nobody answers twice. Every query has
//! the absolute offset of its end; the holder remembers the offset answered up to, and a replayed query at or
//! below it stays unanswered.

use super::escape::{Found, Sequence};
use super::osc::{self, StatusCommand};

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// `ESC]7501;?`: are status reports understood?
    StatusReports,
    /// DA1, `CSI c`.
    PrimaryAttributes,
    /// DA2, `CSI > c`.
    SecondaryAttributes,
    /// XTVERSION, `CSI > q`.
    Version,
    /// Kitty keyboard flags, `CSI ? u`.
    KittyKeyboard,
    /// CPR, `CSI 6 n`.
    CursorPosition,
    /// DSR, `CSI 5 n`.
    OperatingStatus,
    /// OSC 10: the default text colour.
    Foreground,
    /// OSC 11: the default background.
    Background,
    /// OSC 4: one colour of the palette.
    Palette(u8),
    /// DECRQM of a private mode, `CSI ? n $ p`.
    PrivateMode(u16),
    /// XTWINOPS 18: the text area in cells.
    TextAreaCells,
    /// XTGETTCAP: a termcap entry.
    Termcap,
}

/// A question and where it ended in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// What was asked.
    pub question: Question,
    /// Absolute offset just behind the query.
    pub end: u64,
}

/// What an answer depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerContext {
    /// Zero-based row and column of the cursor.
    pub cursor: (u16, u16),
    /// Rows and columns of the screen.
    pub size: (u16, u16),
    /// Whether bracketed paste is switched on.
    pub bracketed_paste: bool,
    /// Whether the question is fresh. A late answer to XTVERSION is taken for typing by some harnesses, so it
    /// is only given when this is set.
    pub fresh: bool,
}

/// Bytes to write to the program, and the offset up to which its questions are now answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The replies, in an order every known harness accepts.
    pub bytes: Vec<u8>,
    /// End offset of the last question covered.
    pub through: u64,
}

/// Recognises a question.
pub fn recognise(found: &Found<'_>) -> Option<Query> {
    let question = match found.sequence {
        Sequence::Csi { params, intermediates, last } => control(params, intermediates, last)?,
        Sequence::Osc(payload) => command(payload)?,
        Sequence::Dcs(payload) => payload.starts_with(b"+q").then_some(Question::Termcap)?,
        Sequence::Escape { .. } | Sequence::Other => return None,
    };
    Some(Query { question, end: found.end })
}

fn control(params: &[u8], intermediates: &[u8], last: u8) -> Option<Question> {
    match (params, intermediates, last) {
        (b"" | b"0", b"", b'c') => Some(Question::PrimaryAttributes),
        (b">" | b">0", b"", b'c') => Some(Question::SecondaryAttributes),
        (b">" | b">0", b"", b'q') => Some(Question::Version),
        (b"?", b"", b'u') => Some(Question::KittyKeyboard),
        (b"6" | b"?6", b"", b'n') => Some(Question::CursorPosition),
        (b"5", b"", b'n') => Some(Question::OperatingStatus),
        (b"18", b"", b't') => Some(Question::TextAreaCells),
        ([b'?', mode @ ..], b"$", b'p') => Some(Question::PrivateMode(number(mode)?)),
        _ => None,
    }
}

fn command(payload: &[u8]) -> Option<Question> {
    match payload {
        b"10;?" => Some(Question::Foreground),
        b"11;?" => Some(Question::Background),
        [b'4', b';', index @ .., b';', b'?'] => Some(Question::Palette(number(index)?)),
        _ => (osc::parse(payload) == Some(StatusCommand::Asked)).then_some(Question::StatusReports),
    }
}

fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Answers `queries` in one write. `None` when there is nothing to write and nothing to remember.
///
/// Replies come in the order asked, except that the status report's comes first: claude listens for it only
/// until it has seen the reply to DA1.
pub fn answer(queries: &[Query], context: AnswerContext) -> Option<Answer> {
    let through = queries.iter().map(|q| q.end).max()?;
    let mut bytes = Vec::new();
    let (first, rest): (Vec<&Query>, Vec<&Query>) =
        queries.iter().partition(|q| q.question == Question::StatusReports);
    for query in first.into_iter().chain(rest) {
        if let Some(reply) = reply(query.question, context) {
            bytes.extend_from_slice(reply.as_bytes());
        }
    }
    Some(Answer { bytes, through })
}

fn reply(question: Question, context: AnswerContext) -> Option<String> {
    let (row, column) = context.cursor;
    Some(match question {
        Question::StatusReports => "\x1b]7501;?\x1b\\".to_owned(),
        // A VT220 with colour: modest, and accepted by every harness seen so far.
        Question::PrimaryAttributes => "\x1b[?62;22c".to_owned(),
        Question::SecondaryAttributes => "\x1b[>1;0;0c".to_owned(),
        Question::Version => {
            if !context.fresh {
                return None;
            }
            concat!("\x1bP>|posthouse(", env!("CARGO_PKG_VERSION"), ")\x1b\\").to_owned()
        }
        // Silence means "not supported": keys are sent in their classic form only.
        Question::KittyKeyboard => return None,
        Question::CursorPosition => {
            let column = column.min(context.size.1.saturating_sub(1));
            format!("\x1b[{};{}R", row.saturating_add(1), column.saturating_add(1))
        }
        Question::OperatingStatus => "\x1b[0n".to_owned(),
        Question::Foreground => "\x1b]10;rgb:ffff/ffff/ffff\x1b\\".to_owned(),
        Question::Background => "\x1b]11;rgb:0000/0000/0000\x1b\\".to_owned(),
        Question::Palette(index) => {
            let (r, g, b) = palette(index);
            format!("\x1b]4;{index};rgb:{r:02x}{r:02x}/{g:02x}{g:02x}/{b:02x}{b:02x}\x1b\\")
        }
        Question::PrivateMode(2004) => {
            format!("\x1b[?2004;{}$y", if context.bracketed_paste { 1 } else { 2 })
        }
        Question::PrivateMode(mode) => format!("\x1b[?{mode};0$y"),
        Question::TextAreaCells => format!("\x1b[8;{};{}t", context.size.0, context.size.1),
        Question::Termcap => "\x1bP0+r\x1b\\".to_owned(),
    })
}

/// xterm's default palette.
fn palette(index: u8) -> (u8, u8, u8) {
    const NAMED: [(u8, u8, u8); 16] = [
        (0x00, 0x00, 0x00),
        (0xcd, 0x00, 0x00),
        (0x00, 0xcd, 0x00),
        (0xcd, 0xcd, 0x00),
        (0x00, 0x00, 0xee),
        (0xcd, 0x00, 0xcd),
        (0x00, 0xcd, 0xcd),
        (0xe5, 0xe5, 0xe5),
        (0x7f, 0x7f, 0x7f),
        (0xff, 0x00, 0x00),
        (0x00, 0xff, 0x00),
        (0xff, 0xff, 0x00),
        (0x5c, 0x5c, 0xff),
        (0xff, 0x00, 0xff),
        (0x00, 0xff, 0xff),
        (0xff, 0xff, 0xff),
    ];
    let level = |n: u8| if n == 0 { 0 } else { 55 + n * 40 };
    match index {
        0..=15 => NAMED.get(usize::from(index)).copied().unwrap_or_default(),
        16..=231 => {
            let n = index - 16;
            (level(n / 36), level(n / 6 % 6), level(n % 6))
        }
        232..=255 => {
            let grey = 8 + (index - 232) * 10;
            (grey, grey, grey)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::escape::EscapeScanner;
    use super::*;

    fn asked(stream: &[u8]) -> Vec<Query> {
        let mut queries = Vec::new();
        EscapeScanner::new(0).scan(stream, |f| queries.extend(recognise(&f)));
        queries
    }

    fn context(fresh: bool) -> AnswerContext {
        AnswerContext { cursor: (4, 9), size: (30, 100), bracketed_paste: true, fresh }
    }

    #[test]
    fn codex_start_up_is_answered_in_order() {
        let queries = asked(b"\x1b[?u\x1b[c\x1b[6n\x1b]10;?\x1b\\\x1b]11;?\x1b\\");
        let answer = answer(&queries, context(true)).unwrap();
        assert_eq!(
            String::from_utf8(answer.bytes).unwrap(),
            "\x1b[?62;22c\x1b[5;10R\x1b]10;rgb:ffff/ffff/ffff\x1b\\\x1b]11;rgb:0000/0000/0000\x1b\\"
        );
    }

    #[test]
    fn the_status_answer_precedes_da1_whatever_the_order_asked() {
        for stream in [&b"\x1b[>0q\x1b[?u\x1b]7501;?\x07\x1b[c"[..], &b"\x1b[c\x1b]7501;?\x07"[..]] {
            let bytes = answer(&asked(stream), context(false)).unwrap().bytes;
            assert!(bytes.starts_with(b"\x1b]7501;?\x1b\\"), "{bytes:?}");
            assert!(bytes.ends_with(b"\x1b[?62;22c"), "{bytes:?}");
        }
    }

    #[test]
    fn a_late_version_query_is_covered_but_not_answered() {
        let queries = asked(b"\x1b[>q");
        assert_eq!(answer(&queries, context(false)), Some(Answer { bytes: Vec::new(), through: 4 }));
        assert!(answer(&queries, context(true)).unwrap().bytes.starts_with(b"\x1bP>|posthouse("));
    }

    #[test]
    fn ordinary_output_asks_nothing() {
        assert_eq!(
            asked(b"\x1b[?2004h\x1b[31mtext\x1b[0m\x1b]0;6n\x07\x1b[2J\x1b[>7u\x1b[<u\x1b[18;1H"),
            vec![]
        );
        assert_eq!(answer(&[], context(true)), None);
    }

    #[test]
    fn opencode_start_up_is_answered() {
        let queries = asked(b"\x1b[?2004$p\x1b[?1016$p\x1b]4;0;?\x07\x1bP+q4d73\x1b\\\x1b[18t");
        let text = String::from_utf8(answer(&queries, context(true)).unwrap().bytes).unwrap();
        insta::assert_snapshot!(text.escape_debug().to_string(), @r"\u{1b}[?2004;1$y\u{1b}[?1016;0$y\u{1b}]4;0;rgb:0000/0000/0000\u{1b}\\\u{1b}P0+r\u{1b}\\\u{1b}[8;30;100t");
    }
}
