//! The layers of the sources: which module may import which. The test reads the sources, so that an
//! arrow upward or a circle is red with its file and line.

use crate::tools::root;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A module of `src`, and the modules that it may import. A module comes after those it imports, so
/// that the table can have no circle.
const LAYERS: &[(&str, &[&str])] = &[
    ("secret", &[]),
    ("panics", &[]),
    ("version", &[]),
    ("core", &["version"]),
    ("os", &["core"]),
    ("rt", &["core", "os", "panics"]),
    ("log", &["core", "os", "panics", "rt"]),
    ("stats", &["core"]),
    ("metrics", &["core", "stats", "version"]),
    ("texts", &["core"]),
    ("config", &["core", "secret", "texts"]),
    ("transport", &["config", "core", "log", "os", "panics", "rt", "secret"]),
    ("engage", &["config", "core", "log", "rt", "secret", "stats", "transport"]),
    ("journal", &["config", "core", "log", "os", "rt", "stats", "version"]),
    ("api", &["config", "core", "engage", "stats", "texts", "version"]),
    (
        "runtime",
        &["api", "config", "core", "engage", "journal", "log", "metrics", "rt", "stats", "transport", "version"],
    ),
    (
        "client",
        &[
            "api",
            "config",
            "core",
            "engage",
            "journal",
            "log",
            "metrics",
            "rt",
            "runtime",
            "secret",
            "stats",
            "texts",
            "transport",
        ],
    ),
    ("ffi", &["api", "client", "core", "log", "os", "panics", "rt", "texts", "version"]),
];

/// Modules that only a build of its own has.
const APART: &[&str] = &["simulation"];

/// The external crates and standard modules that `core` may name: no I/O, thread, clock or
/// randomness.
const CORE_MAY_NOT: &[&str] = &[
    "std::fs",
    "std::io",
    "std::net",
    "std::thread",
    "std::sync::Mutex",
    "std::sync::Condvar",
    "std::time::Instant",
    "std::time::SystemTime",
    "Instant::now",
    "SystemTime::now",
    "new_v4",
    "ureq",
    "rusqlite",
    "once_cell",
];

/// The imports of one file: the line and the module.
fn imports(source: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, line) in source.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        let mut rest = code;
        while let Some(start) = rest.find("crate::") {
            rest = &rest[start + "crate::".len()..];
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            found.push((at + 1, name));
        }
    }
    found
}

/// The module of a file: `src/core/code.rs` is of `core`, `src/log.rs` of `log`.
fn module(file: &Path) -> Option<String> {
    let inside = file.strip_prefix(root().join("src")).ok()?;
    let first = inside.components().next()?.as_os_str().to_str()?;
    Some(first.trim_end_matches(".rs").to_owned())
}

fn breaches(files: &BTreeMap<PathBuf, String>) -> Vec<String> {
    let mut breaches = Vec::new();
    for (file, source) in files {
        let Some(module) = module(file).filter(|module| module != "lib" && !APART.contains(&module.as_str())) else {
            continue;
        };
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == module) else {
            breaches.push(format!("{}: the module {module} has no place in the table of layers", file.display()));
            continue;
        };
        for (line, import) in imports(source) {
            let fine = import == module || allowed.contains(&import.as_str()) || APART.contains(&import.as_str());
            if !fine {
                breaches.push(format!("{}:{line}: {module} → {import}", file.display()));
            }
        }
        if module == "core" {
            let code = source.split("#[cfg(test)]").next().unwrap_or_default();
            for (at, line) in code.lines().enumerate() {
                let line = line.split("//").next().unwrap_or_default();
                for name in CORE_MAY_NOT.iter().filter(|name| line.contains(**name)) {
                    breaches.push(format!("{}:{}: core names {name}", file.display(), at + 1));
                }
            }
        }
    }
    breaches
}

/// The files by their module paths: `src/core/code.rs` is `core::code`, and `src/core/mod.rs` is
/// `core`.
fn modules(files: &BTreeMap<PathBuf, String>) -> BTreeMap<String, &str> {
    let path = |file: &Path| {
        let inside = file.strip_prefix(root().join("src")).ok()?.with_extension("");
        let parts: Vec<&str> = inside.iter().filter_map(|part| part.to_str()).filter(|part| *part != "mod").collect();
        Some(parts.join("::"))
    };
    files.iter().filter_map(|(file, source)| Some((path(file)?, source.as_str()))).collect()
}

