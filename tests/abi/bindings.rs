//! The bindings declare every function of the header and no others. `cargo xtask header` writes
//! their tables of codes. The header's test runs `cargo xtask header --check`.

use crate::header::functions;
use crate::tools::read;
use std::collections::BTreeSet;

/// Returns every `eps_` name between `before` and one of `behind`, as the language declares or
/// calls it.
fn named(source: &str, before: &str, behind: &[&str]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in source.match_indices("eps_") {
        let name: String = source[at..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let rest = &source[at + name.len()..];
        if source[..at].ends_with(before) && behind.iter().any(|behind| rest.starts_with(behind)) {
            names.insert(name);
        }
    }
    names
}

fn declared() -> BTreeSet<String> {
    functions().into_iter().collect()
}

#[test]
fn cpp_header_calls_every_function() {
    let source = read("include/engage_point_shop.hpp");
    let mut called = named(&source, "", &["(", ", ", ")"]);
    called.retain(|name| name != "eps_buffer");
    // Known at compile time: eps_client_open checks the version.
    called.insert("eps_abi_version".into());
    assert_eq!(called, declared());
}

#[test]
fn csharp_binding_declares_and_resolves_every_function() {
    let source = read("bindings/csharp/Native.cs");
    assert_eq!(named(&source, " ", &[";"]), declared());
    assert_eq!(named(&source, "Find(out ", &[", nameof("]), declared());
    assert_eq!(named(&source, "nameof(", &["))"]), declared());
}

#[test]
fn python_binding_declares_every_function() {
    let source = read("bindings/python/engage_point_shop/native.py");
    assert_eq!(
        named(&source, "\"", &["\": (c_int32, [", "\": (c_uint32, [", "\": (None, [", "\": (_TEXT, ["]),
        declared()
    );
}
