//! Ten thousand random and mutated streams: no panic, no hang, no leak, and nobody else notices.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use posthouse_protocol::payload::Status;
use posthouse_protocol::{Encoding, FrameType, Hello};

use crate::house::{House, eventually};
use crate::peer::Peer;

/// Streams per kind: before HELLO, after it in JSON, after it in bincode.
const STREAMS: u64 = 3_400;
/// Threads that send them.
const SENDERS: u64 = 4;
/// Longest that the bystander may wait for an answer. Generous, because the machine is busy with the nonsense itself.
const BYSTANDER: Duration = Duration::from_secs(5);

/// A generator whose streams are the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.below(most + 1);
        std::iter::repeat_with(|| self.next().to_le_bytes()[0]).take(length).collect()
    }
}

/// Every message there is, as bytes, but for those that would end or start something if they arrived unharmed.
struct Corpus {
    json: Vec<Vec<u8>>,
    bincode: Vec<Vec<u8>>,
}

impl Corpus {
    fn load() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/tests/golden/frames.jsonl");
        let text = std::fs::read_to_string(path).unwrap();
        let (mut json, mut bincode) = (Vec::new(), Vec::new());
        for line in text.lines() {
            let fixture: serde_json::Value = serde_json::from_str(line).unwrap();
            let name = fixture["name"].as_str().unwrap();
            if ["SHUTDOWN", "SPAWN", "BYE"].iter().any(|kind| name.starts_with(kind)) {
                continue;
            }
            json.push(fixture["json"].as_str().unwrap().as_bytes().to_vec());
            let digits = fixture["bincode"].as_str().unwrap().as_bytes();
            let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
            bincode.push(digits.chunks(2).map(byte).collect());
        }
        Self { json, bincode }
    }

    /// A stream of a few frames with something wrong in it, or nothing but noise.
    fn stream(&self, random: &mut Random, encoding: Encoding) -> Vec<u8> {
        let frames = if encoding == Encoding::Json { &self.json } else { &self.bincode };
        let mut stream = Vec::new();
        for _ in 0..=random.below(4) {
            let mut payload = match random.below(5) {
                0 => random.bytes(200),
                _ => frames[random.below(frames.len())].clone(),
            };
            for _ in 0..random.below(4) {
                mutate(&mut payload, random);
            }
            let claimed = match random.below(12) {
                0 => u32::try_from(random.next() >> 32).unwrap(),
                _ => u32::try_from(payload.len()).unwrap(),
            };
            stream.extend_from_slice(&claimed.to_be_bytes());
            stream.extend_from_slice(&payload);
        }
        if random.below(4) == 0 {
            stream.truncate(random.below(stream.len()));
        }
        stream
    }
}

fn mutate(payload: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(payload.len());
    match random.below(4) {
        0 if !payload.is_empty() => payload[at] ^= 1 << random.below(8),
        1 if !payload.is_empty() => drop(payload.remove(at)),
        2 => drop(payload.splice(at..at, random.bytes(9))),
        _ => payload.truncate(at),
    }
}

/// Sends one stream and reads until the daemon closes.
fn send(mut peer: Peer, stream: &[u8]) {
    // The daemon may have cut us off in the middle, which is its right.
    let _ = peer.stream.write_all(stream);
    peer.stop_writing();
    let mut answers = Vec::new();
    match peer.stream.read_to_end(&mut answers) {
        Ok(_) => {}
        Err(e) => {
            assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset, "the daemon neither answers nor closes")
        }
    }
}

/// Asks for the status over and over; the longest wait for an answer.
fn bystand(socket: &Path, done: &AtomicBool) -> (u64, Duration) {
    let mut peer = Peer::named(socket, "bystander");
    let (mut asked, mut worst) = (0, Duration::ZERO);
    while !done.load(Ordering::Relaxed) {
        let begun = Instant::now();
        peer.ask(&Status {});
        worst = worst.max(begun.elapsed());
        asked += 1;
    }
    (asked, worst)
}

#[test]
fn nonsense_harms_nobody() {
    let house = House::started(&["log.filter=error"]);
    let (socket, corpus, done) = (house.socket(), Corpus::load(), AtomicBool::new(false));
    drop(Peer::named(&socket, "warm"));
    let before = eventually("quiet", || (house.status().connections == 1).then(|| house.descriptors()));

    let (asked, worst) = std::thread::scope(|scope| {
        let bystander = scope.spawn(|| bystand(&socket, &done));
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (socket, corpus) = (&socket, &corpus);
                scope.spawn(move || {
                    for n in (sender..STREAMS).step_by(usize::try_from(SENDERS).unwrap()) {
                        let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (n + 1));
                        send(Peer::connect(socket), &corpus.stream(&mut random, Encoding::Json));
                        for encoding in [Encoding::Json, Encoding::Bincode] {
                            let mut hello = Hello::new(format!("noise-{sender}-{encoding}"));
                            hello.encodings = vec![encoding];
                            // The name is free again once the daemon has seen the last connection's end.
                            let peer = eventually("the name", || Peer::try_hello(socket, &hello).ok());
                            send(peer, &corpus.stream(&mut random, encoding));
                        }
                    }
                })
            })
            .collect();
        let harmed: Vec<_> = senders.into_iter().map(|sender| sender.join().is_err()).collect();
        done.store(true, Ordering::Relaxed);
        assert!(!harmed.contains(&true), "a stream was neither answered nor closed");
        bystander.join().expect("the bystander was disturbed")
    });

    assert!(asked > 100, "the bystander got {asked} answers only");
    assert!(worst < BYSTANDER, "the bystander waited {worst:?}");
    let status = house.status();
    assert_eq!(status.panics, 0);
    eventually("the end of every connection", || (house.status().connections == 1).then_some(()));
    let left = eventually("closed sockets", || Some(house.descriptors()).filter(|now| *now <= before + 2));
    assert!(left <= before + 2);
    Peer::operator(&socket).wait_for_nothing();
}

impl Peer {
    fn wait_for_nothing(mut self) {
        self.send_text("still", "nobody-here", "are you there?");
        let refused = self.wait_for(FrameType::Error);
        assert_eq!(refused.header.id, "still");
    }
}