/// The modules that a module's code names by `crate::`, `super::` or `self::`, without its tests.
fn neighbours(module: &str, source: &str, known: &BTreeMap<String, &str>) -> BTreeSet<String> {
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let code: String = code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
    let mut found = BTreeSet::new();
    for (word, base) in [("crate::", ""), ("super::", parent), ("self::", module)] {
        for (at, _) in code.match_indices(word) {
            if code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_') {
                continue;
            }
            let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            let rest = &code[at + word.len()..];
            let end = rest.find(|c| !is_path(c)).unwrap_or(rest.len());
            let group = rest[end..].strip_prefix('{').and_then(|group| group.split('}').next()).unwrap_or_default();
            for last in group.split(',') {
                let mut path = [base, "::", &rest[..end], last.trim()].concat();
                // The longest prefix that is a file; the rest are names in it.
                while !known.contains_key(path.trim_matches(':')) {
                    match path.rsplit_once("::") {
                        Some((shorter, _)) => path.truncate(shorter.len()),
                        None => path.clear(),
                    }
                    if path.is_empty() {
                        break;
                    }
                }
                found.insert(path.trim_matches(':').to_owned());
            }
        }
    }
    found.retain(|name| !name.is_empty() && name != module);
    found
}

/// The circles of files that import each other, each as the path that leads back to its first file.
fn circles(files: &BTreeMap<PathBuf, String>) -> Vec<String> {
    let known = modules(files);
    let arrows: BTreeMap<&str, BTreeSet<String>> = known
        .iter()
        .filter(|(module, _)| !APART.iter().any(|apart| module.starts_with(apart)) && *module != "lib")
        .map(|(module, source)| (module.as_str(), neighbours(module, source, &known)))
        .collect();
    let way_back = |start: &str| {
        let mut from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut next = vec![start];
        while let Some(module) = next.pop() {
            for target in arrows.get(module).into_iter().flatten() {
                if target == start {
                    let mut path = vec![start, module];
                    while let Some(before) = from.get(path[path.len() - 1]) {
                        path.push(before);
                    }
                    path.reverse();
                    return Some(path.join(" → "));
                }
                if !from.contains_key(target.as_str()) && arrows.contains_key(target.as_str()) {
                    from.insert(target, module);
                    next.push(target);
                }
            }
        }
        None
    };
    arrows.keys().filter_map(|module| way_back(module)).collect()
}

fn sources() -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                files.insert(path, text);
            }
        }
    }
    files
}

#[test]
fn sources_import_only_layers_below() {
    let files = sources();
    assert!(files.len() > 40, "{} sources were found", files.len());
    assert_eq!(breaches(&files), Vec::<String>::new());
}

#[test]
fn no_two_files_import_each_other() {
    assert_eq!(circles(&sources()), Vec::<String>::new());
}

#[test]
fn circle_of_files_is_reported_with_its_path() {
    let file = |path: &str, source: &str| (root().join(path), source.to_owned());
    let mut files = BTreeMap::from([
        file("src/core/a.rs", "use super::b::{One, Two};\n"),
        file("src/core/b.rs", "use crate::core::{c};\n"),
        file("src/core/c.rs", "// super::a\nfn f() { super::a::g() }\n"),
    ]);
    assert_eq!(circles(&files)[0], "core::a → core::b → core::c → core::a");
    files.remove(&root().join("src/core/c.rs"));
    assert_eq!(circles(&files), Vec::<String>::new());
}

#[test]
fn table_of_layers_has_no_circle() {
    for (at, (module, allowed)) in LAYERS.iter().enumerate() {
        for import in *allowed {
            let place = LAYERS.iter().position(|(name, _)| name == import);
            assert!(place.is_some_and(|place| place < at), "{module} imports {import}, which is not below it");
        }
    }
}

#[test]
fn arrow_upward_is_reported_with_its_place() {
    let case = |path: &str, source: &str| breaches(&BTreeMap::from([(root().join(path), source.to_owned())]));
    let upward = case("src/core/machine.rs", "use super::x;\nuse crate::runtime::Executor;\n");
    assert!(upward[0].ends_with("src/core/machine.rs:2: core → runtime"), "{upward:?}");
    let clock = case("src/core/retry.rs", "let now = Instant::now();\n");
    assert!(clock[0].ends_with("src/core/retry.rs:1: core names Instant::now"), "{clock:?}");
    assert_eq!(case("src/new.rs", "").len(), 1, "a module without a place");
    assert_eq!(case("src/journal/open.rs", "// crate::runtime\nuse crate::core::code::Code;\n"), Vec::<String>::new());
}
