//! The sandbox's promises, tested over sockets and TLS.

mod admin;
mod certify;
mod cli;
mod client;
mod dashboard;
mod engage;
mod export;
mod faults;
mod judge;
mod magic;
mod openapi;
mod resident;
mod script;
mod state_file;
mod stores;
mod tls;
mod webhook;
mod world;

#[test]
fn example_of_the_crate_is_right() {
    use engage_sandbox::{Effect, Fault, Operation, Sandbox, seed::demo};

    let sandbox = Sandbox::builder().start();
    sandbox.arm(Fault::on(Operation::Purchase, Effect::ResetAfterCommit));
    assert_eq!(sandbox.balance(demo::ASTRID), Some(1200));
    assert!(sandbox.https_url().starts_with("https://localhost:"));
}
