//! The sandbox's promises, tested over sockets and TLS.

mod admin;
mod certify;
mod cli;
mod client;
mod dashboard;
mod engage;
mod export;
mod faults;
mod judge;
mod magic;
mod openapi;
mod resident;
mod script;
mod state_file;
mod stores;
mod tls;
mod webhook;
mod world;
