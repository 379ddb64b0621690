//! The raw router's frames.

use bytes::BytesMut;
use posthouse_protocol::codec;

use super::{Speech, Taken};

pub struct Raw {
    body: Vec<u8>,
}

impl Raw {
    pub fn new(body: usize) -> Self {
        Self { body: vec![b'x'; body] }
    }
}

impl Speech for Raw {
    fn greet(&mut self, name: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(&(name.len() as u32).to_be_bytes());
        out.extend_from_slice(name.as_bytes());
    }

    fn greeted(&mut self, inbound: &mut BytesMut) -> bool {
        codec::split(inbound, usize::MAX).expect("a frame").is_some()
    }

    fn send(&mut self, to: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(&((1 + to.len() + self.body.len()) as u32).to_be_bytes());
        out.push(to.len() as u8);
        out.extend_from_slice(to.as_bytes());
        out.extend_from_slice(&self.body);
    }

    fn take(&mut self, inbound: &mut BytesMut, _out: &mut Vec<u8>) -> Taken {
        let mut taken = Taken::default();
        while codec::split(inbound, usize::MAX).expect("a frame").is_some() {
            taken.deliveries += 1;
        }
        taken
    }
}
