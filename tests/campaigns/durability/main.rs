//! Whatever is killed, and whenever: no purchase is lost, none is deducted twice, and nobody is told what is not so.
//! Real processes, real SIGKILL, a real Engage's stand-in; `EPS_BUDGET=full` tries every point instead of a sample.

#[path = "../../support/judge.rs"]
mod judge;
#[path = "../../support/till.rs"]
mod till;

mod campaign;
mod kill_points;
mod random_kills;
mod redeem_kills;
mod two_processes;
