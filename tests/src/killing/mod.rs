//! The kill matrix: a real daemon with real holders dies by SIGKILL at every fail point that a message of each kind comes
//! by, each time that it comes by it, and the next one is held to what was promised.
//!
//! # Theory of operation
//!
//! A `Place` is one daemon's world with a stand-in agent, a canary (a terminal full of random bytes) and three clients.
//! A [`Case`] arms one point, sends one message, waits for the daemon's death or the message's end, starts the next
//! daemon, has the clients come back, and judges (`verdict`) by what cannot be embellished: what clients were given,
//! the stand-in's own log, the journal's file, `/proc`. Points that no message comes by (starts, adoptions, moves,
//! migrations, the holder's own) are [`scenes`].

mod person;
mod place;
pub mod scenes;
pub mod table;
mod verdict;

use posthoused::fail_point::Point;

use crate::world::CANARY;
pub use place::Place;
pub use verdict::Verdict;

/// The stand-in's session.
pub const AGENT: &str = "agent";

/// A kind of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// To one client.
    Client,
    /// To a session.
    Session,
    /// To everybody.
    Broadcast,
    /// To a channel.
    Channel,
    /// To a client, whose answer is waited for.
    Blocking,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Client, Self::Session, Self::Broadcast, Self::Channel, Self::Blocking];

    /// As the table calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Session => "session",
            Self::Broadcast => "broadcast",
            Self::Channel => "channel",
            Self::Blocking => "blocking",
        }
    }

    /// Clients that get it.
    pub const fn clients(self) -> &'static [&'static str] {
        match self {
            Self::Client | Self::Blocking => &["bob"],
            Self::Session => &[],
            Self::Broadcast | Self::Channel => &["bob", "carol"],
        }
    }

    /// Sessions that get it.
    pub const fn sessions(self) -> &'static [&'static str] {
        match self {
            Self::Client | Self::Blocking => &[],
            Self::Session => &[AGENT],
            Self::Broadcast | Self::Channel => &[AGENT, CANARY],
        }
    }
}

/// Points that messages come by, in their order.
pub const ON_THE_WAY: [Point; 13] = [
    Point::GateFrames,
    Point::PostSubmit,
    Point::JournalBefore,
    Point::JournalAfter,
    Point::PostCommitted,
    Point::PostFrames,
    Point::GateWritten,
    Point::PostInject,
    Point::SessionNote,
    Point::SessionWrite,
    Point::SessionWritten,
    Point::SessionSubmitted,
    Point::SessionConfirm,
];

/// One death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Where.
    pub point: Point,
    /// How often the point is passed first.
    pub after: u32,
    /// On the way of what.
    pub kind: Kind,
}

/// Faulty deaths after which a kind of message is given up: each takes its time, and the point is made.
const ENOUGH: u32 = 3;

/// Dies at a point each time that a message of the kind comes by it, up to `most` times. Everything happens in one world,
/// one death after the other, so that what adds up shows.
pub async fn along(kind: Kind, points: &[Point], most: u32) -> Vec<table::Row> {
    let mut place = Place::new(kind).await;
    let (mut rows, mut faulty) = (Vec::new(), 0);
    for &point in points {
        let mut row = table::Row::new(point.name(), kind.name());
        for after in 0..most {
            match place.die(Case { point, after, kind }).await {
                Ok(verdict) => {
                    row.add(&verdict);
                    faulty += u32::from(!verdict.is_clean());
                    if faulty == ENOUGH {
                        row.words.push("the rest was left out".to_owned());
                        rows.push(row);
                        return rows;
                    }
                    if !verdict.died {
                        break;
                    }
                }
                Err(error) => {
                    row.words.push(format!("a client was not taken back: {error}"));
                    rows.push(row);
                    return rows;
                }
            }
        }
        rows.push(row);
    }
    rows
}
