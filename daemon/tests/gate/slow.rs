//! A client that stops reading is cut off, told why when it comes back, and loses nothing; nobody else notices.

use std::collections::HashSet;

use posthouse_protocol::handshake::Resume;
use posthouse_protocol::payload::{Ack, Error, Events, Status};
use posthouse_protocol::{ErrorCode, Frame, FrameType, Header, Hello};

use crate::house::{House, eventually};
use crate::peer::Peer;

/// Messages sent to the slow client: more than the sockets and the outbox take.
const MESSAGES: usize = 600;

fn deliver_id(frame: &Frame) -> String {
    frame.header.id.clone()
}

#[test]
fn a_client_that_stops_reading_is_cut_off_and_loses_nothing() {
    let house =
        House::started(&["limits.slow_reader_ms=300", "limits.heartbeat_ms=400", "limits.max_inflight=1000"]);
    let mut hello = Hello::new("sleeper");
    hello.capabilities.max_inflight = Some(1000);
    let sleeper = Peer::hello(&house.socket(), &hello);
    let token = sleeper.welcome.as_ref().unwrap().resume_token.clone();

    let mut sender = Peer::named(&house.socket(), "sender");
    let body = "z".repeat(16 * 1024);
    for n in 0..MESSAGES {
        sender.send_text(&format!("m-{n}"), "sleeper", &body);
    }
    let cut = eventually("the cut", || {
        let kinds = vec!["connection.cut".to_owned()];
        Peer::operator(&house.socket()).ask(&Events { kinds, ..Events::default() }).events.pop()
    });
    assert!(cut.data.as_str().contains("SLOW_CONSUMER"), "{cut:?}");
    sender.ask(&Status {});

    hello.session = Some(Resume { resume_token: token });
    let mut awake = Peer::hello(&house.socket(), &hello);
    let (mut told, mut bodies, mut ids) = (false, 0, HashSet::new());
    while bodies < MESSAGES || !told {
        let frame = awake.next().expect("the connection stays");
        match frame.header.kind {
            FrameType::Error => {
                let error: Error = frame.body.decode().unwrap();
                assert_eq!((error.code, error.fatal), (ErrorCode::SlowConsumer, false));
                told = true;
            }
            FrameType::Deliver => {
                assert!(ids.insert(deliver_id(&frame)), "{} came twice", frame.header.id);
                bodies += 1;
                let ack = Ack {
                    ack_id: frame.header.id.clone(),
                    seq: frame.header.delivery.as_ref().unwrap().seq,
                    correlation_id: None,
                    response: None,
                    response_data: None,
                };
                awake.send(Header::new(FrameType::Ack, "ack", 1), &ack);
            }
            _ => {}
        }
    }
    eventually("an empty queue", || (house.status().queued == 0).then_some(()));
    drop(sleeper);
}
