//! Gathering what speaks for a failure of one turn. Words, codes and what bears them out come by different ways within
//! a moment; they are put together into one observation before anyone judges them.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::failover::observation::{Channel, Corroboration, Observation};
use crate::harness::observe::{NoticeMarker, TerminalNotice};
use crate::harness::transcript::ApiError;

/// How long the pieces of one failure may be apart.
const APART: Duration = Duration::from_millis(250);

/// How long a record of the failure may take to be written and read. It is stronger evidence than words.
const RECORDED: Duration = Duration::from_millis(1200);

/// How long words are waited for where there is nothing but a bare report: by itself it moves nothing, and a busy machine
/// draws late.
const ALONE: Duration = Duration::from_secs(5);

/// What was gathered of one turn.
#[derive(Debug, Default)]
pub struct Suspicion {
    printed: Option<Observation>,
    recorded: Option<ApiError>,
    line: Option<String>,
    report: Option<String>,
    login_screen: Option<String>,
    last_words: Option<String>,
    exit: Option<i32>,
    corroboration: Corroboration,
    keeps_records: bool,
    /// When the first piece came that was not reported yet.
    since: Option<Instant>,
    due: Option<Instant>,
}

impl Suspicion {
    /// The harness showed or reported something.
    pub fn notice(&mut self, notice: TerminalNotice, now: Instant) {
        match notice.marker {
            // The mark is part of what makes the line the harness's own.
            NoticeMarker::Line(mark) => self.line = Some(format!("{mark} {}", notice.text)),
            NoticeMarker::Report { blocked } => {
                let state = blocked.map_or_else(|| "error".to_owned(), |kind| format!("blocked:kind={kind}"));
                let message = match notice.text.as_str() {
                    "" => String::new(),
                    text => format!(":msg={}", STANDARD.encode(text)),
                };
                self.report = Some(format!("7501;state={state}{message}"));
                self.corroboration.osc_error = true;
            }
            NoticeMarker::LoginScreen(_) => {
                self.login_screen = Some(notice.text);
                self.corroboration.login_screen = true;
            }
            NoticeMarker::LastWords => self.last_words = Some(notice.text),
        }
        self.hear(now);
    }

    /// The harness recorded a failed request, after which it gave up.
    pub fn recorded(&mut self, error: ApiError, now: Instant) {
        self.recorded = Some(error);
        self.hear(now);
    }

    /// The harness ended with this code; a signal counts as none.
    pub fn exited(&mut self, code: Option<i32>, now: Instant) {
        self.exit = code;
        self.corroboration.exit_nonzero = code.is_some_and(|code| code != 0);
        self.hear(now);
    }

    /// A harness that prints ended, and told of a failure.
    pub fn printed(&mut self, seen: Observation, now: Instant) {
        self.printed = Some(seen);
        self.due = Some(now);
    }

    fn hear(&mut self, now: Instant) {
        let since = *self.since.get_or_insert(now);
        let awaits_record = self.keeps_records && self.recorded.is_none() && self.exit.is_none();
        let says_nothing = self.line.is_none() && self.login_screen.is_none();
        self.due = Some(match (awaits_record, says_nothing) {
            (true, true) => since + ALONE,
            (true, false) => since + RECORDED,
            (false, _) => now + APART,
        });
    }

    /// Whether the harness records its failures in a file that is read: then a record is worth waiting for.
    pub fn keeps_records(&mut self, keeps: bool) {
        self.keeps_records = keeps;
    }

    /// A turn began: what was said before it is history.
    pub fn clear(&mut self) {
        *self = Self { keeps_records: self.keeps_records, ..Self::default() };
    }

    /// Whether anything waits to be reported.
    pub fn wakes_at(&self) -> Option<Instant> {
        self.due
    }

    /// The observation, once nothing more came for a moment. The strongest of what there is speaks; the rest bears it
    /// out.
    pub fn observation(&mut self, harness: &str, now: Instant) -> Option<Observation> {
        if self.due.is_none_or(|due| now < due) {
            return None;
        }
        self.due = None;
        self.since = None;
        if let Some(seen) = self.printed.take() {
            return Some(seen);
        }
        let (channel, body) = if let Some(error) = &self.recorded {
            (Channel::Jsonl, frame(error).to_string())
        } else if let Some(line) = &self.line {
            (Channel::Terminal, line.clone())
        } else if let Some(screen) = &self.login_screen {
            (Channel::Terminal, screen.clone())
        } else if let Some(report) = &self.report {
            (Channel::Osc, report.clone())
        } else {
            self.exit.filter(|code| *code != 0)?;
            (Channel::Exit, self.last_words.clone().unwrap_or_default())
        };
        let mut seen = Observation::new(harness, channel, body);
        seen.exit = self.exit;
        seen.corroboration = self.corroboration;
        if let Some(error) = &self.recorded {
            seen.status = error.status;
            seen.codes = [&error.code, &error.kind].into_iter().flatten().cloned().collect();
        }
        Some(seen)
    }
}

