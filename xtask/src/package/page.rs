//! Tests `docs/integrate.md` and the README of a package: writes their files, runs their commands
//! in a folder with the packages, and compares their output with the page. Nothing is replaced: the
//! sandbox of a page has its usual ports in a network of its own.

use super::{NAME, VERSION, copy, make, nuget, write};
use crate::run::{Result, output, root, run};
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Returns the page's programs: their names and texts.
pub fn files() -> Result<Vec<(String, String)>> {
    let page = read()?;
    let programs = blocks(&page).into_iter().filter(|block| block.language != "console");
    let file = |block: Block<'_>| match block.file {
        Some(name) => Ok((name.to_owned(), block.text.to_owned())),
        None => Err(format!(
            "A block of {} in integrate.md has no file name before it. Add the name in backticks.",
            block.language
        )),
    };
    programs.map(file).collect()
}

fn read() -> Result<String> {
    fs::read_to_string(root().join("docs/integrate.md")).map_err(|error| error.to_string())
}

/// Follows the page. `installed` is the unpacked package.
pub fn follow(installed: &Path, work: &Path) -> Result {
    let folder = work.join("page");
    ship(installed, &folder)?;
    let files = files()?;
    for (name, text) in &files {
        write(&folder.join(name), text)?;
    }
    let lines = run_commands("integrate.md", &read()?, &folder)?;
    println!("integrate.md: {} files and {lines} printed lines as shown", files.len());
    Ok(())
}

/// Follows the README of a package in a copy of it. Checks that it names each file and folder.
pub fn follow_readme(installed: &Path, work: &Path) -> Result {
    let folder = work.join("unpacked");
    run(Command::new("cp").arg("-r").arg(installed).arg(&folder))?;
    let readme = fs::read_to_string(folder.join("README.md")).map_err(|error| format!("README.md: {error}"))?;
    for entry in fs::read_dir(&folder).map_err(|error| error.to_string())? {
        let name = entry.map_err(|error| error.to_string())?.file_name().to_string_lossy().into_owned();
        if name != "README.md" && !readme.contains(&format!("`{name}")) {
            return Err(format!("README.md of the package does not say what {name} is"));
        }
    }
    let lines = run_commands("README.md", &readme, &folder)?;
    println!("README.md of the package: {lines} printed lines as shown");
    Ok(())
}

/// Runs the commands of a page's consoles in a network of their own, and compares what they print.
/// Returns the number of printed lines.
fn run_commands(name: &str, page: &str, folder: &Path) -> Result<usize> {
    let (mut script, mut expected) = (String::from(PREPARE), String::new());
    for line in blocks(page).iter().filter(|block| block.language == "console").flat_map(|block| block.text.lines()) {
        match line.strip_prefix("$ ") {
            Some(command) => script.extend([&*started(command), "\n"]),
            None => expected.extend([line, "\n"]),
        }
    }
    let mut alone = Command::new("unshare");
    let path = env::var("PATH").unwrap_or_default();
    alone.env("PATH", format!("{path}:/usr/sbin"));
    let printed = output(alone.args(["--net", "sh", "-c", &script]).current_dir(folder))?;
    match expected.lines().count() {
        0 => Err(format!("{name} shows no command with its output")),
        lines if printed == expected => Ok(lines),
        _ => Err(format!("{name} shows\n{expected}but its commands printed\n{printed}")),
    }
}

/// The loopback device of the new network is off. A failed command must not leave the sandbox.
const PREPARE: &str = "set -e\nip link set lo up\ntrap 'kill $! 2>/dev/null || true' EXIT\n";

/// A person waits for the line of a program in the background before the next command.
fn started(command: &str) -> String {
    command.strip_suffix(" &").map_or_else(
        || command.to_owned(),
        |program| format!("mkfifo started\n{program} > started &\nexec 3< started\nread -r line <&3\necho \"$line\""),
    )
}

/// Copies the files that a vendor downloads or unpacks to a folder.
fn ship(installed: &Path, folder: &Path) -> Result {
    let stem = format!("{NAME}-{VERSION}-linux-x64");
    let native = folder.join("runtimes/linux-x64/native");
    make(&native)?;
    let mut tar = Command::new("tar");
    tar.arg("-czf").arg(folder.join(format!("{stem}.tar.gz"))).arg("-C").arg(installed);
    run(tar.arg(format!("--transform=s,^\\.,{stem},")).arg("."))?;
    let library = installed.join("lib/libengage_point_shop.so.1");
    copy(&library, &native.join("libengage_point_shop.so"))?;
    nuget::BINDING.compile(&folder.join("EngagePointShop.dll"), &[])?;
    let mut wheel = Command::new("python3");
    wheel.arg(root().join("bindings/python/build_wheel.py")).args(["--platform", "manylinux_2_17_x86_64"]);
    output(wheel.arg("--library").arg(&library).arg("--out").arg(folder)).map(drop)
}

/// A fenced block, and the last file name in backticks before it.
struct Block<'a> {
    language: &'a str,
    file: Option<&'a str>,
    text: &'a str,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut rest = page;
    while let Some((before, fenced)) = rest.split_once("```") {
        let (language, text) = fenced.split_once('\n').unwrap_or_default();
        let (text, behind) = text.split_once("```").unwrap_or_default();
        let file = before.trim_end().trim_end_matches(':').strip_suffix('`').and_then(|text| text.rsplit('`').next());
        // `first.cpp`, C++17 or newer, with or without exceptions:
        let named = before.rsplit("\n\n").find(|paragraph| !paragraph.trim().is_empty()).unwrap_or_default();
        let file = file.or_else(|| named.strip_prefix('`').and_then(|text| text.split('`').next()));
        blocks.push(Block { language, file, text });
        rest = behind;
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_the_file_named_before_them() {
        let page = "Some `other`.\n\n`a.c`:\n\n```c\nint a;\n```\n\n```console\n$ cc a.c\n```\n\n`b.cpp`, new:\n\n```cpp\nb\n```\nand `c.py`:\n\n```python\nc\n```\n";
        let found = blocks(page);
        let found: Vec<_> = found.iter().map(|block| (block.language, block.file, block.text)).collect();
        assert_eq!(found[0], ("c", Some("a.c"), "int a;\n"));
        assert_eq!((found[1].0, found[1].2), ("console", "$ cc a.c\n"));
        assert_eq!(found[2], ("cpp", Some("b.cpp"), "b\n"));
        assert_eq!(found[3], ("python", Some("c.py"), "c\n"));
    }
}
