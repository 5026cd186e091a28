//! Sell loyalty rewards for points at the till: a crash-safe client of the Voyado Engage Point Shop.
//!
//! This is the Rust API; a till links the C API of `include/engage_point_shop.h`, which is made from `ffi`.
//! The way of a call: `ffi` → [`Client`] → `shop` (the state machine) → `journal` (durable) and `engage` (the wire) → `transport`.
#![deny(unsafe_code)]

mod client;
pub mod code;
mod config;
mod engage;
mod error;
#[allow(unsafe_code)]
pub mod ffi;
mod fields;
mod id;
mod journal;
mod log;
mod panics;
mod secret;
mod shop;
mod stats;
mod time;
mod transport;

pub use client::Client;
pub use code::{Code, Outcome};
pub use config::{Config, RetryRules};
pub use error::{Detail, Error, Result};
pub use id::{AssignmentId, ContactId, ItemId, OperationId};
pub use log::{Level, Sink};

/// The version of this library, as in its `Cargo.toml`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
