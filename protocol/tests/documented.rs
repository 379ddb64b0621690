//! `docs/protocol.md` names every frame type, error code and state with its number.

#![allow(clippy::unwrap_used)]

use posthouse_protocol::code::Code;
use posthouse_protocol::{ErrorCode, Evidence, FrameType, ReceiptState};

fn page() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/protocol.md")).unwrap()
}

/// The words in code quotes of a table row, and the numbers in its first cell.
fn row(line: &str) -> Option<(Vec<u16>, Vec<&str>)> {
    let mut cells = line.strip_prefix('|')?.split('|');
    let numbers = cells.next()?.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
    let words = cells.next()?.split('`').skip(1).step_by(2).collect();
    Some((numbers, words))
}

fn assert_documented<C: Code + std::fmt::Display>(codes: &[C]) {
    let page = page();
    let rows: Vec<_> = page.lines().filter_map(row).collect();
    for code in codes {
        let word = code.word();
        let found = rows.iter().any(|(numbers, words)| {
            let at = words.iter().position(|known| *known == word);
            at.is_some_and(|at| numbers.get(at) == Some(&code.number()))
        });
        assert!(found, "{word} with its number {} has no row in docs/protocol.md", code.number());
    }
}

#[test]
fn every_frame_type_is_documented() {
    assert_documented(FrameType::ALL);
}

#[test]
fn every_error_code_is_documented() {
    assert_documented(ErrorCode::ALL);
}

#[test]
fn every_state_and_evidence_is_documented() {
    assert_documented(ReceiptState::ALL);
    let page = page();
    for evidence in Evidence::ALL {
        let said = format!("`{}` {}", evidence.word(), evidence.number());
        assert!(page.contains(&said), "{said} is missing in docs/protocol.md");
    }
}
