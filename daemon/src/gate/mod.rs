//! The gate: who connects, HELLO and WELCOME, limits, heartbeat and back-pressure.

pub mod outbox;
