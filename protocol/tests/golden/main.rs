//! The wire as it is: a fixture of every message in both encodings.
//!
//! `frames.jsonl` is what peers of today send and understand. A change that makes a test here fail breaks them: add a
//! field as an extension instead. After a deliberate addition, `UPDATE_GOLDEN=1 cargo test -p posthouse-protocol
//! --test golden` writes the file anew, and the diff must show added lines only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod asks;
mod daemon;
mod fixture;
mod later;
mod message;
mod sample;
mod session;

use std::collections::BTreeSet;

use fixture::Fixture;
use posthouse_protocol::{Encoding, Frame, FrameType};
use sample::Sample;

fn samples() -> Vec<Sample> {
    [
        message::samples(),
        session::samples(),
        daemon::samples(),
        asks::samples(),
        later::samples(),
        session::later(),
    ]
    .concat()
}

#[test]
fn every_message_is_written_as_it_always_was() {
    let now: Vec<Fixture> = samples().iter().map(Fixture::of).collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fixture::store(&now);
    }
    let kept = fixture::load();
    for (now, kept) in now.iter().zip(&kept) {
        assert_eq!(now, kept);
    }
    assert_eq!(now.len(), kept.len(), "messages were added or removed");
}

#[test]
fn every_message_is_read_as_it_always_was() {
    for (sample, fixture) in samples().iter().zip(fixture::load()) {
        assert_eq!(sample.name, fixture.name);
        for (encoding, bytes) in
            [(Encoding::Json, fixture.json_bytes()), (Encoding::Bincode, fixture.bincode_bytes())]
        {
            let frame = Frame::decode(&bytes, encoding).unwrap_or_else(|e| panic!("{}: {e}", sample.name));
            assert_eq!(frame.header, sample.header, "{}", sample.name);
            sample.check(&frame);
        }
    }
}

#[test]
fn every_message_means_the_same_after_transcoding() {
    for sample in samples() {
        for (from, to) in [(Encoding::Json, Encoding::Bincode), (Encoding::Bincode, Encoding::Json)] {
            let original = sample.frame(from);
            let mut out = bytes::BytesMut::new();
            original.encode(to, usize::MAX, &mut out).unwrap_or_else(|e| panic!("{}: {e}", sample.name));
            assert_eq!(out.freeze().slice(4..), sample.payload(to), "{}", sample.name);
        }
    }
}

#[test]
fn no_frame_type_is_left_out() {
    let covered: BTreeSet<FrameType> = samples().iter().map(|sample| sample.header.kind).collect();
    assert_eq!(covered, FrameType::ALL.iter().copied().collect());
}
