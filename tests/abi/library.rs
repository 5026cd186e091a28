//! The shared library as the loader sees it: the functions of the header and no others, under the
//! ABI's name.

use crate::header::functions;
use crate::tools::{library, read, stdout};
use std::process::Command;

#[test]
fn header_sources_and_library_have_the_same_functions() {
    let declared = functions();
    assert!(declared.len() >= 20, "{declared:?}");

    let shared = library("libengage_point_shop.so");
    let symbols = stdout(Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(&shared));
    let mut exported: Vec<&str> = symbols.lines().filter_map(|line| line.split_whitespace().next()).collect();
    exported.sort_unstable();
    assert_eq!(exported, declared, "exported by the library, declared in the header");

    let mut written = crate::source_rules::exports(&read("src/ffi/exports.rs"));
    written.sort();
    assert_eq!(written, declared, "written in exports.rs, declared in the header");
}

#[test]
fn library_has_abi_soname_and_is_never_unloaded() {
    let dynamic = stdout(Command::new("readelf").args(["-d", "-W"]).arg(library("libengage_point_shop.so")));
    let entry = |tag: &str| dynamic.lines().find(|line| line.contains(tag)).unwrap_or_default();
    assert!(entry("(SONAME)").contains("[libengage_point_shop.so.1]"), "{dynamic}");
    assert!(entry("(FLAGS_1)").contains("NODELETE"), "{dynamic}");
}
