//! A run's terminal screen: fed with output, read as a [`View`].
//!
//! Output is drawn lazily. A flood costs little more than finding its line ends, because lines that have
//! already scrolled away when somebody looks are never drawn ([`super::flood`]).

use std::num::NonZeroU16;

use memchr::memmem;

use super::escape::EscapeScanner;
use super::flood::{self, Mark};
use super::view::{Ink, Row, Style, View};

/// Rows of a screen that nobody watches.
pub const DEFAULT_ROWS: u16 = 30;

/// Columns of a screen that nobody watches.
pub const DEFAULT_COLUMNS: u16 = 100;

/// Smallest and largest sides of a screen; requests outside are brought in.
const SIDES: std::ops::RangeInclusive<u16> = 2..=1000;

/// Undrawn output is kept up to this many bytes, then drawn whether or not somebody looks.
const LAZY_BYTES: usize = 128 * 1024;

/// Undrawn output up to this size keeps its allocation; idle sessions must stay small.
const KEPT_BYTES: usize = 4 * 1024;

/// U+FE0F, which asks for the wide emoji form of the character before it.
const EMOJI_SELECTOR: &[u8] = "\u{fe0f}".as_bytes();

/// Everything needed to show the screen again: on a viewer's terminal, or on a fresh [`Screen`] that then reads
/// the stream from `offset`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Terminal output that draws the screen and sets its modes.
    pub bytes: Vec<u8>,
    /// Absolute offset of the first byte of the stream that isn't in the picture.
    pub offset: u64,
}

/// A terminal screen.
pub trait Screen: Send {
    /// Takes output of the run, in order. Any split is fine, also inside characters and sequences.
    fn feed(&mut self, bytes: &[u8]);
    /// Changes the size, within 2..=1000 either way.
    fn resize(&mut self, rows: u16, columns: u16);
    /// Rows and columns.
    fn size(&self) -> (u16, u16);
    /// A number that changes whenever the picture may have changed. Cheap.
    fn generation(&self) -> u64;
    /// The picture now.
    fn view(&mut self) -> View;
    /// Zero-based row and column of the cursor. The column equals the width after the last cell was written.
    fn cursor(&mut self) -> (u16, u16);
    /// Whether the program asked for bracketed paste.
    fn bracketed_paste(&mut self) -> bool;
    /// The picture as terminal output.
    fn checkpoint(&mut self) -> Checkpoint;
}

/// A [`Screen`] on the `vt100` crate.
pub struct VtScreen {
    parser: vt100::Parser,
    escapes: EscapeScanner,
    /// Whether lines may be skipped: only while the whole screen scrolls as one.
    whole_screen_scrolls: bool,
    /// Output not drawn yet; between draws also the beginning of a character whose rest is still to come.
    pending: Vec<u8>,
    marks: Vec<Mark>,
    generation: u64,
}

impl VtScreen {
    /// An empty screen whose first byte has the absolute `offset`. Sides are brought into 2..=1000.
    pub fn new(rows: u16, columns: u16, offset: u64) -> Self {
        Self {
            parser: vt100::Parser::new(side(rows), side(columns), 0),
            escapes: EscapeScanner::new(offset),
            whole_screen_scrolls: true,
            pending: Vec::new(),
            marks: Vec::new(),
            generation: 0,
        }
    }

    /// The screen of a checkpoint, which then reads the stream from the checkpoint's offset.
    pub fn restore(rows: u16, columns: u16, checkpoint: &Checkpoint) -> Self {
        let mut screen = Self::new(rows, columns, checkpoint.offset);
        screen.process(&checkpoint.bytes);
        screen
    }

    fn draw_pending(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let mut pending = std::mem::take(&mut self.pending);
        let whole = pending.len() - unfinished_len(&pending);
        self.draw(pending.get(..whole).unwrap_or_default());
        pending.drain(..whole);
        pending.shrink_to(KEPT_BYTES);
        self.pending = pending;
    }

    fn draw(&mut self, bytes: &[u8]) {
        let base = self.escapes.offset();
        let rows = self.size().0;
        let mut marks = std::mem::take(&mut self.marks);
        marks.clear();
        self.escapes.scan(bytes, |found| marks.push(Mark::of(&found, base, rows)));
        let whole =
            self.escapes.unfinished().map_or(bytes.len(), |start| start.saturating_sub(base) as usize);

        let mut drawn = 0;
        for run in flood::runs(&marks, whole, &mut self.whole_screen_scrolls) {
            self.process(bytes.get(drawn..run.bytes.start).unwrap_or_default());
            drawn = run.bytes.start;
            // Down to the last row, and from there a screenful.
            let below = rows.saturating_sub(self.parser.screen().cursor_position().0 + 1);
            let lines = usize::from(rows) + usize::from(below);
            let Some(skip) = flood::skip(bytes, &marks, &run, lines) else { continue };
            for mark in marks.get(skip.colours).unwrap_or_default() {
                self.process(bytes.get(mark.bytes.clone()).unwrap_or_default());
            }
            // The next kept line starts in column 0, as it would have.
            self.process(b"\r");
            drawn = skip.to;
        }
        self.process(bytes.get(drawn..).unwrap_or_default());
        if marks.capacity() * size_of::<Mark>() <= KEPT_BYTES {
            self.marks = marks;
        }
    }

