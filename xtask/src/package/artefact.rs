//! Checks a library before it is packed: its exports, its needs, its oldest system, its size.

use super::Built;
use super::build::registry;
use super::target::{GLIBC, LINUX_LIBRARIES, SHARED_BUDGET, STATIC_BUDGET, TOOLS, WINDOWS_TOOLS};
use crate::run::{Result, output, root};
use crate::static_library::{Binutils, functions, visible};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

pub fn check(built: &Built) -> Result {
    let (name, shared) = (built.target.name, &built.shared);
    let size = within(shared, SHARED_BUDGET)?;
    for file in built.archive.iter().chain(&built.tools).chain([shared]) {
        has_no_local_paths(file)?;
    }
    for (tool, (called, budget)) in built.tools.iter().zip(TOOLS) {
        check_tool(built, called, tool)?;
        println!("{name}: {called} {} KB", within(tool, *budget)? / 1000);
    }
    if built.target.is_windows() {
        let headers = output(built.target.binutils.tool("objdump").arg("-p").arg(shared))?;
        exports(name, &exports_of_dll(&headers))?;
        let needs = needs_of_dll(&headers);
        only_imports(name, &imports_of_dll(&headers), built.target.imports())?;
        has_version(shared)?;
        has_no_time(shared)?;
        is_protected(name, &headers)?;
        println!("{name}: {} KB, needs {}", size / 1000, needs.join(" "));
        return Ok(());
    }
    let needs = check_shared(name, shared, built.target.binutils)?;
    only(name, &needs, LINUX_LIBRARIES)?;
    let glibc = check_glibc(built, "the library", shared)?;
    let archive = built.archive.as_deref().ok_or("a Linux target has a static library")?;
    exports(name, &visible(archive, built.target.binutils)?)?;
    let archive = within(archive, STATIC_BUDGET)?;
    println!(
        "{name}: {} KB, static {} KB, GLIBC_{}.{}, needs {}",
        size / 1000,
        archive / 1000,
        glibc.0,
        glibc.1,
        needs.join(" ")
    );
    Ok(())
}

/// Checks what a program needs of its system.
fn check_tool(built: &Built, called: &str, tool: &Path) -> Result {
    let (target, name) = (built.target, format!("{}: {called}", built.target.name));
    if target.is_windows() {
        let headers = output(target.binutils.tool("objdump").arg("-p").arg(tool))?;
        only_imports(&name, &imports_of_dll(&headers), &format!("{}{WINDOWS_TOOLS}", target.imports()))?;
        has_no_time(tool)?;
        return is_protected(&name, &headers);
    }
    let dynamic = output(target.binutils.tool("readelf").args(["--wide", "--dynamic"]).arg(tool))?;
    only(&name, &bracketed(&dynamic, "(NEEDED)"), LINUX_LIBRARIES)?;
    check_glibc(built, called, tool).map(drop)
}

/// Checks that Windows may load a file at any address, and runs none of its data.
fn is_protected(name: &str, headers: &str) -> Result {
    match ["DYNAMIC_BASE", "NX_COMPAT"].into_iter().find(|flag| !headers.contains(flag)) {
        Some(missing) => Err(format!("{name}: lacks {missing}")),
        None => Ok(()),
    }
}

/// Checks the newest version of the C library that a file needs, and returns it.
fn check_glibc(built: &Built, what: &str, file: &Path) -> Result<(u32, u32)> {
    let versions = output(built.target.binutils.tool("readelf").args(["--wide", "--version-info"]).arg(file))?;
    let glibc = newest_glibc(&versions);
    match glibc > GLIBC {
        true => Err(format!("{}: {what} needs GLIBC_{}.{}", built.target.name, glibc.0, glibc.1)),
        false => Ok(glibc),
    }
}

