//! Gives the shared library the name that its ABI keeps: a cargo cdylib has no SONAME of its own.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if os == "linux" {
        // The ABI's major number only (EPS_ABI_VERSION). `nodelete`: threads of ours may outlive a dlclose.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libengage_point_shop.so.1");
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
