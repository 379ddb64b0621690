//! The file of fixtures: one JSON object per line.

use std::path::PathBuf;

use bytes::Bytes;
use posthouse_protocol::Encoding;
use serde::{Deserialize, Serialize};

use crate::sample::Sample;

/// One message as it is on the wire.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fixture {
    /// Which.
    pub name: String,
    /// Its JSON payload.
    json: String,
    /// Its binary payload, in hexadecimal.
    bincode: String,
}

impl Fixture {
    /// A sample on today's wire.
    pub fn of(sample: &Sample) -> Self {
        let json = String::from_utf8(sample.payload(Encoding::Json).to_vec()).unwrap();
        let bincode = sample.payload(Encoding::Bincode).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { name: sample.name.clone(), json, bincode }
    }

    /// The JSON payload.
    pub fn json_bytes(&self) -> Bytes {
        Bytes::from(self.json.clone().into_bytes())
    }

    /// The binary payload.
    pub fn bincode_bytes(&self) -> Bytes {
        let digits = self.bincode.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    }
}

/// Every fixture, in order.
pub fn load() -> Vec<Fixture> {
    let text = std::fs::read_to_string(path()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Writes the file anew.
pub fn store(fixtures: &[Fixture]) {
    let lines: Vec<String> = fixtures.iter().map(|f| serde_json::to_string(f).unwrap()).collect();
    std::fs::write(path(), lines.join("\n") + "\n").unwrap();
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/frames.jsonl")
}
