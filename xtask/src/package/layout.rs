//! The installed tree: headers, libraries, and their CMake and pkg-config files. The tree may be
//! moved.

use super::{Built, VERSION, copy, make, page, write};
use crate::run::{Result, root, run};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

const CMAKE: &str = include_str!("../../../packaging/cmake/EngagePointShopConfig.cmake");
const CMAKE_LISTS: &str = include_str!("../../../packaging/cmake/CMakeLists.txt");
const CMAKE_VERSION: &str = include_str!("../../../packaging/cmake/EngagePointShopConfigVersion.cmake");
const SHARED_PC: &str = include_str!("../../../packaging/pkgconfig/engage_point_shop.pc");
const STATIC_PC: &str = include_str!("../../../packaging/pkgconfig/engage_point_shop-static.pc");

const README: &str = include_str!("../../../packaging/README-package.md");

/// The first purchase: the sandbox, a compiler, and the program.
const ON_LINUX: &str = "```console
$ bin/engage-sandbox --ca-out sandbox-ca.pem &
engage-sandbox ready http=http://127.0.0.1:8600 https=https://localhost:8643 ca=sandbox-ca.pem key=demo-key
$ cc share/examples/first.c -I include lib/libengage_point_shop.so.1 -Wl,-rpath,$PWD/lib -o first
$ ./first $PWD/points.db $PWD/sandbox-ca.pem
bought
```
";
const ON_WINDOWS: &str = "```bat
start bin\\engage-sandbox --ca-out sandbox-ca.pem
gcc share\\examples\\first.c -I include lib\\libengage_point_shop.dll.a -o bin\\first.exe
bin\\first %CD%\\points.db %CD%\\sandbox-ca.pem
```

It prints `bought`. With Visual Studio the second command is `cl /I include share\\examples\\first.c lib\\engage_point_shop.lib /Fe:bin\\first.exe`.
";

const EXAMPLES: [&str; 11] = [
    "c/till.c",
    "cpp/till.cpp",
    "csharp/naive.cs",
    "csharp/till.cs",
    "go/buy.go",
    "gui/win32.c",
    "java/Till.java",
    "lua/buy.lua",
    "node/till.js",
    "pascal/till.pas",
    "python/till.py",
];

/// Returns the README of a package.
fn readme(is_windows: bool) -> String {
    let (pkg_config, bin, commands) = match is_windows {
        true => (
            "",
            "the library, `eps` for support and administrators, and `engage-sandbox`, a simulated Engage",
            ON_WINDOWS,
        ),
        false => (
            " and pkg-config",
            "`eps` for support and administrators, and `engage-sandbox`, a simulated Engage",
            ON_LINUX,
        ),
    };
    let text = README.replace("@VERSION@", VERSION).replace("@PKG_CONFIG@", pkg_config);
    let text = text.replace("@BIN@", bin).replace("@COMMANDS@", commands);
    if is_windows { text.replace("`bin/eps ", "`bin\\eps ") } else { text }
}

/// Writes the tree to an empty folder.
pub fn tree(built: &Built, into: &Path) -> Result {
    let _ = fs::remove_dir_all(into);
    let (include, lib, cmake) = (into.join("include"), into.join("lib"), into.join("lib/cmake/EngagePointShop"));
    for folder in [&include, &lib, &cmake] {
        make(folder)?;
    }
    for header in ["engage_point_shop.h", "engage_point_shop.hpp", "engage_point_shop.schema.json"] {
        copy(&root().join("include").join(header), &include.join(header))?;
    }
    let fill = |text: &str| text.replace("@VERSION@", VERSION).replace("@NATIVE_LIBRARIES@", &built.native);
    // A list in CMake has semicolons.
    let listed = CMAKE.replace("@NATIVE_LIBRARIES@", &built.native.replace(' ', ";"));
    write(&cmake.join("EngagePointShopConfig.cmake"), fill(&listed))?;
    write(&into.join("CMakeLists.txt"), CMAKE_LISTS)?;
    write(&cmake.join("EngagePointShopConfigVersion.cmake"), fill(CMAKE_VERSION))?;
    make(&into.join("bin"))?;
    for tool in &built.tools {
        copy(tool, &into.join("bin").join(tool.file_name().unwrap_or_default()))?;
    }
    if let Some(site) = &built.site {
        make(&into.join("share/doc"))?;
        run(Command::new("cp").arg("-r").arg(site).arg(into.join("share/doc/html")))?;
    }
    let examples = into.join("share/examples");
    make(&examples)?;
    for example in EXAMPLES {
        let from = root().join("examples").join(example);
        copy(&from, &examples.join(from.file_name().unwrap_or_default()))?;
    }
    for (name, text) in page::files()? {
        write(&examples.join(name), text)?;
    }
    write(&into.join("README.md"), readme(built.target.is_windows()))?;
    if built.target.is_windows() {
        copy(&built.shared, &into.join("bin/engage_point_shop.dll"))?;
        for import in &built.imports {
            copy(import, &lib.join(import.file_name().unwrap_or_default()))?;
        }
        return Ok(());
    }
    let versioned = format!("libengage_point_shop.so.1.{VERSION}");
    copy(&built.shared, &lib.join(&versioned))?;
    for (to, link) in
        [(versioned.as_str(), "libengage_point_shop.so.1"), ("libengage_point_shop.so.1", "libengage_point_shop.so")]
    {
        symlink(to, lib.join(link)).map_err(|error| format!("{link}: {error}"))?;
    }
    if let Some(archive) = &built.archive {
        copy(archive, &lib.join("libengage_point_shop.a"))?;
    }
    make(&lib.join("pkgconfig"))?;
    write(&lib.join("pkgconfig/engage_point_shop.pc"), fill(SHARED_PC))?;
    write(&lib.join("pkgconfig/engage_point_shop-static.pc"), fill(STATIC_PC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readme_has_the_commands_of_its_system() {
        let (linux, windows) = (readme(false), readme(true));
        for text in [&linux, &windows] {
            assert!(!text.contains('@') && text.contains(VERSION), "{text}");
            assert!(text.contains("share/doc/html") && text.lines().count() < 50, "{text}");
        }
        assert!(linux.contains("$ ./first $PWD/points.db") && linux.contains("run `bin/eps"));
        assert!(windows.contains("start bin\\engage-sandbox") && windows.contains("run `bin\\eps"), "{windows}");
        assert!(!windows.contains("$PWD"));
    }
}
