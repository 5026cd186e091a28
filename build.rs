//! Passes the build day to the library, which detects a till's late clock by it.
//! Adds the parts that a cargo cdylib lacks: the SONAME on Linux, the version resource on Windows.
//! Checks the compile options of SQLite.

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: u64 = 86_400;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=packaging/windows/version.rc");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    // For reproducible builds: https://reproducible-builds.org/specs/source-date-epoch/
    let given = env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse::<u64>().ok());
    let built =
        given.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()));
    println!("cargo::rustc-env=EPS_BUILT={}", built / DAY * DAY);
    let setting = |name: &str| env::var(name).unwrap_or_default();
    check_sqlite(&setting);
    match (setting("CARGO_CFG_TARGET_OS").as_str(), setting("CARGO_CFG_TARGET_ENV").as_str()) {
        ("linux", _) => {
            // The number is EPS_ABI_VERSION.
            println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libengage_point_shop.so.1");
            // The library's threads may outlive a dlclose.
            println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
        }
        ("windows", "gnu") => {
            version_resource(&setting);
            // The time of the link would make each build another file.
            println!("cargo::rustc-cdylib-link-arg=-Wl,--no-insert-timestamp");
        }
        _ => {}
    }
}

/// Fails the build if SQLite lacks an option that the journal needs.
///
/// SQLite is compiled with the options of LIBSQLITE3_FLAGS. `.cargo/config.toml` sets the variable,
/// but cargo does not read that file where this crate is a dependency.
fn check_sqlite(setting: &dyn Fn(&str) -> String) {
    println!("cargo::rerun-if-env-changed=LIBSQLITE3_FLAGS");
    println!("cargo::rerun-if-env-changed=LIBSQLITE3_SYS_USE_PKG_CONFIG");
    let flags = setting("LIBSQLITE3_FLAGS");
    let has = |name: &str| flags.split_whitespace().any(|flag| flag.split('=').next() == Some(name));
    let help = "Set LIBSQLITE3_FLAGS as in engage-point-shop's .cargo/config.toml.";
    // Without it SQLite calls fsync at each commit, which costs a second disk write.
    if setting("CARGO_CFG_TARGET_OS") == "linux" && !has("-DHAVE_FDATASYNC") {
        println!("cargo::error=SQLite's option -DHAVE_FDATASYNC=1 is missing in LIBSQLITE3_FLAGS. {help}");
    }
    let harmful = [
        "-DSQLITE_NO_SYNC",
        "-DSQLITE_DISABLE_DIRSYNC",
        "-DSQLITE_OMIT_WAL",
        "-DSQLITE_THREADSAFE",
        "-USQLITE_THREADSAFE",
    ];
    for name in harmful.into_iter().filter(|name| has(name)) {
        println!("cargo::error=SQLite's option {name} in LIBSQLITE3_FLAGS makes the journal unsafe. {help}");
    }
    if !matches!(setting("LIBSQLITE3_SYS_USE_PKG_CONFIG").as_str(), "" | "0") {
        println!(
            "cargo::error=LIBSQLITE3_SYS_USE_PKG_CONFIG would link the system's SQLite, whose options are not known. Unset it."
        );
    }
}

/// Compiles the version resource with MinGW's windres, which comes with MinGW's linker.
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
    let status = windres
        .status()
        .unwrap_or_else(|error| panic!("{name} could not be started. Install MinGW's binutils. {error}"));
    assert!(status.success(), "{name} ended with {status}");
    println!("cargo::rustc-cdylib-link-arg={}", object.display());
}
