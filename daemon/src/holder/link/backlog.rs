//! Events that their receiver has not taken yet. Output merges, so its size is bounded by the
//! window the holder keeps to, however small the pieces were.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::HolderEvent;

#[derive(Debug, Default)]
pub(super) struct Backlog {
    events: VecDeque<HolderEvent>,
    /// The newest event, while it is output that can still grow.
    growing: Option<Growing>,
}

#[derive(Debug)]
struct Growing {
    stream: crate::holder::run::StreamId,
    offset: u64,
    bytes: BytesMut,
}

impl Backlog {
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.growing.is_none()
    }

    pub fn push(&mut self, event: HolderEvent) {
        let HolderEvent::Output { stream, offset, bytes } = event else {
            self.seal();
            self.events.push_back(event);
            return;
        };
        match &mut self.growing {
            Some(last) if last.stream == stream && last.offset + last.bytes.len() as u64 == offset => {
                last.bytes.extend_from_slice(&bytes);
            }
            _ => {
                self.seal();
                self.growing = Some(Growing { stream, offset, bytes: into_mut(bytes) });
            }
        }
    }

    pub fn pop(&mut self) -> Option<HolderEvent> {
        if self.events.is_empty() {
            self.seal();
        }
        self.events.pop_front()
    }

    fn seal(&mut self) {
        if let Some(Growing { stream, offset, bytes }) = self.growing.take() {
            self.events.push_back(HolderEvent::Output { stream, offset, bytes: bytes.freeze() });
        }
    }
}

fn into_mut(bytes: Bytes) -> BytesMut {
    bytes.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::holder::run::StreamId;
    use crate::holder::script::{OperationId, Report, State};
    use uuid::Uuid;

    fn output(stream: StreamId, offset: u64, bytes: &'static [u8]) -> HolderEvent {
        HolderEvent::Output { stream, offset, bytes: Bytes::from_static(bytes) }
    }

    #[test]
    fn contiguous_output_of_one_stream_merges_and_order_stays() {
        let mut backlog = Backlog::default();
        let progress = Report {
            operation: OperationId::new(Uuid::nil()),
            steps_done: 1,
            partial_bytes: 0,
            state: State::Done,
        };
        backlog.push(output(StreamId::STDOUT, 0, b"ab"));
        backlog.push(output(StreamId::STDOUT, 2, b"c"));
        backlog.push(output(StreamId::STDERR, 0, b"x"));
        backlog.push(output(StreamId::STDOUT, 3, b"d"));
        backlog.push(HolderEvent::Progress(progress));
        backlog.push(output(StreamId::STDOUT, 9, b"e"));
        let mut seen = Vec::new();
        while let Some(event) = backlog.pop() {
            seen.push(match event {
                HolderEvent::Output { stream, offset, bytes } => {
                    format!("{}@{offset}:{}", stream.0, String::from_utf8_lossy(&bytes))
                }
                _ => "progress".into(),
            });
        }
        assert_eq!(seen, ["1@0:abc", "2@0:x", "1@3:d", "progress", "1@9:e"]);
        assert!(backlog.is_empty());
    }
}
