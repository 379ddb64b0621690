//! Reading old output out of the holder's ring: the stream is followed anew from an earlier offset, and what comes
//! before the present is gathered here.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// Without a word from the holder for this long, what was gathered is all there is.
const PATIENCE: Duration = Duration::from_secs(5);

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
    /// Old output has begun to come. What comes before it was on its way already.
    begun: bool,
    /// The stream has reached the present again.
    passed: bool,
    gives_up: Instant,
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
    pub fn new(from: u64, until: u64, limit: usize, reply: oneshot::Sender<Gathered>, now: Instant) -> Self {
        let mut replay = Self {
            from,
            until,
            limit,
            start: None,
            bytes: Vec::new(),
            reply: Some(reply),
            begun: false,
            passed: false,
            gives_up: now + PATIENCE,
        };
        if from >= until || limit == 0 {
            replay.finish();
        }
        replay
    }

    /// Takes output that may be part of it. `next` is the first byte that nobody has seen yet: while old output was
    /// asked for, new output went on, and all of it comes once more.
    pub fn take(&mut self, offset: u64, bytes: &[u8], next: u64) {
        self.begun |= offset < self.until;
        if !self.begun || self.passed {
            return;
        }
        if self.reply.is_some() {
            self.gather(offset, bytes);
        }
        if self.bytes.len() >= self.limit {
            self.answer();
        }
        let end = offset + bytes.len() as u64;
        if end >= self.until {
            self.answer();
        }
        self.passed = end >= next;
    }

    fn gather(&mut self, offset: u64, bytes: &[u8]) {
        let skip = usize::try_from(self.from.saturating_sub(offset)).unwrap_or(usize::MAX);
        let old = usize::try_from(self.until.saturating_sub(offset)).unwrap_or(usize::MAX);
        let Some(part) = bytes.get(skip..bytes.len().min(old)).filter(|part| !part.is_empty()) else {
            return;
        };
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

    fn answer(&mut self) {
        if let Some(reply) = self.reply.take() {
            let bytes = std::mem::take(&mut self.bytes);
            // Whoever asked may have gone.
            let _ = reply.send(Gathered { offset: self.start.unwrap_or(self.from), bytes });
        }
    }

    fn finish(&mut self) {
        self.passed = true;
        self.answer();
    }

    /// Gives up waiting for output that the ring may have lost altogether.
    pub fn tick(&mut self, now: Instant) {
        if now >= self.gives_up {
            self.finish();
        }
    }

    /// When [`Self::tick`] gives up, if there is still something to wait for.
    pub fn wakes_at(&self) -> Option<Instant> {
        (!self.passed).then_some(self.gives_up)
    }

    /// Whether the stream is in the present again, so that another reading may begin.
    pub fn is_done(&self) -> bool {
        self.passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(from: u64, until: u64, limit: usize, chunks: &[(u64, &[u8])]) -> Option<Gathered> {
        let (reply, mut answer) = oneshot::channel();
        let mut replay = Replay::new(from, until, limit, reply, Instant::now());
        for (offset, bytes) in chunks {
            replay.take(*offset, bytes, until);
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
    fn what_was_on_its_way_already_is_no_old_output() {
        let got = gather(0, 4, 100, &[(4, b"new"), (0, b"0123")]).unwrap();
        assert_eq!(got, Gathered { offset: 0, bytes: b"0123".to_vec() });
    }

    #[test]
    fn a_full_answer_is_given_at_once_and_the_next_reading_waits() {
        let (reply, mut answer) = oneshot::channel();
        let now = Instant::now();
        let mut replay = Replay::new(0, 8, 2, reply, now);
        replay.take(0, b"0123", 8);
        assert_eq!(answer.try_recv().unwrap().bytes, b"01");
        assert!(!replay.is_done());
        replay.take(4, b"4567", 10);
        assert!(!replay.is_done(), "two more bytes were seen meanwhile and are on their way again");
        replay.take(8, b"89", 10);
        assert!(replay.is_done());
    }

    #[test]
    fn what_never_comes_is_not_waited_for_forever() {
        let (reply, mut answer) = oneshot::channel();
        let now = Instant::now();
        let mut replay = Replay::new(0, 8, 2, reply, now);
        replay.tick(now + PATIENCE);
        assert!(replay.is_done() && answer.try_recv().unwrap().bytes.is_empty());
    }

    #[test]
    fn what_the_ring_has_lost_is_left_out() {
        let got = gather(0, 9, 100, &[(0, b"01"), (5, b"5678")]).unwrap();
        assert_eq!(got, Gathered { offset: 5, bytes: b"5678".to_vec() });
    }
}
