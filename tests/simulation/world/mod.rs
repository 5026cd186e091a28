//! A simulation of whole tills: the library's own client, runtime, core and API code in a world that comes from a
//! seed. The system's threads, clocks, disk and network are replaced; nothing above them is.

mod book;
pub(crate) mod disk;
pub(crate) mod engage;
pub(crate) mod network;
pub(crate) mod plan;
mod random;
mod scenario;
pub(crate) mod scheduler;
mod state;
pub(crate) mod system;
mod worlds;
mod report;

pub use report::main;