    /// Gives the parser whole characters.
    ///
    /// It panics over an emoji variation selector behind a character in the last column, which would have to grow
    /// over the edge: such a selector is left out.
    fn process(&mut self, bytes: &[u8]) {
        let mut from = 0;
        for at in memmem::find_iter(bytes, EMOJI_SELECTOR) {
            self.parser.process(bytes.get(from..at).unwrap_or_default());
            let screen = self.parser.screen();
            let at_edge = screen.cursor_position().1 >= screen.size().1.get();
            from = if at_edge { at + EMOJI_SELECTOR.len() } else { at };
        }
        self.parser.process(bytes.get(from..).unwrap_or_default());
    }

    /// Offset of the first byte that has not taken effect yet.
    fn effective_offset(&self) -> u64 {
        self.escapes.unfinished().unwrap_or(self.escapes.offset())
    }

    fn read_row(screen: &vt100::Screen, row: u16, columns: u16) -> Row {
        let filled = screen.cell(row, 0).is_some_and(|cell| cell.bgcolor() != vt100::Color::Default);
        let mut read = Row { filled, ..Row::default() };
        for column in 0..columns {
            let Some(cell) = screen.cell(row, column) else { break };
            if cell.is_wide_continuation() {
                continue;
            }
            let style = Style { ink: ink(cell.fgcolor()), dim: cell.dim(), inverse: cell.inverse() };
            let text = if cell.has_contents() { cell.contents() } else { " " };
            read.text.push_str(text);
            read.styles.extend(std::iter::repeat_n(style, text.chars().count()));
        }
        let used = read.text.trim_end_matches(' ').len();
        read.text.truncate(used);
        read.styles.truncate(read.text.chars().count());
        read
    }
}

impl Screen for VtScreen {
    fn feed(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.generation += 1;
        if self.pending.is_empty() && bytes.len() >= LAZY_BYTES {
            let (whole, rest) = bytes.split_at(bytes.len() - unfinished_len(bytes));
            self.draw(whole);
            self.pending.extend_from_slice(rest);
            return;
        }
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= LAZY_BYTES {
            self.draw_pending();
        }
    }

    fn resize(&mut self, rows: u16, columns: u16) {
        self.draw_pending();
        let (rows, columns) = (side(rows), side(columns));
        if (rows.get(), columns.get()) == self.size() {
            return;
        }
        self.parser.set_size(rows, columns);
        self.whole_screen_scrolls = true;
        self.generation += 1;
    }

    fn size(&self) -> (u16, u16) {
        let (rows, columns) = self.parser.screen().size();
        (rows.get(), columns.get())
    }

    fn generation(&self) -> u64 {
        self.generation
    }

    fn view(&mut self) -> View {
        self.draw_pending();
        let screen = self.parser.screen();
        let (rows, columns) = self.size();
        View {
            rows: (0..rows).map(|row| Self::read_row(screen, row, columns)).collect(),
            columns,
            cursor: screen.cursor_position(),
            alternate: screen.alternate_screen(),
        }
    }

    fn cursor(&mut self) -> (u16, u16) {
        self.draw_pending();
        self.parser.screen().cursor_position()
    }

    fn bracketed_paste(&mut self) -> bool {
        self.draw_pending();
        self.parser.screen().bracketed_paste()
    }

    fn checkpoint(&mut self) -> Checkpoint {
        self.draw_pending();
        let screen = self.parser.screen();
        let mut bytes = Vec::new();
        if screen.alternate_screen() {
            bytes.extend_from_slice(b"\x1b[?1049h");
        }
        bytes.extend_from_slice(screen.state_formatted().as_bytes());
        Checkpoint { bytes, offset: self.effective_offset() }
    }
}

