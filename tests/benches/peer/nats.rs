//! NATS: lines of text over TCP.

use bytes::{Buf, BytesMut};

use super::{Speech, Taken};

pub struct Nats {
    body: Vec<u8>,
}

impl Nats {
    pub fn new(body: usize) -> Self {
        Self { body: vec![b'x'; body] }
    }
}

impl Speech for Nats {
    fn greet(&mut self, name: &str, out: &mut Vec<u8>) {
        let text =
            format!("CONNECT {{\"verbose\":false,\"echo\":false}}\r\nSUB {name} 1\r\nSUB all 2\r\nPING\r\n");
        out.extend_from_slice(text.as_bytes());
    }

    fn greeted(&mut self, inbound: &mut BytesMut) -> bool {
        let there = inbound.windows(6).position(|window| window == b"PONG\r\n");
        there.map(|at| inbound.advance(at + 6)).is_some()
    }

    fn send(&mut self, to: &str, out: &mut Vec<u8>) {
        let to = if to == "*" { "all" } else { to };
        out.extend_from_slice(format!("PUB {to} {}\r\n", self.body.len()).as_bytes());
        out.extend_from_slice(&self.body);
        out.extend_from_slice(b"\r\n");
    }

    fn take(&mut self, inbound: &mut BytesMut, out: &mut Vec<u8>) -> Taken {
        let mut taken = Taken::default();
        while let Some(end) = inbound.windows(2).take(256).position(|window| window == b"\r\n") {
            let line = String::from_utf8_lossy(&inbound[..end]).into_owned();
            if let Some(rest) = line.strip_prefix("MSG ") {
                let size: usize = rest.rsplit(' ').next().and_then(|size| size.parse().ok()).expect("a size");
                if inbound.len() < end + 2 + size + 2 {
                    break;
                }
                inbound.advance(end + 2 + size + 2);
                taken.deliveries += 1;
            } else {
                if line == "PING" {
                    out.extend_from_slice(b"PONG\r\n");
                }
                inbound.advance(end + 2);
            }
        }
        taken
    }
}
