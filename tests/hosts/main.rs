//! The languages a POS is written in: C, C++, C# (Mono) and Python. Each has its own compiler or runtime here, the binding as it is shipped,
//! and the shared library as cargo built it; what one of them is told, all of them are told.

mod cases;
mod languages;
mod lifetimes;
mod signals;
mod stories;
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code)]
#[path = "../abi/tools.rs"]
mod tools;
