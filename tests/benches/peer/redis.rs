//! Redis: publish and subscribe over its Unix socket.

use bytes::{Buf, BytesMut};

use super::{Speech, Taken};

pub struct Redis {
    body: Vec<u8>,
    name: String,
}

impl Redis {
    pub fn new(body: usize) -> Self {
        Self { body: vec![b'x'; body], name: String::new() }
    }
}

impl Speech for Redis {
    /// RESP 3 lets a subscriber publish too.
    fn greet(&mut self, name: &str, out: &mut Vec<u8>) {
        name.clone_into(&mut self.name);
        out.extend_from_slice(
            format!("HELLO 3\r\nSUBSCRIBE {name}\r\nSUBSCRIBE all\r\nECHO greeted\r\n").as_bytes(),
        );
    }

    fn greeted(&mut self, inbound: &mut BytesMut) -> bool {
        let end = b"$7\r\ngreeted\r\n";
        let there = inbound.windows(end.len()).position(|window| window == end);
        there.map(|at| inbound.advance(at + end.len())).is_some()
    }

    fn send(&mut self, to: &str, out: &mut Vec<u8>) {
        let to = if to == "*" { "all" } else { to };
        let head = format!("*3\r\n$7\r\nPUBLISH\r\n${}\r\n{to}\r\n${}\r\n", to.len(), self.body.len());
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(&self.body);
        out.extend_from_slice(b"\r\n");
    }

    fn take(&mut self, inbound: &mut BytesMut, _out: &mut Vec<u8>) -> Taken {
        let mut taken = Taken::default();
        loop {
            match inbound.first() {
                // How many subscribers a PUBLISH of ours reached.
                Some(b':') => match inbound.windows(2).position(|window| window == b"\r\n") {
                    Some(end) => inbound.advance(end + 2),
                    None => return taken,
                },
                Some(b'>') => {
                    // `>3 $7 message $N channel $M body`: only the last part's length varies.
                    let Some(length) = pushed(inbound, self.body.len()) else { return taken };
                    inbound.advance(length);
                    taken.deliveries += 1;
                }
                _ => return taken,
            }
        }
    }
}

/// Bytes of a pushed message, if it is all there.
fn pushed(inbound: &[u8], body: usize) -> Option<usize> {
    let mut at = 0;
    for _ in 0..6 {
        at += inbound.get(at..)?.windows(2).position(|window| window == b"\r\n")? + 2;
    }
    let length = at + body + 2;
    (inbound.len() >= length).then_some(length)
}
