//! The checks of the C ABI: the header's promises, the library's exports, and C programs that use
//! both. The compilers are real. The programs are linked with the library as cargo built it. The
//! sandbox runs over loopback.

mod bindings;
mod codes;
mod coexistence;
mod compatibility;
mod harness;
mod header;
mod layers;
mod library;
mod panics;
mod source_rules;
mod tools;
