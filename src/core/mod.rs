//! The decisions about an operation's life, as pure functions and plain data.
//! This module has no I/O, no thread, no clock, no randomness and no name of Engage's API.
#![deny(missing_docs)]

pub(crate) mod admission;
pub(crate) mod check;
pub(crate) mod clock;
pub mod code;
pub(crate) mod domain;
pub(crate) mod error;
pub(crate) mod evidence;
pub mod fleet;
pub(crate) mod granted_reward;
pub(crate) mod id;
pub(crate) mod intent;
pub(crate) mod machine;
pub(crate) mod nesting;
pub(crate) mod retry;
pub(crate) mod scheduler;