/// How many bytes at the end of `bytes` begin a UTF-8 character without completing it.
fn unfinished_len(bytes: &[u8]) -> usize {
    for (behind, byte) in bytes.iter().rev().enumerate().take(3) {
        let needed = match byte {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        return if behind + 1 < needed { behind + 1 } else { 0 };
    }
    0
}

fn ink(colour: vt100::Color) -> Ink {
    match colour {
        vt100::Color::Default => Ink::Default,
        vt100::Color::Idx(entry) => Ink::Index(entry),
        vt100::Color::Rgb(red, green, blue) => Ink::Rgb(red, green, blue),
    }
}

fn side(wanted: u16) -> NonZeroU16 {
    NonZeroU16::new(wanted.clamp(*SIDES.start(), *SIDES.end())).unwrap_or(NonZeroU16::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(rows: u16, columns: u16, bytes: &[u8]) -> vt100::Parser {
        let mut parser = vt100::Parser::new(side(rows), side(columns), 0);
        parser.process(bytes);
        parser
    }

    fn state(screen: &mut VtScreen) -> (String, (u16, u16)) {
        let cursor = screen.cursor();
        (screen.parser.screen().state_formatted(), cursor)
    }

    #[test]
    fn shows_text_styles_and_cursor() {
        let mut screen = VtScreen::new(3, 20, 0);
        screen.feed("› \x1b[2mAsk\x1b[0m \x1b[7mx\x1b[0m 日本".as_bytes());
        let view = screen.view();
        assert_eq!(view.text(0), "› Ask x 日本");
        let styles = &view.rows[0].styles;
        assert_eq!(styles.len(), view.text(0).chars().count());
        assert!(styles[2].dim && styles[4].dim && !styles[0].dim);
        assert!(styles[6].inverse);
        assert_eq!(view.cursor, (0, 12));
        assert_eq!(view.contents(), "› Ask x 日本");
    }

    #[test]
    fn characters_and_sequences_may_be_split_anywhere() {
        let stream = "a✻b\x1b[31mred\x1b[0m\x1b]0;tïtle\x07é".as_bytes();
        let mut screen = VtScreen::new(3, 20, 0);
        for byte in stream {
            screen.feed(std::slice::from_ref(byte));
            screen.cursor();
        }
        assert_eq!(screen.view().text(0), "a✻bredé");
    }

    #[test]
    fn a_checkpoint_and_the_rest_of_the_stream_give_the_same_screen() {
        let stream =
            "one\r\n\x1b[?1049h\x1b[2J\x1b[3;4Hin\x1b[1mbold\x1b[?2004h\x1b[4;1Hrest ✻ and \x1b[32mgreen"
                .as_bytes();
        for cut in 0..=stream.len() {
            let mut first = VtScreen::new(6, 30, 100);
            first.feed(&stream[..cut]);
            let Checkpoint { bytes, offset } = first.checkpoint();
            let mut again = VtScreen::new(6, 30, 0);
            again.feed(&bytes);
            let rest = usize::try_from(offset - 100).unwrap();
            again.feed(&stream[rest..]);
            first.feed(&stream[cut..]);
            assert_eq!(first.view(), again.view(), "cut at {cut}");
            assert_eq!(first.bracketed_paste(), again.bracketed_paste());
        }
    }

    #[test]
    fn a_flood_of_coloured_lines_is_mostly_skipped_and_ends_in_the_same_picture() {
        let mut stream = b"\x1b[2J\x1b[10;5Hold text that must scroll away".to_vec();
        for n in 0..20_000 {
            stream.extend(
                format!("\x1b[3{}mline {n}\x1b[0m {}\x1b[K\r\n", n % 8, "x".repeat(n % 150)).into_bytes(),
            );
        }
        stream.extend_from_slice(b"\x1b[33mend");
        let mut screen = VtScreen::new(30, 100, 0);
        for chunk in stream.chunks(200_000) {
            screen.feed(chunk);
        }
        let reference = plain(30, 100, &stream);
        assert_eq!(screen.view().text(28), format!("line 19999 {}", "x".repeat(19_999 % 150)));
        assert_eq!(state(&mut screen).0, reference.screen().state_formatted());
    }

    #[test]
    fn a_scrolling_region_is_respected() {
        let mut stream = b"\x1b[2Jheader\x1b[2;10r\x1b[5;1H".to_vec();
        for n in 0..3_000 {
            stream.extend(format!("line {n}\r\n").into_bytes());
        }
        let mut screen = VtScreen::new(12, 40, 0);
        screen.feed(&stream);
        assert_eq!(screen.view().text(0), "header");
        assert_eq!(state(&mut screen).0, plain(12, 40, &stream).screen().state_formatted());
    }

    #[test]
    fn an_emoji_in_the_last_column_is_survived() {
        let mut screen = VtScreen::new(4, 10, 0);
        for piece in ["\x1b[1;10H❤", "\u{fe0f}", "\x1b[1;1H\x1b[20b", "\x1b[2;10H❤\u{fe0f}x\x1b[2;10Hy"] {
            for byte in piece.as_bytes() {
                screen.feed(std::slice::from_ref(byte));
                screen.cursor();
            }
        }
        assert_eq!(screen.view().text(1), "❤❤❤❤❤❤❤❤❤y");
    }

    #[test]
    fn sizes_are_brought_into_bounds() {
        let mut screen = VtScreen::new(0, 0, 0);
        assert_eq!(screen.size(), (2, 2));
        screen.feed("日本語\r\n".as_bytes());
        screen.resize(u16::MAX, 0);
        assert_eq!(screen.size(), (1000, 2));
        screen.resize(DEFAULT_ROWS, DEFAULT_COLUMNS);
        assert_eq!(screen.view().rows.len(), usize::from(DEFAULT_ROWS));
    }

    /// Pieces of output in the proportions that make runs, barriers and regions meet.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            8 => (20usize..400, 0usize..60, 0u8..4).prop_map(|(lines, width, style)| {
                let mut out = Vec::new();
                for n in 0..lines {
                    let line = "abc ✻ 日".chars().cycle().take(width).collect::<String>();
                    let end = if style == 3 && n % 7 == 0 { "\n" } else { "\r\n" };
                    let colour = if style == 1 { "\x1b[1;32m" } else if style == 2 { "\x1b[m" } else { "" };
                    out.extend(format!("{colour}{n} {line}\x1b[K{end}").into_bytes());
                }
                out
            }),
            1 => (0u16..14, 0u16..14).prop_map(|(a, b)| format!("\x1b[{a};{b}r").into_bytes()),
            1 => (1u16..14, 1u16..50).prop_map(|(a, b)| format!("\x1b[{a};{b}H").into_bytes()),
            1 => Just(b"\x1b[?1049h".to_vec()),
            1 => Just(b"\x1b[?1049l".to_vec()),
            1 => Just(b"\x1bc".to_vec()),
            1 => Just(b"\x1b_apc\nwith\nlines\x1b\\".to_vec()),
            1 => Just(b"\x1b[3\n1m".to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..200),
        ]
    }

    /// Output that terminals trip over: joined and widened characters at the edges, numbers out of range.
    fn awkward() -> impl Strategy<Value = Vec<u8>> {
        let characters = [
            "日",
            "e\u{301}",
            "\u{fe0f}",
            "❤\u{fe0f}",
            "👩\u{200d}👩",
            "🇩🇪",
            "\u{ad}",
            "\u{17d8}",
            "\u{1160}",
            "x",
        ];
        prop_oneof![
            3 => prop::sample::select(characters.to_vec()).prop_map(|c| c.as_bytes().to_vec()),
            3 => (any::<u16>(), 0u16..70, prop::sample::select(b"ABCDEFGHJKLMPSTX@`bdfmrtsu".to_vec()))
                .prop_map(|(a, b, last)| format!("\x1b[{a};{b}{}", char::from(last)).into_bytes()),
            1 => (0u16..3000, any::<bool>()).prop_map(|(mode, on)| format!("\x1b[?{mode}{}", if on { 'h' } else { 'l' }).into_bytes()),
            1 => prop::sample::select(vec![&b"\x1b7"[..], b"\x1b8", b"\x1bM", b"\x1bc", b"\x1b[?1049h", b"\x1b[?1049l", b"\r\n", b"\t"])
                .prop_map(<[u8]>::to_vec),
            1 => prop::collection::vec(any::<u8>(), 0..40),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
        #[test]
        fn skipping_never_changes_the_picture(
            pieces in prop::collection::vec(piece(), 1..12),
            cuts in prop::collection::vec(1usize..90_000, 1..6),
            look in any::<bool>(),
        ) {
            let stream = pieces.concat();
            let mut screen = VtScreen::new(12, 48, 0);
            let mut rest = stream.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (head, tail) = rest.split_at((*cut).min(rest.len()));
                screen.feed(head);
                if look { screen.cursor(); }
                rest = tail;
            }
            let reference = plain(12, 48, &stream);
            let (picture, cursor) = state(&mut screen);
            prop_assert_eq!(picture, reference.screen().state_formatted());
            prop_assert_eq!(cursor, reference.screen().cursor_position());
        }

        #[test]
        fn any_output_and_any_resizing_is_survived(
            steps in prop::collection::vec((prop::collection::vec(awkward(), 0..40), 0u16..60, 0u16..60), 1..20),
        ) {
            let mut screen = VtScreen::new(12, 48, 0);
            for (pieces, rows, columns) in steps {
                screen.feed(&pieces.concat());
                screen.resize(rows, columns);
                let view = screen.view();
                prop_assert_eq!(view.rows.len(), usize::from(screen.size().0));
                screen.checkpoint();
            }
        }
    }
}
