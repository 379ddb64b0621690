//! Every fuzz target on its corpus, and on what a few thousand changes make of it. `POSTHOUSE_FUZZ_SECONDS` gives each target
//! so much time instead; a failure says how to play it again.

use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use posthouse_tests::fuzz::{TARGETS, Target};
use posthouse_tests::soak::dice::Dice;

/// Changed inputs per target without a time.
const TRIES: usize = 200;
/// Longest input, in bytes.
const LONGEST: usize = 8 << 10;

/// One to eight changes: bits, bytes, pieces left out, doubled, or taken from another input.
fn changed(corpus: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut data = dice.one_of(corpus).clone();
    for _ in 0..=dice.below(8) {
        let at = dice.below(data.len() + 1);
        let length = dice.below(data.len() - at + 1).min(64);
        match dice.below(6) {
            0 if at < data.len() => data[at] ^= 1 << dice.below(8),
            1 if at < data.len() => data[at] = dice.below(256) as u8,
            2 => drop(data.drain(at..at + length)),
            3 => {
                let piece = data[at..at + length].to_vec();
                data.splice(at..at, piece);
            }
            4 => {
                let other = dice.one_of(corpus);
                let from = dice.below(other.len() + 1);
                let piece = other[from..(from + 64).min(other.len())].to_vec();
                data.splice(at..at, piece);
            }
            _ => data.insert(at, *dice.one_of(&[0, 0x1b, 0x7f, 0x80, 0xff, b'"', b'{', b'\n', b'9'])),
        }
    }
    data.truncate(LONGEST);
    data
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn holds(name: &str, target: Target, data: &[u8]) {
    if catch_unwind(|| target(data)).is_err() {
        let kept = std::env::temp_dir().join(format!("posthouse-fuzz-{name}"));
        std::fs::write(&kept, data).unwrap();
        panic!("{name} fails on {}: keep it in tests/fuzz/corpus/{name}", kept.display());
    }
}

#[test]
fn every_target_holds_on_its_corpus_and_on_what_changes_make_of_it() {
    let time = std::env::var("POSTHOUSE_FUZZ_SECONDS").ok().map(|seconds| seconds.parse().unwrap());
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        assert!(corpus.len() >= 4, "{name} has a corpus");
        corpus.iter().for_each(|data| holds(name, target, data));
        let (mut dice, begun, mut tries) = (Dice::new(7), Instant::now(), 0);
        while time.map_or(tries < TRIES, |time| begun.elapsed() < Duration::from_secs(time)) {
            holds(name, target, &changed(&corpus, &mut dice));
            tries += 1;
        }
        println!("{name}: {} inputs of the corpus, {tries} changed ones", corpus.len());
    }
}