/// A recorded failure as a frame that ends a turn.
fn frame(error: &ApiError) -> Value {
    let mut said = Map::new();
    said.insert("message".into(), json!(error.text));
    let fields = [
        ("code", error.code.as_ref().map(|code| json!(code))),
        ("type", error.kind.as_ref().map(|kind| json!(kind))),
        ("status", error.status.map(|status| json!(status))),
        ("resets_at", error.resets_at.map(|at| json!(at))),
    ];
    for (name, value) in fields {
        said.extend(value.map(|value| (name.to_owned(), value)));
    }
    json!({ "type": "turn.failed", "error": said })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::failover::classify::classify;
    use crate::failover::failure::{Class, Evidence};

    fn notice(marker: NoticeMarker, text: &str) -> TerminalNotice {
        TerminalNotice { text: text.into(), marker, at: Duration::ZERO }
    }

    fn line(text: &str) -> TerminalNotice {
        notice(NoticeMarker::Line("■".into()), text)
    }

    #[test]
    fn the_pieces_of_one_failure_are_reported_together_and_once() {
        let now = Instant::now();
        let mut suspicion = Suspicion::default();
        suspicion.notice(line("Quota exceeded. Check your plan and billing details."), now);
        suspicion.notice(notice(NoticeMarker::Report { blocked: None }, ""), now + APART / 2);
        assert!(suspicion.observation("codex", now + APART).is_none(), "more may come");
        let seen = suspicion.observation("codex", now + APART * 2).unwrap();
        assert_eq!(seen.channel, Channel::Terminal);
        assert!(seen.corroboration.osc_error);
        assert!(suspicion.observation("codex", now + APART * 9).is_none());
        let failure = classify(&seen, Timestamp::now(), &TimeZone::UTC).failure().cloned().unwrap();
        assert_eq!((failure.class, failure.corroborated), (Class::Billing, true));
    }

    #[test]
    fn a_line_alone_is_not_borne_out() {
        let now = Instant::now();
        let mut suspicion = Suspicion::default();
        suspicion.notice(line("Quota exceeded. Check your plan and billing details."), now);
        let seen = suspicion.observation("codex", now + APART).unwrap();
        assert!(!classify(&seen, Timestamp::now(), &TimeZone::UTC).failure().unwrap().corroborated);
    }

    #[test]
    fn what_the_harness_recorded_is_typed_evidence() {
        let now = Instant::now();
        let mut suspicion = Suspicion::default();
        let error = ApiError {
            text: "Failed to authenticate. API Error: 401 OAuth token revoked".into(),
            status: Some(401),
            code: Some("token_revoked".into()),
            last: true,
            ..ApiError::default()
        };
        suspicion.recorded(error, now);
        suspicion.notice(notice(NoticeMarker::Report { blocked: None }, "x"), now);
        let seen = suspicion.observation("claude", now + APART).unwrap();
        let failure = classify(&seen, Timestamp::now(), &TimeZone::UTC).failure().cloned().unwrap();
        assert_eq!((failure.class, failure.evidence), (Class::TokenRevoked, Evidence::Typed));
        assert!(failure.corroborated);
    }

    #[test]
    fn a_record_is_worth_waiting_for() {
        let now = Instant::now();
        let mut suspicion = Suspicion::default();
        suspicion.keeps_records(true);
        suspicion.notice(line("anything"), now);
        suspicion.notice(notice(NoticeMarker::Report { blocked: None }, ""), now + APART);
        assert!(suspicion.observation("codex", now + APART * 3).is_none());
        suspicion.recorded(ApiError { text: "x".into(), last: true, ..ApiError::default() }, now + APART * 3);
        assert_eq!(suspicion.observation("codex", now + APART * 4).unwrap().channel, Channel::Jsonl);
        suspicion.clear();
        suspicion.notice(line("anything"), now);
        assert!(suspicion.observation("codex", now + RECORDED).is_some(), "but not forever");
    }

    #[test]
    fn a_bare_report_waits_for_words_and_not_for_good() {
        let now = Instant::now();
        let mut suspicion = Suspicion::default();
        suspicion.keeps_records(true);
        suspicion.notice(notice(NoticeMarker::Report { blocked: None }, ""), now);
        assert!(suspicion.observation("codex", now + RECORDED).is_none());
        // Words that come late are taken at once.
        suspicion.notice(line("anything"), now + RECORDED * 2);
        assert_eq!(suspicion.observation("codex", now + RECORDED * 2).unwrap().channel, Channel::Terminal);
        suspicion.clear();
        suspicion.notice(notice(NoticeMarker::Report { blocked: None }, ""), now);
        assert_eq!(suspicion.observation("codex", now + ALONE).unwrap().channel, Channel::Osc);
    }

    #[test]
    fn a_clean_end_is_no_failure() {
        let now = Instant::now();
        let mut suspicion = Suspicion::default();
        suspicion.notice(notice(NoticeMarker::LastWords, "bye"), now);
        suspicion.exited(Some(0), now);
        assert!(suspicion.observation("codex", now + APART).is_none());
    }
}
