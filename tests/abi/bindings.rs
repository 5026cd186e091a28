//! The bindings declare every function of the header and no others. `cargo xtask header` writes
//! their tables of codes, and the declarations of Java, Node.js and Pascal. The header's test runs
//! `cargo xtask header --check`. A new function is missing here until each binding calls it.

use crate::header::functions;
use crate::tools::read;
use engage_point_shop::code::TABLE;
use engage_point_shop::{Code, texts_in_english};
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

/// Returns every `eps_` name that a source mentions.
fn mentioned(source: &str) -> BTreeSet<String> {
    named(source, "", &[""])
}

/// The problem objects of calls for which the library gives none.
#[test]
fn bindings_own_problems_have_the_librarys_texts() {
    for file in [
        "bindings/python/engage_point_shop/errors.py",
        "bindings/java/src/main/java/engage/pointshop/PointShopException.java",
        "bindings/pascal/engagepointshop.pas",
    ] {
        let source = read(file);
        for code in [Code::Closed, Code::Internal, Code::NullArgument] {
            let (cashier, member) = texts_in_english(code);
            assert!(source.contains(cashier) && source.contains(member), "{file}: {code:?}");
        }
    }
    // The unit of Pascal writes it into JSON as it is.
    let quoted = TABLE.iter().find(|row| row.meaning.contains(['"', '\\']));
    assert_eq!(quoted.map(|row| row.name), None);
}

#[test]
fn java_binding_declares_and_calls_every_function() {
    let folder = "bindings/java/src/main/java/engage/pointshop";
    assert_eq!(named(&read(&format!("{folder}/Native.java")), " ", &["("]), declared());
    let sources = ["Client", "Library", "PointShopException", "Handle"];
    let sources: String = sources.map(|name| read(&format!("{folder}/{name}.java"))).concat();
    assert_eq!(mentioned(&sources), declared());
}

#[test]
fn node_binding_declares_and_calls_every_function() {
    let prototypes = read("bindings/node/lib/functions.js");
    assert_eq!(named(&prototypes, "", &["("]), declared());
    let mut called = mentioned(&(read("bindings/node/lib/index.js") + &read("bindings/node/lib/native.js")));
    called.retain(|name| !["eps_buffer", "eps_log_fn", "eps_notify_fn", "eps_"].contains(&&**name));
    assert_eq!(called, declared());
}

#[test]
fn node_types_declare_every_method() {
    let methods = |source: &str| -> BTreeSet<String> {
        let class = source.split("class Client").nth(1).unwrap().split("\n}\n").next().unwrap().to_owned();
        let lines = class.lines().filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
        let names = lines.filter_map(|line| line.split_once('(')?.0.rsplit(' ').next());
        let plain = |name: &&str| name.chars().all(char::is_alphanumeric) && *name != "constructor";
        names.filter(plain).map(str::to_owned).collect()
    };
    let (found, typed) = (read("bindings/node/lib/index.js"), read("bindings/node/lib/index.d.ts"));
    assert!(methods(&found).len() >= 20, "{:?}", methods(&found));
    assert_eq!(methods(&found), methods(&typed));
}

#[test]
fn pascal_unit_declares_finds_and_calls_every_function() {
    let source = read("bindings/pascal/engagepointshop.pas");
    assert_eq!(named(&source, "  ", &[": function", ": procedure"]), declared());
    assert_eq!(named(&source, "Find('", &["', @@"]), declared());
    let code = source.split("{ --- Texts and buffers").nth(1).unwrap();
    let mut called = mentioned(code);
    // Called while the library is loaded.
    called.insert("eps_abi_version".into());
    assert_eq!(called, declared());
}
