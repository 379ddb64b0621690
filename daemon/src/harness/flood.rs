//! Which part of a burst of output need not be drawn, because it has scrolled off the screen by its end.
//!
//! A run of plain lines, coloured or not, leaves nothing behind but its last screenful and the last colour. So
//! of such a run only so many lines are drawn as take the cursor down to the last row and then scroll away all
//! that is on the screen. Anything that moves the cursor or scrolls otherwise ends a run.

use std::ops::Range;

use memchr::{memchr_iter, memrchr_iter};

use super::escape::{Found, Sequence};

/// Runs shorter than this are simply drawn, in bytes.
const WORTHWHILE: usize = 4 * 1024;

/// What an escape sequence means for skipping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Sets colours and attributes; must be kept when its line is skipped.
    Colour,
    /// Resets colours and attributes: earlier [`Effect::Colour`]s no longer matter.
    ColourReset,
    /// Touches nothing but its own line.
    Line,
    /// Makes only a part of the screen scroll.
    PartScrolls,
    /// Makes the whole screen scroll again, on either screen.
    WholeScrolls,
    /// Anything else.
    Barrier,
}

/// An escape sequence's place in the burst, and what it means for skipping.
#[derive(Debug, Clone)]
pub struct Mark {
    /// Its bytes in the burst.
    pub bytes: Range<usize>,
    effect: Effect,
}

impl Mark {
    /// Judges a sequence found in a burst that begins at the absolute offset `base`, on a screen of `rows` rows.
    pub fn of(found: &Found<'_>, base: u64, rows: u16) -> Self {
        let start = found.start.saturating_sub(base) as usize;
        let end = found.end.saturating_sub(base) as usize;
        let begun_before = found.start < base;
        let effect = if begun_before { Effect::Barrier } else { effect(&found.sequence, rows) };
        Self { bytes: start..end, effect }
    }
}

fn effect(sequence: &Sequence<'_>, rows: u16) -> Effect {
    match *sequence {
        Sequence::Csi { params: b"" | b"0", intermediates: b"", last: b'm' } => Effect::ColourReset,
        Sequence::Csi { params: [b'0'..=b'9' | b';' | b':', ..], intermediates: b"", last: b'm' } => {
            Effect::Colour
        }
        Sequence::Csi { params: b"" | b"0" | b"1" | b"2", intermediates: b"", last: b'K' } => Effect::Line,
        Sequence::Csi { params, intermediates: b"", last: b'r' } if !params.starts_with(b"?") => {
            if is_whole_screen(params, rows) {
                Effect::Barrier
            } else {
                Effect::PartScrolls
            }
        }
        Sequence::Escape { intermediates: b"", last: b'c' } => Effect::WholeScrolls,
        _ => Effect::Barrier,
    }
}

fn is_whole_screen(params: &[u8], rows: u16) -> bool {
    let mut sides = params
        .split(|b| *b == b';')
        .map(|digits| std::str::from_utf8(digits).ok().and_then(|d| d.parse::<u16>().ok()).unwrap_or(0));
    let top = sides.next().unwrap_or(0);
    let bottom = sides.next().unwrap_or(0);
    top <= 1 && (bottom == 0 || bottom >= rows)
}

/// A stretch of lines without anything in it but text, colours and line erasures.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its bytes in the burst.
    pub bytes: Range<usize>,
    /// Its sequences, as indices into the marks.
    marks: Range<usize>,
}

/// Cuts the first `whole` bytes of a burst into the runs in which skipping is allowed. `whole_screen_scrolls` is
/// the state before the burst and is left as the state after it.
pub fn runs(marks: &[Mark], whole: usize, whole_screen_scrolls: &mut bool) -> Vec<Run> {
    let mut runs = Vec::new();
    let (mut from, mut first) = (0, 0);
    let mut close = |from: usize, to: usize, marks: Range<usize>, allowed: bool| {
        if allowed && to.saturating_sub(from) >= WORTHWHILE {
            runs.push(Run { bytes: from..to, marks });
        }
    };
    for (index, mark) in marks.iter().enumerate() {
        let after = match mark.effect {
            Effect::Colour | Effect::ColourReset | Effect::Line => continue,
            Effect::PartScrolls => false,
            Effect::WholeScrolls => true,
            Effect::Barrier => *whole_screen_scrolls,
        };
        close(from, mark.bytes.start, first..index, *whole_screen_scrolls);
        *whole_screen_scrolls = after;
        (from, first) = (mark.bytes.end, index + 1);
    }
    close(from, whole, first..marks.len(), *whole_screen_scrolls);
    runs
}

/// What to do about a run: draw the colours at these indices of the marks, and go on drawing at byte `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// Sequences of the skipped part that still matter.
    pub colours: Range<usize>,
    /// Where drawing goes on: the start of a line.
    pub to: usize,
}

/// Where to go on drawing in a run so that at least `lines` of its line ends are drawn, if anything can be skipped.
pub fn skip(bytes: &[u8], marks: &[Mark], run: &Run, lines: usize) -> Option<Skip> {
    let text = bytes.get(run.bytes.clone())?;
    // Only a line that follows CR LF is known to start in column 0.
    let line_end = memrchr_iter(b'\n', text)
        .skip(lines)
        .find(|at| at.checked_sub(1).and_then(|before| text.get(before)) == Some(&b'\r'))?;
    let to = run.bytes.start + line_end + 1;
    if to - run.bytes.start < WORTHWHILE / 2 {
        return None;
    }
    let inside = marks.get(run.marks.clone())?;
    let skipped = inside.partition_point(|mark| mark.bytes.end <= to);
    let since_reset =
        inside.get(..skipped)?.iter().rposition(|mark| mark.effect == Effect::ColourReset).unwrap_or(0);
    debug_assert!(memchr_iter(b'\n', bytes.get(to..run.bytes.end).unwrap_or_default()).count() >= lines);
    Some(Skip { colours: run.marks.start + since_reset..run.marks.start + skipped, to })
}
