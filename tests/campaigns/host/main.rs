//! The journal and its host: other programs that use, copy, move, cut, damage or replace its files
//! while a till sells, and between two starts. A loss must be reported, and no press of an earlier
//! sale may deduct again.

mod acts;
mod damage;
mod fixture;
mod forked;
mod frozen;
mod losses;
mod order;
mod places;
#[path = "../../support/random.rs"]
mod random;
#[allow(dead_code)]
#[path = "../../support/till.rs"]
mod till;

/// Returns whether every point is tried, and not only a sample.
fn full() -> bool {
    std::env::var("EPS_BUDGET").is_ok_and(|budget| budget == "full")
}
