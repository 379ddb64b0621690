//! Reading old output out of the holder's ring: the stream is followed anew from an earlier offset, and what comes
//! before the present is gathered here.

use tokio::sync::oneshot;

/// Output from an offset on, being gathered.
#[derive(Debug)]
pub struct Replay {
    from: u64,
    /// The present when the reading began.
    until: u64,
    limit: usize,
    /// Absolute offset of the first byte gathered.
    start: Option<u64>,
    bytes: Vec<u8>,
    reply: Option<oneshot::Sender<Gathered>>,
}

/// What was gathered.
#[derive(Debug, PartialEq, Eq)]
pub struct Gathered {
    /// Absolute offset of the first byte.
    pub offset: u64,
    /// The bytes, contiguous.
    pub bytes: Vec<u8>,
}

impl Replay {
    /// Gathers at most `limit` bytes of `from..until`.
    pub fn new(from: u64, until: u64, limit: usize, reply: oneshot::Sender<Gathered>) -> Self {
        let mut replay = Self { from, until, limit, start: None, bytes: Vec::new(), reply: Some(reply) };
        replay.finish_if_done(from);
        replay
    }

    /// Takes output that may be part of it.
    pub fn take(&mut self, offset: u64, bytes: &[u8]) {
        if self.reply.is_none() {
            return;
        }
        let skip = usize::try_from(self.from.saturating_sub(offset)).unwrap_or(usize::MAX);
        let old = usize::try_from(self.until.saturating_sub(offset)).unwrap_or(usize::MAX);
        if let Some(part) = bytes.get(skip..bytes.len().min(old)).filter(|part| !part.is_empty()) {
            let offset = offset + skip as u64;
            // What the ring lost meanwhile would leave a hole: only what follows it is told.
            if self.start.is_some_and(|start| start + self.bytes.len() as u64 != offset) {
                self.bytes.clear();
                self.start = None;
            }
            self.start.get_or_insert(offset);
            let room = self.limit.saturating_sub(self.bytes.len());
            self.bytes.extend_from_slice(part.get(..part.len().min(room)).unwrap_or_default());
        }
        self.finish_if_done(offset + bytes.len() as u64);
    }

    fn finish_if_done(&mut self, seen: u64) {
        if (seen >= self.until || self.bytes.len() >= self.limit)
            && let Some(reply) = self.reply.take()
        {
            let gathered =
                Gathered { offset: self.start.unwrap_or(self.from), bytes: std::mem::take(&mut self.bytes) };
            let _ = reply.send(gathered);
        }
    }

    /// Whether all was gathered.
    pub fn is_done(&self) -> bool {
        self.reply.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(from: u64, until: u64, limit: usize, chunks: &[(u64, &[u8])]) -> Option<Gathered> {
        let (reply, mut answer) = oneshot::channel();
        let mut replay = Replay::new(from, until, limit, reply);
        for (offset, bytes) in chunks {
            replay.take(*offset, bytes);
        }
        answer.try_recv().ok()
    }

    #[test]
    fn gathers_exactly_what_was_asked_for() {
        let all = |from, until, limit| gather(from, until, limit, &[(0, b"0123"), (4, b"4567"), (8, b"89")]);
        assert_eq!(all(2, 9, 100).unwrap(), Gathered { offset: 2, bytes: b"2345678".to_vec() });
        assert_eq!(all(2, 9, 3).unwrap(), Gathered { offset: 2, bytes: b"234".to_vec() });
        assert_eq!(all(9, 9, 3).unwrap(), Gathered { offset: 9, bytes: vec![] });
        assert_eq!(all(2, 11, 100), None, "not all of it has come yet");
    }

    #[test]
    fn what_the_ring_has_lost_is_left_out() {
        let got = gather(0, 9, 100, &[(0, b"01"), (5, b"5678")]).unwrap();
        assert_eq!(got, Gathered { offset: 5, bytes: b"5678".to_vec() });
    }
}
