//! One pass over a run's output that finds everything of interest outside of the picture: terminal queries,
//! status reports and window titles, each with its absolute offset.

use super::escape::{EscapeScanner, Found, Sequence};
use super::osc::{self, StatusCommand, StatusReport};
use super::query::{self, Query};

/// Longest window title that is kept, in bytes.
const LONGEST_TITLE: usize = 512;

/// Something a run said to its terminal besides drawing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// A question for the terminal.
    Query(Query),
    /// A status report; `end` is the absolute offset just behind it.
    Status {
        /// What was reported.
        report: StatusReport,
        /// Absolute offset just behind the report.
        end: u64,
    },
    /// A new window title, free of control characters.
    Title(String),
}

/// Finds [`Signal`]s in a stream of output, whatever its split into reads.
#[derive(Debug)]
pub struct SignalScanner {
    escapes: EscapeScanner,
    answered: u64,
}

impl SignalScanner {
    /// Starts at the absolute `offset`. Queries that end at or before `answered` are not reported: they have
    /// been answered before, and this is a replay.
    pub fn new(offset: u64, answered: u64) -> Self {
        Self { escapes: EscapeScanner::new(offset), answered }
    }

    /// Absolute offset of the next byte.
    pub fn offset(&self) -> u64 {
        self.escapes.offset()
    }

    /// Reads on and returns what `chunk` completed, in order.
    pub fn scan(&mut self, chunk: &[u8]) -> Vec<Signal> {
        let mut signals = Vec::new();
        let answered = self.answered;
        self.escapes.scan(chunk, |found| {
            if let Some(query) = query::recognise(&found) {
                if query.end > answered {
                    signals.push(Signal::Query(query));
                }
            } else if let Some(signal) = told(&found) {
                signals.push(signal);
            }
        });
        signals
    }
}

fn told(found: &Found<'_>) -> Option<Signal> {
    let Sequence::Osc(payload) = found.sequence else { return None };
    if let Some(StatusCommand::Report(report)) = osc::parse(payload) {
        return Some(Signal::Status { report, end: found.end });
    }
    match payload {
        [b'0' | b'2', b';', title @ ..] => Some(Signal::Title(clean(title))),
        _ => None,
    }
}

fn clean(title: &[u8]) -> String {
    let shown = title.get(..LONGEST_TITLE).unwrap_or(title);
    String::from_utf8_lossy(shown).chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::osc::Reported;
    use super::super::query::Question;
    use super::*;

    const CLAUDE: &[u8] = "\x1b]0;✳ Claude Code\x07\x1b[>0q\x1b[?u\x1b]7501;?\x07\x1b[c\x1b]7501;state=idle:app=claude-code\x07".as_bytes();

    #[test]
    fn finds_titles_queries_and_reports_byte_by_byte() {
        let whole = SignalScanner::new(0, 0).scan(CLAUDE);
        let mut scanner = SignalScanner::new(0, 0);
        let single: Vec<Signal> = CLAUDE.iter().flat_map(|b| scanner.scan(&[*b])).collect();
        assert_eq!(whole, single);
        assert_eq!(whole.first(), Some(&Signal::Title("✳ Claude Code".into())));
        let asked: Vec<Question> = whole
            .iter()
            .filter_map(|s| if let Signal::Query(q) = s { Some(q.question) } else { None })
            .collect();
        use Question::{KittyKeyboard, PrimaryAttributes, StatusReports, Version};
        assert_eq!(asked, [Version, KittyKeyboard, StatusReports, PrimaryAttributes]);
        assert!(matches!(
            whole.last(),
            Some(Signal::Status { report, end }) if report.state == Reported::Idle && *end == CLAUDE.len() as u64
        ));
    }

    #[test]
    fn a_replayed_query_is_not_asked_again() {
        let live = SignalScanner::new(0, 0).scan(CLAUDE);
        let last =
            live.iter().filter_map(|s| if let Signal::Query(q) = s { Some(q.end) } else { None }).max();
        let replayed = SignalScanner::new(0, last.unwrap()).scan(CLAUDE);
        assert!(!replayed.iter().any(|s| matches!(s, Signal::Query(_))));
        assert_eq!(replayed.len(), 2, "titles and reports are still told: {replayed:?}");
    }
}
