//! A simulation of whole tills: the library's own client, runtime, core and API code in a world that comes from a
//! seed. The system's threads, clocks, disk and network are replaced; nothing above them is.

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
pub use report::{main, run_steps, run_twice, world_names};
pub use seeds::run_kept;
