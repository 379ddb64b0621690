//! Splits a terminal's output into its escape sequences, across any split into reads.
//!
//! Text is skipped with `memchr`; only the bytes of a sequence are looked at one by one and kept, up to
//! [`LONGEST`]. The states are those of the VT500 parser, so that what is found here is what a terminal would
//! have acted on, at absolute offsets of the stream.

use memchr::memchr;

/// A sequence with more bytes than this is passed over: none that we understand is near it.
pub const LONGEST: usize = 8 * 1024;

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;

/// One complete escape sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sequence<'a> {
    /// `ESC` with intermediates and a final byte, e.g. `ESC 7`.
    Escape {
        /// Bytes 0x20..=0x2f between `ESC` and the final byte.
        intermediates: &'a [u8],
        /// The byte that ends the sequence.
        last: u8,
    },
    /// A control sequence, `CSI parameters intermediates final`.
    Csi {
        /// Parameter bytes as sent, with a leading `?`, `>`, `<` or `=` if there was one.
        params: &'a [u8],
        /// Bytes 0x20..=0x2f before the final byte.
        intermediates: &'a [u8],
        /// The byte that ends the sequence.
        last: u8,
    },
    /// An operating system command's payload, without its terminator.
    Osc(&'a [u8]),
    /// A device control string's payload, without its terminator.
    Dcs(&'a [u8]),
    /// Anything else that a terminal swallows: SOS, PM and APC strings, malformed, aborted or overlong sequences.
    Other,
}

/// A sequence and where in the stream it stood: `start` is the offset of its `ESC`, `end` the offset after the
/// byte that completed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'a> {
    /// What it was.
    pub sequence: Sequence<'a>,
    /// Absolute offset of the introducing `ESC`.
    pub start: u64,
    /// Absolute offset just behind the last byte.
    pub end: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ground,
    Escape,
    EscapeIntermediate,
    Csi,
    CsiIgnore,
    Osc,
    Dcs,
    /// SOS, PM and APC: strings whose content means nothing to us.
    IgnoredString,
}

/// The resumable splitter. Memory: the bytes of one unfinished sequence, at most [`LONGEST`].
#[derive(Debug)]
pub struct EscapeScanner {
    state: State,
    held: Vec<u8>,
    overlong: bool,
    start: u64,
    offset: u64,
}

impl EscapeScanner {
    /// A scanner whose next byte has the absolute offset `offset` and stands outside of any sequence.
    pub fn new(offset: u64) -> Self {
        Self { state: State::Ground, held: Vec::new(), overlong: false, start: offset, offset }
    }

    /// Absolute offset of the next byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Where the unfinished sequence began, or `None` outside of any sequence.
    pub fn unfinished(&self) -> Option<u64> {
        (self.state != State::Ground).then_some(self.start)
    }

