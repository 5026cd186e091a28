//! Tests `docs/integrate.md`: writes its files, runs its commands in a folder with the packages,
//! and compares their output with the page. Nothing is replaced: the sandbox of the page has its
//! usual ports in a network of its own.

use super::{NAME, VERSION, copy, make, nuget, write};
use crate::run::{Result, output, root, run, target as target_folder};
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Follows the page. `installed` is the unpacked package.
pub fn follow(installed: &Path, work: &Path) -> Result {
    let page = fs::read_to_string(root().join("docs/integrate.md")).map_err(|error| error.to_string())?;
    let folder = work.join("page");
    ship(installed, &folder)?;
    let (mut files, mut script, mut expected) = (0, String::from(PREPARE), String::new());
    for block in blocks(&page) {
        if block.language == "console" {
            for line in block.text.lines() {
                match line.strip_prefix("$ ") {
                    Some(command) => script.extend([&*started(command), "\n"]),
                    None => expected.extend([line, "\n"]),
                }
            }
        } else {
            let name = block.file.ok_or_else(|| {
                format!(
                    "A block of {} in integrate.md has no file name before it. Add the name in backticks.",
                    block.language
                )
            })?;
            write(&folder.join(name), block.text)?;
            files += 1;
        }
    }
    let mut alone = Command::new("unshare");
    let path = env::var("PATH").unwrap_or_default();
    alone.env("PATH", format!("{}:{path}:/usr/sbin", target_folder().join("debug").display()));
    let printed = output(alone.args(["--net", "sh", "-c", &script]).current_dir(&folder))?;
    if files == 0 || printed != expected {
        return Err(format!("integrate.md shows\n{expected}but its commands printed\n{printed}"));
    }
    println!("integrate.md: {files} files and {} printed lines as shown", expected.lines().count());
    Ok(())
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
