//! The checks of the C ABI: the header's promises, the library's exports, and C programs that use
//! both. The compilers are real. The programs are linked with the library as cargo built it. The
//! sandbox runs over loopback.

mod bindings;
mod codes;
mod coexistence;
mod compatibility;
mod cpp;
mod harness;
mod header;
mod layers;
mod library;
mod panics;
mod schema;
mod source_rules;
#[path = "../support/mod.rs"]
mod support;
mod tools;
