//! Gives the library the day it was built on, by which a till's clock can be seen to be behind, and the shared library what a cargo
//! cdylib does not have: on Linux the name that its ABI keeps, on Windows a version resource.

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: u64 = 86_400;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=packaging/windows/version.rc");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    // For a build that can be repeated bit by bit: https://reproducible-builds.org/specs/source-date-epoch/
    let given = env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse::<u64>().ok());
    let built =
        given.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()));
    println!("cargo::rustc-env=EPS_BUILT={}", built / DAY * DAY);
    let setting = |name: &str| env::var(name).unwrap_or_default();
    match (setting("CARGO_CFG_TARGET_OS").as_str(), setting("CARGO_CFG_TARGET_ENV").as_str()) {
        ("linux", _) => {
            // The ABI's major number only (EPS_ABI_VERSION). `nodelete`: threads of ours may outlive a dlclose.
            println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libengage_point_shop.so.1");
            println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
        }
        ("windows", "gnu") => version_resource(&setting),
        _ => {}
    }
}

/// Compiles the version resource with MinGW's own compiler, which is there where its linker is.
fn version_resource(setting: &dyn Fn(&str) -> String) {
    let object = Path::new(&setting("OUT_DIR")).join("version.o");
    let processor = match setting("CARGO_CFG_TARGET_ARCH").as_str() {
        "x86" => "i686".to_owned(),
        other => other.to_owned(),
    };
    let name = match setting("HOST").contains("windows") {
        true => "windres".to_owned(),
        false => format!("{processor}-w64-mingw32-windres"),
    };
    let version = setting("CARGO_PKG_VERSION");
    let mut windres = Command::new(&name);
    windres.arg(format!("-DVERSION_NUMBERS={},0", version.replace('.', ",")));
    windres
        .arg(format!("-DVERSION_TEXT=\\\"{version}\\\""))
        .args(["packaging/windows/version.rc", "-O", "coff", "-o"])
        .arg(&object);
    let status = windres.status().unwrap_or_else(|error| panic!("{name} could not be started: {error}"));
    assert!(status.success(), "{name} ended with {status}");
    println!("cargo::rustc-cdylib-link-arg={}", object.display());
}
