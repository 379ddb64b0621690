//! Posthouse's frames. Messages and acknowledgements are written from templates, so that what is measured is the daemon
//! and not the generator's encoder.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use posthouse_protocol::code::Code;
use posthouse_protocol::handshake::Capabilities;
use posthouse_protocol::payload::{Ack, Message};
use posthouse_protocol::{
    Durability, Encoding, Frame, FrameType, Header, Hello, Payload, Receipt, ReceiptState, SendMeta, codec,
    limits,
};

use super::{Speech, Taken, Terms};

/// Ids of messages, never used twice in a run.
static NEXT: AtomicU64 = AtomicU64::new(0);
const ID: &str = "________________";
const ACKED: &str = "________-____-____-____-____________";

pub struct Posthouse {
    terms: Terms,
    body: String,
    sends: HashMap<String, Template>,
    ack: Template,
}

/// A frame with a place for an id.
struct Template {
    bytes: Vec<u8>,
    at: usize,
}

impl Template {
    fn of<P: Payload>(header: Header, payload: &P, encoding: Encoding, placeholder: &str) -> Self {
        let mut bytes = BytesMut::new();
        let frame = Frame::of(header, payload, encoding).expect("a frame");
        frame.encode(encoding, limits::MAX_FRAME, &mut bytes).expect("a frame");
        let at = find(&bytes, placeholder.as_bytes()).expect("a place");
        Self { bytes: bytes.to_vec(), at }
    }

    fn write(&mut self, id: &[u8], out: &mut Vec<u8>) {
        self.bytes[self.at..self.at + id.len()].copy_from_slice(id);
        out.extend_from_slice(&self.bytes);
    }
}

impl Posthouse {
    pub fn new(terms: Terms, body: usize) -> Self {
        let ack = Ack {
            ack_id: ACKED.to_owned(),
            seq: 0,
            correlation_id: None,
            response: None,
            response_data: None,
        };
        let ack = Template::of(Header::new(FrameType::Ack, "a", 0), &ack, terms.encoding, ACKED);
        Self { terms, body: "x".repeat(body), sends: HashMap::new(), ack }
    }

    fn receipt(&self, payload: Bytes) -> bool {
        let frame = Frame::decode(&payload, self.terms.encoding).expect("a frame");
        frame.body.decode::<Receipt>().is_ok_and(|receipt| receipt.state == ReceiptState::Accepted)
    }
}

impl Speech for Posthouse {
    fn greet(&mut self, name: &str, out: &mut Vec<u8>) {
        let mut hello = Hello::new(name);
        hello.encodings = vec![self.terms.encoding];
        hello.versions = Some(posthouse_protocol::handshake::VersionRange::OURS);
        hello.capabilities = Capabilities {
            ack: Some(self.terms.acks),
            receipts: Some(self.terms.receipts),
            ..Capabilities::default()
        };
        let mut bytes = BytesMut::new();
        let frame =
            Frame::of(Header::new(FrameType::Hello, "h", 0), &hello, Encoding::Json).expect("a frame");
        frame.encode(Encoding::Json, limits::MAX_FRAME, &mut bytes).expect("a frame");
        out.extend_from_slice(&bytes);
    }

    fn greeted(&mut self, inbound: &mut BytesMut) -> bool {
        let Some(payload) = codec::split(inbound, limits::MAX_FRAME).expect("a frame") else { return false };
        let frame = Frame::decode(&payload, Encoding::Json).expect("a frame");
        assert_eq!(frame.header.kind, FrameType::Welcome, "{payload:?}");
        true
    }

    fn send(&mut self, to: &str, out: &mut Vec<u8>) {
        if !self.sends.contains_key(to) {
            let durability = if self.terms.durable { None } else { Some(Durability::Volatile) };
            let mut header = Header::new(FrameType::Send, ID, 0);
            header.to = Some(to.to_owned());
            header.meta = durability.map(|d| SendMeta { durability: Some(d), ..SendMeta::default() });
            let message = Message::text(self.body.clone());
            self.sends.insert(to.to_owned(), Template::of(header, &message, self.terms.encoding, ID));
        }
        let id = format!("{:016x}", NEXT.fetch_add(1, Ordering::Relaxed));
        if let Some(template) = self.sends.get_mut(to) {
            template.write(id.as_bytes(), out);
        }
    }

    fn take(&mut self, inbound: &mut BytesMut, out: &mut Vec<u8>) -> Taken {
        let mut taken = Taken::default();
        while let Some(payload) = codec::split(inbound, limits::MAX_FRAME).expect("a frame") {
            let (kind, id) = match self.terms.encoding {
                // u16 type, u16 header length, and the header begins with the id and its length.
                Encoding::Bincode => {
                    (FrameType::from_number(u16::from_be_bytes([payload[0], payload[1]])), payload.get(5..41))
                }
                _ => (kind_in_json(&payload), id_in_json(&payload)),
            };
            match (kind, id) {
                (FrameType::Deliver, Some(id)) => {
                    taken.deliveries += 1;
                    if self.terms.acks {
                        self.ack.write(id, out);
                    }
                }
                (FrameType::Receipt, _) => taken.accepted += u64::from(self.receipt(payload.clone())),
                (FrameType::Error, _) => panic!("refused: {:?}", String::from_utf8_lossy(&payload)),
                _ => {}
            }
        }
        taken
    }
}

fn kind_in_json(payload: &[u8]) -> FrameType {
    for (word, kind) in
        [("DELIVER", FrameType::Deliver), ("RECEIPT", FrameType::Receipt), ("ERROR", FrameType::Error)]
    {
        let key = format!("\"type\":\"{word}\"");
        if find(payload.get(..80).unwrap_or(payload), key.as_bytes()).is_some() {
            return kind;
        }
    }
    FrameType::Ping
}

fn id_in_json(payload: &[u8]) -> Option<&[u8]> {
    let at = find(payload, b"\"id\":\"")? + 6;
    payload.get(at..at + 36)
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}
