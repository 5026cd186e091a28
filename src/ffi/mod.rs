//! The C ABI. Every export is one call of a function of `boundary`: a test reads this folder and
//! fails on any other export. Unsafe code is here and in `os` only.
#![allow(non_camel_case_types)]

mod boundary;
mod buffer;
mod exports;
mod handle;
mod host_function;
mod input;
mod json;

pub use buffer::eps_buffer;
pub use exports::*;
pub use handle::eps_client;
