//! Judges a file of cases line by line: `posthouse failure classify --json < CASES`.

use std::io::{self, BufRead, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;

use super::case::Case;
use super::classify::classify;
use super::failure::{Evidence, FailoverWhen, Scope, Verdict};

/// Longest line that is read as a case, in bytes.
pub const LINE_MAX: usize = 4 * 1024 * 1024;

/// The answer to one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The case's own name.
    pub id: String,
    /// The class, or `not_a_failure`.
    pub class: &'static str,
    /// What should follow.
    pub action: &'static str,
    /// When another mount should follow, once corroborated.
    pub failover: FailoverWhen,
    /// How far it reaches.
    pub scope: Option<Scope>,
    /// When it is over by itself, in UTC.
    pub until: Option<Timestamp>,
    /// How strong the evidence is.
    pub evidence: Evidence,
    /// Whether it may move a session as it stands.
    pub corroborated: bool,
}

/// The answer to a line that is no case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Refusal {
    id: Value,
    error: String,
}

impl Answer {
    /// Judges one case.
    #[must_use]
    pub fn to(case: &Case, now: Timestamp, zone: &TimeZone) -> Self {
        Self::of(case.id.clone(), &classify(&case.observation, now, zone))
    }

    /// Puts a verdict into words.
    #[must_use]
    pub fn of(id: String, verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Failure(failure) => Self {
                id,
                class: failure.class.as_str(),
                action: failure.action.as_str(),
                failover: failure.failover,
                scope: failure.scope,
                until: failure.until,
                evidence: failure.evidence,
                corroborated: failure.corroborated,
            },
            Verdict::NotAFailure(_) => Self {
                id,
                class: "not_a_failure",
                action: "none",
                failover: FailoverWhen::Never,
                scope: None,
                until: None,
                evidence: Evidence::None,
                corroborated: false,
            },
        }
    }
}

/// Reads one case per line and writes one JSON line for each, in order. A line that is no case gets a line with
/// its `id` (its number, counted from 1, where it has none) and an `error`; the rest is judged all the same.
///
/// # Errors
/// When reading or writing fails.
pub fn classify_cases(
    mut input: impl BufRead,
    mut output: impl Write,
    now: Timestamp,
    zone: &TimeZone,
) -> io::Result<()> {
    let mut line = Vec::new();
    let mut number = 0u64;
    loop {
        line.clear();
        let read = io::Read::take(&mut input, LINE_MAX as u64 + 1).read_until(b'\n', &mut line)?;
        if read == 0 {
            return output.flush();
        }
        number += 1;
        if read > LINE_MAX && line.last() != Some(&b'\n') {
            input.skip_until(b'\n')?;
            refuse(&mut output, number, &[], format!("the line is longer than {LINE_MAX} bytes"))?;
            continue;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let case = std::str::from_utf8(&line).map_err(|why| why.to_string());
        match case.and_then(|text| Case::parse(text.trim()).map_err(|why| why.to_string())) {
            Ok(case) => put(&mut output, &Answer::to(&case, now, zone))?,
            Err(why) => refuse(&mut output, number, &line, why)?,
        }
    }
}

fn refuse(output: &mut impl Write, number: u64, line: &[u8], error: String) -> io::Result<()> {
    let named = serde_json::from_slice::<Value>(line).ok().and_then(|value| value.get("id").cloned());
    let id = named.filter(|id| id.is_string() || id.is_number()).unwrap_or_else(|| Value::from(number));
    put(output, &Refusal { id, error })
}

fn put(output: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *output, line)?;
    output.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(input: &[u8]) -> String {
        let mut output = Vec::new();
        let now = "2026-11-22T03:00:00Z".parse().unwrap();
        classify_cases(input, &mut output, now, &TimeZone::UTC).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn one_line_for_each_case_and_errors_in_between() {
        let input = concat!(
            r#"{"id":"a","harness":"codex","channel":"http","status":429,"body":"{\"error\":{\"type\":\"usage_limit_reached\",\"resets_in_seconds\":90}}","ctx":{"endpoint":"inference"}}"#,
            "\n\nnot json\n",
            r#"{"id":"c","harness":"codex"}"#,
            "\n",
            r#"{"id":"d","harness":"claude","channel":"terminal","body":"$ ls","ctx":{}}"#,
        );
        insta::assert_snapshot!(answers(input.as_bytes()), @r#"
        {"id":"a","class":"quota_reset","action":"rotate_until_reset","failover":"now","scope":"credential","until":"2026-11-22T03:01:30Z","evidence":"typed","corroborated":true}
        {"id":3,"error":"expected ident at line 1 column 2"}
        {"id":"c","error":"missing field `channel` at line 1 column 28"}
        {"id":"d","class":"not_a_failure","action":"none","failover":"never","scope":null,"until":null,"evidence":"none","corroborated":false}
        "#);
    }

    #[test]
    fn bytes_that_are_no_text_and_endless_lines_do_no_harm() {
        let mut input = b"\xff\xfe\n".to_vec();
        input.extend(std::iter::repeat_n(b'x', LINE_MAX + 10));
        input.extend_from_slice(b"\n{\"id\":\"last\",\"harness\":\"codex\",\"channel\":\"exit\"}\n");
        let out = answers(&input);
        let lines: Vec<_> = out.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with(r#"{"id":1,"error""#) && lines[1].starts_with(r#"{"id":2,"error""#));
        assert!(lines[2].starts_with(r#"{"id":"last","class":"not_a_failure""#));
    }
}
