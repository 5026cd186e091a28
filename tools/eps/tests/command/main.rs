//! The real binary against the real sandbox and real journals, also beside a running till.

mod bundle;
mod doctor;
mod document;
mod journal;
mod operations;
mod probe;
mod support;
mod tables;
mod watch;
