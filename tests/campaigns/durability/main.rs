//! Processes are killed at any moment: no purchase is lost, none is deducted twice, and every
//! reported outcome is true. The processes and SIGKILL are real. The sandbox stands in for Engage.
//! `EPS_BUDGET=full` tries every point instead of a sample.

#[path = "../../support/judge.rs"]
mod judge;
#[path = "../../support/random.rs"]
mod random;
#[path = "../../support/till.rs"]
mod till;

mod campaign;
mod kill_points;
mod random_kills;
mod redeem_kills;
mod two_processes;
