//! Builds the library for a target, with the toolchain that can: the pinned one for Linux x64, and Debian's for the others, whose
//! standard library it builds from its sources.

use super::target::{GLIBC, TARGETS, Target, Toolchain};
use super::{NAME, make, write};
use crate::run::{Result, output, root, run, target as target_folder};
use crate::static_library;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What cargo made for a target.
pub struct Built {
    pub target: &'static Target,
    pub shared: PathBuf,
    /// Linux only, closed.
    pub archive: Option<PathBuf>,
    /// What a program that links the static library needs too, by the compiler's own word.
    pub native: String,
    /// Windows only: the import libraries for MinGW and for MSVC.
    pub imports: Vec<PathBuf>,
}

const ZIG: &[&str] = &["ziglang==0.17.1", "cargo-zigbuild==0.24.1"];

/// zig and cargo-zigbuild in a folder of their own below the target folder; gives their `bin`.
pub fn zig() -> Result<PathBuf> {
    let venv = target_folder().join("zig");
    let bin = venv.join("bin");
    if !bin.join("cargo-zigbuild").exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        run(Command::new(bin.join("pip")).args(["install", "--quiet", "--disable-pip-version-check"]).args(ZIG))?;
    }
    Ok(bin)
}

/// Debian's cargo with Debian's rustc, for targets whose standard library is built from its sources.
fn debian_cargo(mut command: Command, path: Option<&Path>) -> Command {
    let first = path.map(|path| format!("{}:", path.display())).unwrap_or_default();
    command.current_dir(root()).env("PATH", format!("{first}/usr/bin:/bin")).env("CARGO", "/usr/bin/cargo");
    command.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1").env_remove("RUSTUP_TOOLCHAIN");
    command
}

const STD: &str = "-Zbuild-std=std,panic_unwind";

/// A cargo that compiles the library for a target, but for the words that say what kind.
fn compiler(target: &Target, into: &Path) -> Result<Command> {
    let mut command = match target.toolchain {
        Toolchain::Pinned => {
            let bin = zig()?;
            let mut command = Command::new(bin.join("cargo-zigbuild"));
            command.current_dir(root());
            command.env("PATH", format!("{}:{}", bin.display(), env::var("PATH").unwrap_or_default()));
            command
        }
        Toolchain::DebianZig => {
            let bin = zig()?;
            debian_cargo(Command::new(bin.join("cargo-zigbuild")), Some(&bin))
        }
        Toolchain::DebianMingw => debian_cargo(Command::new("/usr/bin/cargo"), None),
    };
    // Where the sources lie on this machine is nobody's business, and the same sources make the same bytes elsewhere.
    let remap = [(registry(), "crates"), (root().to_owned(), NAME)];
    let remap = remap.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    command.env("CARGO_ENCODED_RUSTFLAGS", remap.join("\u{1f}"));
    command.env("SOURCE_DATE_EPOCH", built_on()?).env("CARGO_TARGET_DIR", into);
    command.args(["rustc", "--package", NAME, "--lib", "--release", "--locked"]);
    if target.toolchain != Toolchain::Pinned {
        command.arg(STD);
    }
    Ok(command)
}

/// The target as cargo is told it: zig is told the C library's version too.
fn triple(target: &Target) -> String {
    if target.is_windows() { target.triple.to_owned() } else { format!("{}.{}.{}", target.triple, GLIBC.0, GLIBC.1) }
}

/// The shared library in which any function can be made to panic, somewhere else: it must not be shipped by mistake.
pub fn with_faults(target: &Target) -> Result<PathBuf> {
    let folder = target_folder().join("package-faults");
    let mut command = compiler(target, &folder)?;
    command.args(["--features", "fault-injection", "--crate-type", "cdylib", "--target", &triple(target)]);
    command.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    run(command.args(startup(target)?))?;
    let name = if target.is_windows() { "engage_point_shop.dll" } else { "libengage_point_shop.so" };
    Ok(folder.join(target.triple).join("release").join(name))
}

/// What the linker is told beside what cargo knows.
fn startup(target: &Target) -> Result<Vec<String>> {
    match target.name {
        "win-x86" => Ok(vec!["--".into(), "-L".into(), format!("native={}", startup_objects(target)?.display())]),
        _ => Ok(Vec::new()),
    }
}

