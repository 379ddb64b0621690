//! What post does, tested without I/O.

mod admit;
mod blocking;
mod direct;
mod hostile;
mod journal;
mod many;
mod model;
mod quota;
mod session;
mod world;
