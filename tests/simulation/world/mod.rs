//! A simulation of whole tills: the library's own client, runtime, core and API code in a world
//! that comes from a seed. The system's threads, clocks, disk and network are replaced; nothing
//! above them is.
// A stand-in has the signature of what it replaces.
#![allow(clippy::trivially_copy_pass_by_ref, clippy::unnecessary_wraps, clippy::unused_self)]
// Times and counts of a run are written as they are read.
#![allow(clippy::range_plus_one, clippy::similar_names, clippy::needless_for_each, clippy::struct_field_names)]
#![allow(clippy::format_push_string, clippy::bool_to_int_with_if)]

mod book;
mod differential;
pub(crate) mod disk;
pub(crate) mod engage;
pub(crate) mod network;
pub(crate) mod plan;
mod random;
mod report;
mod scenario;
pub(crate) mod scheduler;
mod seeds;
mod shrink;
mod state;
pub(crate) mod system;
mod worlds;

pub use differential::compare_with_journal;
pub use report::{
    broken_at_the_gate, cost, log_of_a_failing_disk, main, queries_after_a_restart, run_steps, run_twice, world_names,
};
pub use seeds::run_kept;
