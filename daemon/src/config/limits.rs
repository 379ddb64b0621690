//! The settings themselves.

use posthouse_protocol::limits;

use super::section::section;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const MIB: u64 = 1024 * 1024;

section! {
    /// What connections and requests may take.
    "limits" Limits / LimitsLayer {
        /// Most open connections.
        connections: u32 = 4096u32, in 1..=1_000_000;
        /// Largest payload of a frame after HELLO, in bytes.
        max_frame_bytes: u32 = limits::MAX_FRAME as u32, in 65_536..=limits::MAX_FRAME as u64;
        /// Most deliveries that a client may leave unacknowledged.
        max_inflight: u32 = limits::MAX_IN_FLIGHT, in 1..=65_536;
        /// Most unanswered requests of one connection.
        max_requests: u32 = 256u32, in 1..=65_536;
        /// How long a connection may take to say HELLO, in milliseconds.
        hello_ms: u32 = limits::HELLO_DEADLINE.as_millis() as u32, in 10..=600_000;
        /// Interval of the heartbeat, in milliseconds.
        heartbeat_ms: u32 = limits::HEARTBEAT.as_millis() as u32, in 10..=600_000;
        /// Heartbeats without a sign of life after which a connection is cut off.
        missed_pongs: u32 = limits::MISSED_PONGS, in 1..=1_000;
        /// A client that takes no byte of what waits for it is cut off after this many milliseconds.
        slow_reader_ms: u32 = 10_000u32, in 10..=600_000;
        /// Most sessions that may exist at one time.
        sessions: u32 = 1_000u32, in 1..=100_000;
        /// Most names that one user may have.
        names: u32 = 10_000u32, in 1..=1_000_000;
        /// Most open connections of one name, as of a session's agent.
        connections_per_name: u32 = 256u32, in 1..=1_000_000;
        /// Most channels that one name may be a member of.
        channels_per_name: u32 = 256u32, in 1..=65_536;
        /// Most topics that one connection may subscribe to.
        topics_per_connection: u32 = 256u32, in 1..=65_536;
        /// Most durable messages that may wait for one name.
        inbox_messages: u64 = 100_000u64, in 1..=1 << 32;
        /// Most bytes of them.
        inbox_bytes: u64 = 256 * MIB, in 1..=1 << 44;
        /// Most bytes that one name may have the journal write within an hour.
        journal_bytes_per_hour: u64 = 1024 * MIB, in 65_536..=1 << 44;
    }
}

section! {
    /// What the processes of one run may take together, where the daemon's control group can be divided.
    "runs" Runs / RunsLayer {
        /// Most bytes of memory; beyond them the kernel ends the largest process of that run. 0 means no such bound.
        memory_bytes: u64 = 0u64, in 0..=1 << 50;
        /// Most processes and threads; 0 means no such bound.
        tasks: u64 = 0u64, in 0..=1 << 22;
    }
}

section! {
    /// How much history is kept. Whichever bound is reached first applies.
    "journal" Journal / JournalLayer {
        /// Events younger than this are kept, in milliseconds.
        event_age_ms: u64 = 30 * DAY_MS, in 60_000..=3650 * DAY_MS;
        /// About this many events are kept.
        event_rows: u64 = 2_000_000u64, in 1_000..=1 << 40;
        /// Ended messages and their receipts younger than this are kept, in milliseconds.
        message_age_ms: u64 = 30 * DAY_MS, in 60_000..=3650 * DAY_MS;
        /// About this many ended receipts are kept.
        receipt_rows: u64 = 1_000_000u64, in 1_000..=1 << 40;
        /// Above this many bytes in use, history goes regardless of its age.
        bytes: u64 = 4096 * MIB, in 16 * MIB..=1 << 44;
        /// The file never grows beyond this many bytes; 0 means no such bound.
        max_bytes: u64 = 0u64, in 0..=1 << 44;
    }
}

section! {
    /// What is logged.
    "log" Log / LogLayer {
        /// Levels by module, in the syntax of tracing's EnvFilter.
        filter: String = "info", in 1..=1024;
        /// The log file is started anew at this size, in bytes; one older file is kept.
        file_bytes: u64 = 8 * MIB, in 65_536..=1 << 32;
    }
}
