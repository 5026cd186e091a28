//! The programs around the library: the bindings in C, C++, C# (Mono), Python, Java, Node.js and
//! Pascal, and the sandbox's commands and dashboard. Each language has its own compiler or runtime
//! here, the binding as it is shipped, and the shared library as cargo built it.
#![cfg(unix)]

mod browser;
mod cases;
mod certify;
mod dashboard;
mod dashboard_look;
mod example_tills;
mod languages;
mod lifetimes;
mod more_languages;
mod mutated_tills;
mod signals;
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code)]
#[path = "../abi/tools.rs"]
mod tools;
