//! The C ABI: pointers in, buffers out, panics caught. The only unsafe code of this library.
//! Every export is one call of a function of `boundary`; a test reads this folder and fails on one that is not.
#![allow(non_camel_case_types)]

mod boundary;
mod buffer;
mod exports;
mod handle;
mod input;

pub use buffer::eps_buffer;
pub use exports::*;
pub use handle::eps_client;
