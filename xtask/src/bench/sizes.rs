//! The size of each dependency in the shared library, by the symbols of a build that keeps them.

use crate::run::{Result, output};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The owner of a symbol, by the first part of its path or its C name.
const OWNERS: &[(&str, &[&str])] = &[
    ("SQLite", &["sqlite3"]),
    ("rusqlite", &["rusqlite", "libsqlite3_sys", "hashlink", "fallible_iterator", "fallible_streaming_iterator"]),
    (
        "rustls, webpki and the system's root certificates",
        &[
            "rustls",
            "webpki",
            "rustls_pki_types",
            "rustls_native_certs",
            "untrusted",
            "zeroize",
            "subtle",
            "openssl_probe",
        ],
    ),
    ("ring", &["ring"]),
    ("ureq, ureq-proto and http", &["ureq", "ureq_proto", "http", "httparse", "percent_encoding", "bytes", "base64"]),
    ("serde and serde_json", &["serde", "serde_core", "serde_json", "itoa", "ryu", "zmij", "memchr"]),
    (
        "uuid, socket2, rustix, once_cell and the rest",
        &[
            "uuid",
            "socket2",
            "rustix",
            "once_cell",
            "getrandom",
            "linux_raw_sys",
            "bitflags",
            "smallvec",
            "hashbrown",
            "log",
        ],
    ),
    (
        "the backtrace of a panic (std's own)",
        &["gimli", "addr2line", "miniz_oxide", "rustc_demangle", "object", "adler2"],
    ),
    ("Rust's std, core and alloc", &["std", "core", "alloc", "compiler_builtins", "panic_unwind", "unwind"]),
    ("this project", &["engage_point_shop", "eps"]),
];

pub struct Sizes {
    /// The size of the shipped file, bytes.
    pub file: u64,
    /// The sizes by owner, the largest first, bytes.
    pub owners: Vec<(&'static str, u64)>,
    /// The bytes without a symbol: unwinding tables, relocations, strings.
    pub rest: u64,
}

pub fn measure(library: &Path, named: &Path) -> Result<Sizes> {
    let symbols = output(Command::new("nm").args(["-S", "--defined-only", "--demangle"]).arg(named))?;
    let file = fs::metadata(library).map_err(|error| error.to_string())?.len();
    let mut sizes: HashMap<&str, u64> = HashMap::new();
    // Two names of one address count once.
    let mut addresses = std::collections::HashSet::new();
    for line in symbols.lines() {
        // `address size kind name`. Kind b is memory that is not in the file.
        let mut columns = line.splitn(4, ' ');
        let (Some(address), Some(size), Some(kind), Some(name)) =
            (columns.next(), columns.next(), columns.next(), columns.next())
        else {
            continue;
        };
        let Ok(size) = u64::from_str_radix(size, 16) else { continue };
        if !kind.eq_ignore_ascii_case("b") && addresses.insert(address) {
            *sizes.entry(owner(name)).or_default() += size;
        }
    }
    let mut owners: Vec<_> = sizes.into_iter().collect();
    owners.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    let rest = file.saturating_sub(owners.iter().map(|(_, size)| size).sum());
    Ok(Sizes { file, owners, rest })
}

fn owner(name: &str) -> &'static str {
    let path = name.trim_start_matches(['<', '&', '[', '(', '*']).trim_start_matches("mut ").trim_start_matches("dyn ");
    let first = path.split("::").next().unwrap_or_default();
    let of = |first: &str| OWNERS.iter().find(|(_, names)| names.contains(&first)).map(|(owner, _)| *owner);
    if path.contains("::") {
        return of(first).unwrap_or("Rust's std, core and alloc");
    }
    // C names: ring's have known prefixes, all others are SQLite's.
    match first {
        _ if first.starts_with("eps_") => of("eps"),
        _ if first.starts_with("ring")
            || first.starts_with("ecp_")
            || first.contains("x25519")
            || first.contains("k25519")
            || first.starts_with("p256")
            || first.starts_with("p384")
            || first.starts_with("bn_") =>
        {
            of("ring")
        }
        _ if first.starts_with("rust_") || first.starts_with("__rust") || first.starts_with("_R") => {
            Some("Rust's std, core and alloc")
        }
        _ => Some("SQLite"),
    }
    .unwrap_or("SQLite")
}
