//! The forms that recordings come in.
//!
//! * A *headless* run is one JSON object: `{"exit": 1, "lines": [{"t": 0.5, "s": "out", "line": "…"}]}`; `s` is `out` or
//!   `err`, `t` seconds from the start. An `exit` that is no number means that the recorder ended it.
//! * A *structured* channel is one JSON object a line: `{"t": 0.5, "dir": "<", "msg": {…}}`; `<` is what the harness
//!   wrote, `>` what it was sent, `!` what it wrote on standard error.
//! * A *terminal* is one JSON object a line: `{"t": 0.5, "k": "o", "d": "…"}`; `o` is output, `i` what was typed, `a` what
//!   the terminal answered. `NAME.tui.raw`, the bytes alone, is read with `NAME.tui.raw.timing.jsonl` beside it, and both
//!   with the exit in `NAME.tui.json`, where these are there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

/// Largest file that is read, in bytes.
const MAX_BYTES: u64 = 256 << 20;

/// What was recorded.
#[derive(Debug)]
pub enum Recording {
    /// A run that printed and ended.
    Headless {
        /// What it printed.
        lines: Vec<Line>,
        /// How it ended, unless the recorder ended it.
        exit: Option<i32>,
    },
    /// Messages of a structured channel.
    Structured {
        /// In order.
        messages: Vec<Message>,
    },
    /// A terminal.
    Terminal {
        /// In order.
        events: Vec<Event>,
        /// How the harness ended, where it did so by itself.
        exit: Option<i32>,
    },
}

/// One line of a headless run.
#[derive(Debug, Deserialize)]
pub struct Line {
    /// Seconds from the start.
    #[serde(rename = "t")]
    pub at: f64,
    /// `out` or `err`.
    #[serde(rename = "s")]
    pub stream: String,
    /// The line.
    #[serde(rename = "line")]
    pub text: String,
}

/// One message of a structured channel.
#[derive(Debug, Deserialize)]
pub struct Message {
    /// Seconds from the start.
    #[serde(rename = "t")]
    pub at: f64,
    /// `<` from the harness, `>` to it.
    #[serde(rename = "dir")]
    pub direction: String,
    /// What was said.
    #[serde(rename = "msg")]
    pub message: Value,
}

/// One thing that happened on a terminal.
#[derive(Debug, Deserialize)]
pub struct Event {
    /// From the start.
    #[serde(rename = "t", deserialize_with = "seconds")]
    pub at: Duration,
    /// `o`, `i` or `a`.
    #[serde(rename = "k")]
    pub kind: String,
    /// The bytes, as text.
    #[serde(rename = "d")]
    pub text: String,
}

/// Why a file is no recording; completes "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// It can't be read.
    #[error("read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is too large.
    #[error("read {}: it is larger than {MAX_BYTES} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is none of the forms.
    #[error(
        "read {}: it is no recording: neither a headless run ({{exit, lines}}), nor lines of a terminal ({{t, k, d}}) or of \
         a structured channel ({{t, dir, msg}}), nor raw terminal output (a name that ends in .raw)",
        path.display()
    )]
    NoRecording {
        /// The file.
        path: PathBuf,
    },
    /// One line of it is wrong.
    #[error("read {}, line {line}: {why}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        why: serde_json::Error,
    },
}

#[derive(Deserialize)]
struct Headless {
    #[serde(default)]
    exit: Value,
    lines: Vec<Line>,
}

