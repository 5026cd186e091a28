//! The library through its Rust API, against the sandbox over loopback: the promises of each call,
//! and the documents that state them. Each file is one part of the API or one document.

mod api_mapping;
mod engage;
mod fuzz_seeds;
mod health;
mod links;
mod log;
mod member;
mod metrics;
mod openapi;
mod purchase;
mod readme;
mod redeem;
mod submit;
#[path = "../support/mod.rs"]
mod support;
mod words;