pub fn build(target: &'static Target) -> Result<Built> {
    println!("building for {}", target.name);
    let into = target_folder().join("package");
    let made = into.join(target.triple).join("release");
    make(&made)?;
    let mut command = compiler(target, &into)?;
    if target.is_windows() {
        command.args(["--crate-type", "cdylib", "--target", &triple(target)]);
        run(command.args(startup(target)?))?;
        // What cargo calls stripped still has a table of symbols here, a fifth of the DLL.
        run(target.binutils.tool("strip").arg("--strip-all").arg(made.join("engage_point_shop.dll")))?;
        let imports = vec![made.join("libengage_point_shop.dll.a"), import_library(target, &made)?];
        return Ok(Built {
            target,
            shared: made.join("engage_point_shop.dll"),
            archive: None,
            native: String::new(),
            imports,
        });
    }
    let native = made.join("native-static-libs.txt");
    command.args(["--crate-type", "cdylib,staticlib", "--target", &triple(target)]);
    run(command.args(["--", "--print"]).arg(format!("native-static-libs={}", native.display())))?;
    let archive = made.join("closed").join("libengage_point_shop.a");
    make(&made.join("closed"))?;
    static_library::close(&made.join("libengage_point_shop.a"), &archive, target.binutils)?;
    let native =
        fs::read_to_string(&native).map_err(|error| format!("{}: {error}", native.display()))?.trim().to_owned();
    Ok(Built {
        target,
        shared: made.join("libengage_point_shop.so"),
        archive: Some(archive),
        native,
        imports: Vec::new(),
    })
}

/// The time that a package is of: the day of the commit, so that it can be built again
/// (https://reproducible-builds.org/specs/source-date-epoch/).
fn built_on() -> Result<String> {
    if let Ok(given) = env::var("SOURCE_DATE_EPOCH") {
        return Ok(given);
    }
    let seconds = output(Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(root()))
        .map_err(|error| format!("outside a git clone, set SOURCE_DATE_EPOCH to the release's time: {error}"))?;
    let seconds: u64 = seconds.trim().parse().map_err(|_| format!("git gave {seconds:?} for a time"))?;
    Ok((seconds / 86_400 * 86_400).to_string())
}

/// Where cargo keeps the sources of the crates.
pub fn registry() -> PathBuf {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    home.unwrap_or_default().join("registry/src")
}

/// The objects that begin and end a 32-bit Windows program's unwinding tables. The target needs them and no package has them.
fn startup_objects(target: &Target) -> Result<PathBuf> {
    let folder = target_folder().join("package").join("startup");
    make(&folder)?;
    let version = output(Command::new("/usr/bin/rustc").arg("--version"))?;
    let version = version.split_whitespace().nth(1).unwrap_or_default().to_owned();
    for name in ["rsbegin", "rsend"] {
        let mut rustc = Command::new("/usr/bin/rustc");
        rustc.env("RUSTC_BOOTSTRAP", "1").env_remove("RUSTUP_TOOLCHAIN").args([
            "--target",
            target.triple,
            "--crate-type",
            "rlib",
        ]);
        rustc.arg("--emit").arg(format!("obj={}", folder.join(format!("{name}.o")).display()));
        run(rustc.arg(format!("/usr/src/rustc-{version}/library/rtstartup/{name}.rs")))?;
    }
    Ok(folder)
}

/// The import library that MSVC's linker reads.
fn import_library(target: &Target, made: &Path) -> Result<PathBuf> {
    let (definitions, library) = (made.join("engage_point_shop.def"), made.join("engage_point_shop.lib"));
    let functions: Vec<String> = static_library::functions()?.into_iter().collect();
    write(&definitions, format!("LIBRARY engage_point_shop.dll\nEXPORTS\n{}\n", functions.join("\n")))?;
    let machine = if target.name == "win-x86" { "i386" } else { "i386:x86-64" };
    let mut dlltool = Command::new(zig()?.join("python"));
    dlltool.args(["-m", "ziglang", "dlltool", "-m", machine, "-D", "engage_point_shop.dll", "-d"]).arg(&definitions);
    run(dlltool.arg("-l").arg(&library))?;
    Ok(library)
}

/// What `cargo build` has made for this machine: for trying a package's layout in seconds. Never shipped.
pub fn from_debug(into: &Path) -> Result<Built> {
    let target = &TARGETS[0];
    let made = target_folder().join("debug");
    make(into)?;
    let archive = into.join("libengage_point_shop.a");
    static_library::close(&made.join("libengage_point_shop.a"), &archive, target.binutils)?;
    let (empty, native) = (into.join("empty.rs"), into.join("native-static-libs.txt"));
    write(&empty, "")?;
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--crate-type", "staticlib", "--out-dir"]).arg(into).arg("--print");
    output(rustc.arg(format!("native-static-libs={}", native.display())).arg(&empty))?;
    let native = fs::read_to_string(&native).map_err(|error| error.to_string())?.trim().to_owned();
    let shared = made.join("libengage_point_shop.so");
    Ok(Built { target, shared, archive: Some(archive), native, imports: Vec::new() })
}
