//! Sell loyalty rewards for points at the till: a crash-safe client of the Voyado Engage Point
//! Shop.
//!
//! This is the Rust API. A POS links the C API of `include/engage_point_shop.h`, which is made from
//! `ffi`. The way of a call: `ffi` → [`Client`] → `runtime` → (`core` decides, `journal` stores,
//! `engage` asks) → `transport`.
#![deny(missing_docs)]
#![deny(unsafe_code)]
#![cfg_attr(not(feature = "simulation"), warn(clippy::too_many_lines))]
#![cfg_attr(feature = "simulation", allow(dead_code, unused_imports))] // The simulation takes the place of the layers below.

#[cfg(all(feature = "simulation", not(debug_assertions)))]
compile_error!("the feature simulation is for tests: a release of the library must not have it");

mod api;
mod client;
mod config;
mod core;
mod engage;
#[allow(unsafe_code)]
pub mod ffi;
mod journal;
mod log;
mod metrics;
#[allow(unsafe_code)]
mod os;
mod panics;
mod rt;
mod runtime;
mod secret;
#[cfg(feature = "simulation")]
#[path = "../tests/simulation/world/mod.rs"]
pub mod simulation;
mod stats;
mod texts;
mod transport;
mod version;

pub use client::{Client, Exchange, Notify, Observer};
pub use config::Config;
pub use core::code::{self, Code, Outcome};
pub use core::error::{Detail, Error, Result};
pub use core::fleet;
pub use core::id::{AssignmentId, ContactId, InvalidId, ItemId, OperationId};
pub use core::retry::RetryRules;
pub use log::{EVENTS, Event, FIELDS, Level, Sink};
pub use texts::{texts_in_english, texts_in_languages};
pub use version::VERSION;
