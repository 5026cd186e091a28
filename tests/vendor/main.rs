//! What a POS vendor does with the sandbox, with the real programs: certifies a till, and watches one on the sandbox's page.
#![cfg(unix)]

mod browser;
mod certify;
mod page;
#[path = "../support/mod.rs"]
mod support;