/// Checks a shared library's exports, SONAME and NODELETE flag on Linux. Returns the libraries it
/// needs.
pub fn check_shared(name: &str, shared: &Path, binutils: Binutils) -> Result<Vec<String>> {
    exports(name, &visible(shared, binutils)?)?;
    let dynamic = output(binutils.tool("readelf").args(["--wide", "--dynamic"]).arg(shared))?;
    if bracketed(&dynamic, "(SONAME)") != ["libengage_point_shop.so.1"] || !dynamic.contains("NODELETE") {
        return Err(format!("{name}: the library has a wrong SONAME, or lacks NODELETE:\n{dynamic}"));
    }
    Ok(bracketed(&dynamic, "(NEEDED)"))
}

fn within(path: &Path, budget: u64) -> Result<u64> {
    let size = fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?.len();
    if size <= budget { Ok(size) } else { Err(format!("{} has {size} bytes; the limit is {budget}", path.display())) }
}

/// Checks that a library holds no path of this machine.
fn has_no_local_paths(file: &Path) -> Result {
    let bytes = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    for path in [registry(), root().to_owned()] {
        let path = path.display().to_string();
        if bytes.windows(path.len()).any(|window| window == path.as_bytes()) {
            return Err(format!("{} contains the path {path}", file.display()));
        }
    }
    Ok(())
}

fn exports(name: &str, exported: &BTreeSet<String>) -> Result {
    let functions = functions()?;
    if *exported == functions {
        return Ok(());
    }
    let missing: Vec<_> = functions.difference(exported).collect();
    let more: Vec<_> = exported.difference(&functions).collect();
    Err(format!("{name}: not exported: {missing:?}; exported, but not in the header: {more:?}"))
}

fn only(name: &str, needs: &[String], allowed: &[&str]) -> Result {
    match needs.iter().find(|need| !allowed.contains(&need.as_str())) {
        None if needs.is_empty() => {
            Err(format!("{name}: no needed library was found; the output of readelf or objdump was not understood"))
        }
        None => Ok(()),
        Some(need) => Err(format!("{name}: needs {need}, which not every till has")),
    }
}

/// Checks that a Windows library imports only what its oldest Windows has.
fn only_imports(name: &str, imports: &BTreeSet<String>, allowed: &str) -> Result {
    let allowed: BTreeSet<&str> = allowed.lines().filter(|line| !line.starts_with('#')).collect();
    let more: Vec<_> = imports.iter().filter(|import| !allowed.contains(import.as_str())).collect();
    match more.as_slice() {
        [] if imports.len() < 10 => Err(format!("{name}: too few imports; the output of objdump was not understood")),
        [] => Ok(()),
        _ => Err(format!("{name}: imports {more:?}, which its oldest Windows may lack; see packaging/windows")),
    }
}

/// Checks that the header of a file has no time: each build would be another file.
fn has_no_time(file: &Path) -> Result {
    let bytes = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let number = |at: usize| bytes.get(at..at + 4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]));
    let header = number(0x3c).and_then(|at| usize::try_from(at).ok());
    match header.and_then(|header| number(header + 8)) {
        Some(0) => Ok(()),
        time => Err(format!("{} has the time {time:?} in its header", file.display())),
    }
}

/// Returns the texts in brackets on the lines of a tag.
fn bracketed(dynamic: &str, tag: &str) -> Vec<String> {
    let lines = dynamic.lines().filter(|line| line.contains(tag));
    lines.filter_map(|line| Some(line.split_once('[')?.1.split_once(']')?.0.to_owned())).collect()
}

