//! One message with everything in it, and how to check that it was read right.

use std::fmt::Debug;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use posthouse_protocol::{Delivery, Encoding, Frame, FrameType, Header, Payload, SendMeta, Sync, When};

/// A message for the fixtures.
#[derive(Clone)]
pub struct Sample {
    /// Its frame type, and a word where there are several.
    pub name: String,
    /// Its header.
    pub header: Header,
    frames: [Frame; 2],
    check: Arc<dyn Fn(&Frame)>,
}

impl Sample {
    /// The message in one encoding.
    pub fn frame(&self, encoding: Encoding) -> &Frame {
        let [json, bincode] = &self.frames;
        if encoding == Encoding::Json { json } else { bincode }
    }

    /// The same as the bytes of its frame, without their length.
    pub fn payload(&self, encoding: Encoding) -> Bytes {
        let mut out = BytesMut::new();
        self.frame(encoding).encode(encoding, usize::MAX, &mut out).unwrap();
        out.freeze().slice(4..)
    }

    /// Panics unless `frame` says the same.
    pub fn check(&self, frame: &Frame) {
        (self.check)(frame);
    }
}

/// A sample with a plain header.
pub fn sample<P: Payload + PartialEq + Debug + 'static>(payload: P) -> Sample {
    of(P::KIND.to_string(), Header::new(P::KIND, "frame-1", 1_795_311_296_312), payload)
}

/// The same with next to nothing in it.
pub fn bare<P: Payload + PartialEq + Debug + 'static>(payload: P) -> Sample {
    of(format!("{} (bare)", P::KIND), Header::new(P::KIND, "", 0), payload)
}

/// A sample that is one of several of its type.
pub fn named<P: Payload + PartialEq + Debug + 'static>(word: &str, payload: P) -> Sample {
    of(format!("{} ({word})", P::KIND), Header::new(P::KIND, "frame-1", 1_795_311_296_312), payload)
}

/// A sample with a header of its own.
pub fn of<P: Payload + PartialEq + Debug + 'static>(name: String, header: Header, payload: P) -> Sample {
    carried(name, header, payload)
}

/// A sample whose header may be of another type than its payload, as DELIVER carries a SEND's.
pub fn carried<P: Payload + PartialEq + Debug + 'static>(name: String, header: Header, payload: P) -> Sample {
    let frame = |encoding| {
        let made = Frame::of(header.clone(), &payload, encoding).unwrap();
        Frame { header: header.clone(), body: made.body }
    };
    let frames = [frame(Encoding::Json), frame(Encoding::Bincode)];
    let check = move |frame: &Frame| assert_eq!(frame.body.decode::<P>().unwrap(), payload);
    Sample { name, header, frames, check: Arc::new(check) }
}

/// A header with every field.
pub fn full_header(kind: FrameType) -> Header {
    Header {
        kind,
        id: "mwr5zo43-0000-mkj0y1l".into(),
        ts: 1_795_311_296_312,
        from: Some("Alice".into()),
        to: Some("Bob".into()),
        topic: Some("builds".into()),
        meta: Some(SendMeta {
            requires_ack: Some(true),
            ttl_ms: Some(30_000),
            importance: Some(80),
            reply_to: Some("earlier".into()),
            sync: Some(Sync { correlation_id: "c-1".into(), timeout_ms: Some(1_500), blocking: true }),
            when: Some(When::TurnEnd),
            durability: Some(posthouse_protocol::Durability::Volatile),
            plain: Some(true),
            attempt: Some(2),
        }),
        delivery: Some(Delivery { seq: 7, session_id: "s-1".into(), original_to: Some("*".into()) }),
    }
}

/// Text that is not plain ASCII, with what JSON must escape.
pub const TEXT: &str = "Grüße, \"世界\" 🦀\n\ttab\\";