    /// Reads on in the stream and reports every sequence that `chunk` completes, in order.
    pub fn scan(&mut self, chunk: &[u8], mut found: impl FnMut(Found<'_>)) {
        let base = self.offset;
        let mut rest = chunk;
        while let Some((&byte, after)) = rest.split_first() {
            let position = base + (chunk.len() - rest.len()) as u64;
            if self.state == State::Ground {
                let Some(skip) = memchr(ESC, rest) else { break };
                let start = position + skip as u64;
                rest = rest.get(skip + 1..).unwrap_or_default();
                if let Some((sequence, length)) = whole_csi(rest) {
                    found(Found { sequence, start, end: start + 1 + length as u64 });
                    rest = rest.get(length..).unwrap_or_default();
                } else {
                    self.begin(start);
                }
                continue;
            }
            self.step(byte, position, &mut found);
            rest = after;
        }
        self.offset = base + chunk.len() as u64;
    }

    fn begin(&mut self, start: u64) {
        self.state = State::Escape;
        self.start = start;
        self.held.clear();
        self.overlong = false;
    }

    fn hold(&mut self, byte: u8) {
        if self.held.len() < LONGEST {
            self.held.push(byte);
        } else {
            self.overlong = true;
        }
    }

    fn step(&mut self, byte: u8, position: u64, found: &mut impl FnMut(Found<'_>)) {
        if byte == CAN || byte == SUB {
            self.cut(position + 1, found);
            self.state = State::Ground;
            return;
        }
        if byte == ESC {
            self.cut(position, found);
            self.begin(position);
            return;
        }
        match self.state {
            State::Ground => {}
            State::Escape => self.step_escape(byte, position, found),
            State::EscapeIntermediate => match byte {
                0x20..=0x2f => self.hold(byte),
                0x30..=0x7e => {
                    self.emit(
                        Sequence::Escape { intermediates: &self.held, last: byte },
                        position + 1,
                        found,
                    );
                    self.state = State::Ground;
                }
                _ => {}
            },
            State::Csi => match byte {
                0x20..=0x3f => self.hold(byte),
                0x40..=0x7e => {
                    let split = self.held.iter().position(|b| *b < 0x30).unwrap_or(self.held.len());
                    let (params, intermediates) = self.held.split_at(split);
                    self.emit(Sequence::Csi { params, intermediates, last: byte }, position + 1, found);
                    self.state = State::Ground;
                }
                // Controls inside a sequence act at once; whoever counts them must not trust this sequence.
                0x00..=0x1f => self.state = State::CsiIgnore,
                _ => {}
            },
            State::CsiIgnore => {
                if (0x40..=0x7e).contains(&byte) {
                    self.emit(Sequence::Other, position + 1, found);
                    self.state = State::Ground;
                }
            }
            State::Osc => match byte {
                BEL => {
                    self.emit(Sequence::Osc(&self.held), position + 1, found);
                    self.state = State::Ground;
                }
                0x00..=0x1f => {}
                _ => self.hold(byte),
            },
            State::Dcs => self.hold(byte),
            State::IgnoredString => {}
        }
    }

    fn step_escape(&mut self, byte: u8, position: u64, found: &mut impl FnMut(Found<'_>)) {
        self.state = match byte {
            b'[' => State::Csi,
            b']' => State::Osc,
            b'P' => State::Dcs,
            b'X' | b'^' | b'_' => State::IgnoredString,
            0x20..=0x2f => {
                self.hold(byte);
                State::EscapeIntermediate
            }
            0x30..=0x7e => {
                self.emit(Sequence::Escape { intermediates: &[], last: byte }, position + 1, found);
                State::Ground
            }
            _ => State::Escape,
        };
    }

    /// Ends the sequence from outside: that completes a string and spoils anything else.
    fn cut(&self, end: u64, found: &mut impl FnMut(Found<'_>)) {
        let sequence = match self.state {
            State::Osc => Sequence::Osc(&self.held),
            State::Dcs => Sequence::Dcs(&self.held),
            _ => Sequence::Other,
        };
        self.emit(sequence, end, found);
    }

    fn emit(&self, sequence: Sequence<'_>, end: u64, found: &mut impl FnMut(Found<'_>)) {
        let sequence = if self.overlong { Sequence::Other } else { sequence };
        found(Found { sequence, start: self.start, end });
    }
}

/// A control sequence that lies whole in `rest`, the bytes behind an `ESC`, and its length there. By far the most
/// frequent case, worth a way of its own; anything unusual takes the other.
fn whole_csi(rest: &[u8]) -> Option<(Sequence<'_>, usize)> {
    let body = rest.strip_prefix(b"[")?;
    let params = body.iter().position(|b| !(0x30..=0x3f).contains(b))?;
    let (params, rest) = body.split_at_checked(params)?;
    let intermediates = rest.iter().position(|b| !(0x20..=0x2f).contains(b))?;
    let (intermediates, rest) = rest.split_at_checked(intermediates)?;
    let last = *rest.first().filter(|b| (0x40..=0x7e).contains(*b))?;
    let length = 2 + params.len() + intermediates.len();
    (length <= LONGEST).then_some((Sequence::Csi { params, intermediates, last }, length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(chunks: &[&[u8]]) -> Vec<(String, u64, u64)> {
        let mut scanner = EscapeScanner::new(0);
        let mut seen = Vec::new();
        for chunk in chunks {
            scanner.scan(chunk, |f| seen.push((format!("{:?}", f.sequence), f.start, f.end)));
        }
        seen
    }

    #[test]
    fn finds_each_kind_at_its_offset() {
        let stream = b"ab\x1b[?25hcd\x1b]0;t\x07\x1b7\x1b(B\x1bPq1\x1b\\\x1b_ignored\x1b\\z";
        let mut kinds = Vec::new();
        EscapeScanner::new(100).scan(stream, |f| {
            kinds.push((
                match f.sequence {
                    Sequence::Escape { last, .. } => format!("esc {}", last as char),
                    Sequence::Csi { last, .. } => format!("csi {}", last as char),
                    Sequence::Osc(p) => format!("osc {}", String::from_utf8_lossy(p)),
                    Sequence::Dcs(p) => format!("dcs {}", String::from_utf8_lossy(p)),
                    Sequence::Other => "other".to_owned(),
                },
                f.start,
                f.end,
            ));
        });
        let expected = [
            ("csi h", 102, 108),
            ("osc 0;t", 110, 116),
            ("esc 7", 116, 118),
            ("esc B", 118, 121),
            ("dcs q1", 121, 125),
            ("esc \\", 125, 127),
            ("other", 127, 136),
            ("esc \\", 136, 138),
        ];
        assert_eq!(kinds, expected.map(|(k, s, e)| (k.to_owned(), s, e)));
    }

    #[test]
    fn an_overlong_string_is_passed_over_and_the_next_one_is_found() {
        let mut stream = b"\x1b]52;c;".to_vec();
        stream.extend(std::iter::repeat_n(b'A', 3 * LONGEST));
        stream.extend_from_slice(b"\x07\x1b]0;after\x07");
        let seen = all(&[&stream]);
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[0].0, "Other");
        assert!(seen[1].0.starts_with("Osc"));
    }

    proptest! {
        #[test]
        fn the_split_into_reads_does_not_matter(
            pieces in prop::collection::vec(
                prop_oneof![
                    Just(b"\x1b]7501;state=idle:app=x\x07".to_vec()),
                    Just(b"\x1b[?2004h".to_vec()),
                    Just(b"\x1b]0;title\x1b\\".to_vec()),
                    Just("wörd ✻".as_bytes().to_vec()),
                    prop::collection::vec(any::<u8>(), 0..12),
                ],
                0..20,
            ),
            cuts in prop::collection::vec(1usize..9, 1..50),
        ) {
            let stream = pieces.concat();
            let whole = all(&[&stream]);
            let mut chunks = Vec::new();
            let mut rest = stream.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (head, tail) = rest.split_at((*cut).min(rest.len()));
                chunks.push(head);
                rest = tail;
            }
            prop_assert_eq!(whole, all(&chunks));
        }
    }
}