fn newest_glibc(versions: &str) -> (u32, u32) {
    let version = |text: &str| {
        let digits = text.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
        let mut numbers = digits.split('.').map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    versions.split("GLIBC_").skip(1).filter_map(version).max().unwrap_or((0, 0))
}

fn exports_of_dll(headers: &str) -> BTreeSet<String> {
    let table = headers.split_once("[Ordinal/Name Pointer] Table").map_or("", |(_, table)| table);
    let rows = table.lines().skip(1).take_while(|line| line.trim_start().starts_with('['));
    rows.filter_map(|line| line.split_whitespace().last().map(str::to_owned)).collect()
}

/// Returns the imported functions as `dll function`.
fn imports_of_dll(headers: &str) -> BTreeSet<String> {
    let (mut imports, mut dll) = (BTreeSet::new(), String::new());
    for line in headers.lines() {
        let mut words = line.split_whitespace();
        if let Some(name) = line.trim().strip_prefix("DLL Name: ") {
            dll = name.to_lowercase();
        } else if line.trim().is_empty() {
            dll.clear();
        } else if let (false, Some(address), Some(hint), Some(function), None) =
            (dll.is_empty(), words.next(), words.next(), words.next(), words.next())
            && u64::from_str_radix(address, 16).is_ok()
            && hint.parse::<u32>().is_ok()
        {
            imports.insert(format!("{dll} {function}"));
        }
    }
    imports
}

/// Returns the DLLs once each, in lower case: Windows ignores the case.
fn needs_of_dll(headers: &str) -> Vec<String> {
    let names = headers.lines().filter_map(|line| line.trim().strip_prefix("DLL Name: "));
    names.map(str::to_lowercase).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Checks the version resource, which Windows shows in the file's properties.
fn has_version(dll: &Path) -> Result {
    let bytes = fs::read(dll).map_err(|error| format!("{}: {error}", dll.display()))?;
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    for (key, value) in [("FileVersion", super::VERSION), ("OriginalFilename", "engage_point_shop.dll")] {
        let (key, value) = (wide(key), wide(value));
        let at = bytes.windows(key.len()).position(|window| window == key);
        // The value follows its key, a NUL of two bytes and at most two bytes of padding.
        let near = at.map(|at| &bytes[at + key.len()..(at + key.len() + value.len() + 6).min(bytes.len())]);
        if !near.is_some_and(|near| near.windows(value.len()).any(|window| window == value)) {
            return Err(format!("{} has no version resource", dll.display()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_glibc_many_versions_compares_numbers() {
        assert_eq!(newest_glibc("Name: GLIBC_2.9 x GLIBC_2.17 GLIBC_2.2.5\nGLIBC_PRIVATE"), (2, 17));
        assert_eq!(newest_glibc(""), (0, 0));
    }

    #[test]
    fn dll_headers_give_exports_and_needs() {
        let headers = "\tDLL Name: KERNEL32.dll\n\tDLL Name: kernel32.dll\n[Ordinal/Name Pointer] Table\n\t[   0] eps_a\n\t[   1] eps_b\n\nmore\n";
        assert_eq!(needs_of_dll(headers), ["kernel32.dll"]);
        assert_eq!(exports_of_dll(headers).into_iter().collect::<Vec<_>>(), ["eps_a", "eps_b"]);
    }

    #[test]
    fn dll_headers_give_imported_functions_and_their_limit() {
        let headers = "\tDLL Name: KERNEL32.dll\n\tvma:  Hint/Ord Member-Name Bound-To\n\t2a1ff2\t  291  CloseHandle\n\n\
                       \tDLL Name: ws2_32.dll\n\t2a2000\t    7  recv\n";
        let imports = imports_of_dll(headers);
        assert_eq!(imports.iter().collect::<Vec<_>>(), ["kernel32.dll CloseHandle", "ws2_32.dll recv"]);
        let many: BTreeSet<String> = (0..10).map(|number| format!("a.dll f{number}")).collect();
        let listed = many.iter().cloned().collect::<Vec<_>>().join("\n");
        assert!(only_imports("x", &many, &listed).is_ok());
        assert!(only_imports("x", &many, "# a comment").unwrap_err().contains("a.dll f0"));
        assert!(only_imports("x", &BTreeSet::new(), &listed).is_err());
    }

    #[test]
    fn only_unlisted_library_is_an_error() {
        assert!(only("x", &["libc.so.6".into()], LINUX_LIBRARIES).is_ok());
        assert!(only("x", &["libssl.so.3".into()], LINUX_LIBRARIES).unwrap_err().contains("libssl"));
        assert!(only("x", &[], LINUX_LIBRARIES).is_err());
    }
}
