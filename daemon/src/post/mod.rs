//! Post: the directory of names, their queues, channels, broadcast and receipts. One actor owns all of it.

pub mod command;
