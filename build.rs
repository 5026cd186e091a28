//! Gives the shared library the name that its ABI keeps (a cargo cdylib has no SONAME of its own), and the library the day
//! it was built on, by which a till's clock can be seen to be behind.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY: u64 = 86_400;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    // For a build that can be repeated bit by bit: https://reproducible-builds.org/specs/source-date-epoch/
    let given = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse::<u64>().ok());
    let built =
        given.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()));
    println!("cargo::rustc-env=EPS_BUILT={}", built / DAY * DAY);
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if os == "linux" {
        // The ABI's major number only (EPS_ABI_VERSION). `nodelete`: threads of ours may outlive a dlclose.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libengage_point_shop.so.1");
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
