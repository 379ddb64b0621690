//! The holder room: a tiny process per run owns the harness's terminal or pipes and outlives the
//! daemon. Here are the protocol between the two, the process itself, and the daemon's link to it.

pub mod ancestry;
mod cgroup;
pub mod confines;
pub mod link;
mod proc;
pub mod process;
pub mod ring;
pub mod run;
pub mod script;
pub mod survey;
pub mod wire;