impl Recording {
    /// Reads a file in whichever form it has.
    ///
    /// # Errors
    /// It can't be read, or is none of the forms.
    pub fn read(path: &Path) -> Result<Self, RecordingError> {
        let bytes = read(path)?;
        let name = path.to_string_lossy();
        if let Some(stem) = name.strip_suffix(".raw") {
            let timing = PathBuf::from(format!("{name}.timing.jsonl"));
            let events = if timing.is_file() { events(&timing, &read(&timing)?)? } else { untimed(&bytes) };
            return Ok(Self::Terminal { events, exit: exit_beside(stem) });
        }
        if let Ok(Headless { exit, lines }) = serde_json::from_slice(&bytes) {
            return Ok(Self::Headless { lines, exit: number(&exit) });
        }
        let first = bytes.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty());
        let first: Option<Value> = first.and_then(|line| serde_json::from_slice(line).ok());
        match first {
            Some(line) if line.get("k").is_some() => {
                let stem = name.strip_suffix(".raw.timing.jsonl").unwrap_or(&name);
                Ok(Self::Terminal { events: events(path, &bytes)?, exit: exit_beside(stem) })
            }
            Some(line) if line.get("dir").is_some() => {
                Ok(Self::Structured { messages: lines(path, &bytes)? })
            }
            _ => Err(RecordingError::NoRecording { path: path.to_owned() }),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, RecordingError> {
    let unreadable = |source| RecordingError::Unreadable { path: path.to_owned(), source };
    if fs::metadata(path).map_err(unreadable)?.len() > MAX_BYTES {
        return Err(RecordingError::TooLarge { path: path.to_owned() });
    }
    fs::read(path).map_err(unreadable)
}

fn lines<T: for<'de> Deserialize<'de>>(path: &Path, bytes: &[u8]) -> Result<Vec<T>, RecordingError> {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    lines
        .map(|(at, line)| {
            serde_json::from_slice(line).map_err(|why| RecordingError::Line {
                path: path.to_owned(),
                line: at + 1,
                why,
            })
        })
        .collect()
}

fn events(path: &Path, bytes: &[u8]) -> Result<Vec<Event>, RecordingError> {
    lines(path, bytes)
}

/// Output of which nobody knows when it came: all at once.
fn untimed(bytes: &[u8]) -> Vec<Event> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    vec![Event { at: Duration::ZERO, kind: "o".to_owned(), text }]
}

fn exit_beside(stem: &str) -> Option<i32> {
    let about: Value = serde_json::from_slice(&fs::read(format!("{stem}.json")).ok()?).ok()?;
    // One that lived on was ended by the recorder.
    if about.get("alive_after") == Some(&Value::Bool(true)) {
        return None;
    }
    number(about.get("exit")?)
}

fn number(exit: &Value) -> Option<i32> {
    exit.as_i64().and_then(|code| i32::try_from(code).ok())
}

fn seconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(dir: &Path, name: &str, text: &str) -> PathBuf {
        let path = dir.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn the_form_is_seen_in_the_file_and_not_in_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let terminal = file(
            dir.path(),
            "a",
            "{\"t\":0.5,\"k\":\"o\",\"d\":\"x\"}\n\n{\"t\":1,\"k\":\"i\",\"d\":\"y\"}\n",
        );
        assert!(
            matches!(Recording::read(&terminal).unwrap(), Recording::Terminal { events, .. } if events.len() == 2)
        );
        let headless = file(dir.path(), "b", r#"{"exit":"timeout","lines":[{"t":0,"s":"out","line":"x"}]}"#);
        assert!(matches!(Recording::read(&headless).unwrap(), Recording::Headless { exit: None, .. }));
        let structured = file(dir.path(), "c", r#"{"t":0,"dir":"<","msg":{}}"#);
        assert!(matches!(Recording::read(&structured).unwrap(), Recording::Structured { .. }));
    }

    #[test]
    fn raw_output_is_read_with_what_lies_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let raw = file(dir.path(), "x.tui.raw", "abc");
        assert!(
            matches!(Recording::read(&raw).unwrap(), Recording::Terminal { events, exit: None } if events.len() == 1)
        );
        file(
            dir.path(),
            "x.tui.raw.timing.jsonl",
            "{\"t\":1,\"k\":\"o\",\"d\":\"a\"}\n{\"t\":2,\"k\":\"o\",\"d\":\"b\"}",
        );
        file(dir.path(), "x.tui.json", r#"{"alive_after":false,"exit":1}"#);
        assert!(
            matches!(Recording::read(&raw).unwrap(), Recording::Terminal { events, exit: Some(1) } if events.len() == 2)
        );
    }

    #[test]
    fn what_is_no_recording_is_refused_by_name_and_line() {
        let dir = tempfile::tempdir().unwrap();
        for (text, words) in [
            ("", "it is no recording"),
            ("\u{0}\u{1}", "it is no recording"),
            ("{\"a\":1}", "it is no recording"),
            ("{\"t\":0,\"k\":\"o\",\"d\":\"x\"}\nnonsense\n", "line 2: expected ident"),
            ("{\"t\":-1,\"k\":\"o\",\"d\":\"x\"}\n", "line 1: "),
        ] {
            let error = Recording::read(&file(dir.path(), "x", text)).unwrap_err().to_string();
            assert!(error.contains(words), "{text:?}: {error}");
        }
        let error = Recording::read(&dir.path().join("nothing")).unwrap_err().to_string();
        assert!(error.contains("No such file"), "{error}");
    }
}
