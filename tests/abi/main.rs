//! The checks of the C ABI: what the header promises, what the library exports, and how a C program gets along with both.
//! Real compilers, real programs linked with the library as cargo built it, and a sandbox over loopback.

mod bindings;
mod codes;
mod coexistence;
mod compatibility;
mod harness;
mod header;
mod library;
mod panics;
mod source_rules;
mod tools;
