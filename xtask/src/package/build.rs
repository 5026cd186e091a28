//! Builds the library for a target: with the pinned toolchain for Linux x64, with Debian's for
//! the others. Debian's toolchain builds the standard library of its targets from source.

use super::target::{GLIBC, TARGETS, TOOLS, Target, Toolchain};
use super::{NAME, make, write};
use crate::docs;
use crate::run::{Result, output, root, run, target as target_folder};
use crate::static_library;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A target's files, as cargo built them.
pub struct Built {
    pub target: &'static Target,
    pub shared: PathBuf,
    /// The static library with hidden inner symbols. Linux only.
    pub archive: Option<PathBuf>,
    /// The linker arguments that a program with the static library needs, as rustc prints them.
    pub native: String,
    /// The import libraries for MinGW and MSVC. Windows only.
    pub imports: Vec<PathBuf>,
    /// The debug symbols of the shared library, kept per release.
    pub symbols: Option<PathBuf>,
    /// The documents as a site; none in a quick test.
    pub site: Option<PathBuf>,
    /// The programs, in the order of `TOOLS`.
    pub tools: Vec<PathBuf>,
}

impl Built {
    /// Returns the file of a program, which is one of `TOOLS`.
    pub fn program(&self, name: &str) -> PathBuf {
        let found = self.tools.iter().find(|tool| tool.file_stem().is_some_and(|stem| stem == name));
        found.cloned().unwrap_or_default()
    }
}

const ZIG: &[&str] = &["ziglang==0.17.1", "cargo-zigbuild==0.24.1"];

/// Installs zig and cargo-zigbuild below the target folder; returns their `bin` folder.
pub fn zig() -> Result<PathBuf> {
    let venv = target_folder().join("zig");
    let bin = venv.join("bin");
    if !bin.join("cargo-zigbuild").exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        run(Command::new(bin.join("pip")).args(["install", "--quiet", "--disable-pip-version-check"]).args(ZIG))?;
    }
    Ok(bin)
}

/// Makes a command use Debian's cargo and rustc, which can build the standard library from source.
fn debian_cargo(mut command: Command, path: Option<&Path>) -> Command {
    let first = path.map(|path| format!("{}:", path.display())).unwrap_or_default();
    command.current_dir(root()).env("PATH", format!("{first}/usr/bin:/bin")).env("CARGO", "/usr/bin/cargo");
    command.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1").env_remove("RUSTUP_TOOLCHAIN");
    command
}

const STD: &str = "-Zbuild-std=std,panic_unwind";

/// Returns the cargo command that compiles the library, without the crate type and the target.
fn compiler(target: &Target, into: &Path) -> Result<Command> {
    compiler_of(target, into, &["rustc", "--package", NAME, "--lib", "--release"])
}

/// Returns a cargo command that compiles a part of the workspace, without the target.
fn compiler_of(target: &Target, into: &Path, part: &[&str]) -> Result<Command> {
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
    // Without the paths of this machine, the same sources give the same bytes on another machine.
    let remap = [(registry(), "crates"), (root().to_owned(), NAME)];
    let mut flags = remap.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())).to_vec();
    if target.is_32_bit() {
        // Also for the library on which a program depends, and which is linked before it.
        flags.extend(["-L".to_owned(), format!("native={}", startup_objects(target)?.display())]);
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    command.env("SOURCE_DATE_EPOCH", built_on()?).env("CARGO_TARGET_DIR", into);
    if target.is_windows() {
        // The C compiler has no name by these triples.
        let variable = target.triple.replace('-', "_");
        command.env(format!("CC_{variable}"), target.cc);
        command.env(format!("AR_{variable}"), format!("{}ar", target.binutils.prefix));
    }
    // The symbols are kept beside the package, and stripped below.
    command.env("CARGO_PROFILE_RELEASE_STRIP", "none").env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only");
    command.args(part).arg("--locked");
    if target.toolchain != Toolchain::Pinned {
        command.arg(STD);
    }
    Ok(command)
}

/// Returns cargo's `--target`. zig's target includes the C library's version.
fn triple(target: &Target) -> String {
    if target.is_windows() { target.triple.to_owned() } else { format!("{}.{}.{}", target.triple, GLIBC.0, GLIBC.1) }
}

/// Builds the shared library with injectable panics, in another folder: it must never be shipped.
pub fn with_faults(target: &Target) -> Result<PathBuf> {
    let folder = target_folder().join("package-faults");
    let mut command = compiler(target, &folder)?;
    command.args(["--features", "fault-injection", "--crate-type", "cdylib", "--target", &triple(target)]);
    command.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    run(&mut command)?;
    let name = if target.is_windows() { "engage_point_shop.dll" } else { "libengage_point_shop.so" };
    Ok(folder.join(target.triple).join("release").join(name))
}

/// Builds the program of the library's own unit tests.
pub fn unit_tests(target: &Target) -> Result<PathBuf> {
    let folder = target_folder().join("package-tests");
    let mut command = compiler_of(target, &folder, &["test", "--package", NAME, "--lib", "--no-run"])?;
    let printed = output(command.args(["--message-format", "json", "--target", &triple(target)]))?;
    let program = printed.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    program.ok_or_else(|| "cargo names no program of the unit tests".to_owned())
}

/// Builds the shared library of a Linux package with its symbols, in another folder.
pub fn with_symbols(target: &Target) -> Result<PathBuf> {
    let folder = target_folder().join("package-symbols");
    let mut command = compiler(target, &folder)?;
    run(command.args(["--crate-type", "cdylib,staticlib", "--target", &triple(target)]))?;
    Ok(folder.join(target.triple).join("release/libengage_point_shop.so"))
}

pub fn build(target: &'static Target) -> Result<Built> {
    println!("building for {}", target.name);
    build_into(target, &target_folder().join("package"))
}

/// Compiles a target again from nothing, and checks that the files are the same.
pub fn builds_the_same(target: &'static Target) -> Result {
    let folder = target_folder().join("package-again");
    let _ = fs::remove_dir_all(&folder);
    let (once, again) = (build(target)?, build_into(target, &folder)?);
    let files = |built: &Built| -> Vec<PathBuf> {
        let shared = std::slice::from_ref(&built.shared);
        [shared, built.archive.as_slice(), built.tools.as_slice(), built.imports.as_slice()].concat()
    };
    for (before, now) in files(&once).iter().zip(files(&again)) {
        let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
        if read(before)? != read(&now)? {
            return Err(format!(
                "{} and {} differ, though their sources are the same",
                before.display(),
                now.display()
            ));
        }
    }
    println!("{}: a second compilation made the same {} files", target.name, files(&once).len());
    fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))
}

fn build_into(target: &'static Target, into: &Path) -> Result<Built> {
    let made = into.join(target.triple).join("release");
    make(&made)?;
    let mut command = compiler(target, into)?;
    if target.is_windows() {
        command.args(["--crate-type", "cdylib", "--target", &triple(target)]);
        run(&mut command)?;
        let (shared, symbols) = stripped(target, &made.join("engage_point_shop.dll"))?;
        sign(&shared)?;
        let imports = vec![made.join("libengage_point_shop.dll.a"), import_library(target, &made)?];
        return Ok(Built {
            target,
            shared,
            archive: None,
            native: String::new(),
            imports,
            symbols: Some(symbols),
            site: Some(docs::build()?),
            tools: tools(target, into, &made)?,
        });
    }
    let native = made.join("native-static-libs.txt");
    command.args(["--crate-type", "cdylib,staticlib", "--target", &triple(target)]);
    run(command.args(["--", "--print"]).arg(format!("native-static-libs={}", native.display())))?;
    let archive = made.join("closed").join("libengage_point_shop.a");
    make(&made.join("closed"))?;
    static_library::close(&made.join("libengage_point_shop.a"), &archive, target.binutils)?;
    let native = native_libraries(&native)?;
    let (shared, symbols) = stripped(target, &made.join("libengage_point_shop.so"))?;
    Ok(Built {
        target,
        shared,
        archive: Some(archive),
        native,
        imports: Vec::new(),
        symbols: Some(symbols),
        site: Some(docs::build()?),
        tools: tools(target, into, &made)?,
    })
}

/// Builds the programs.
fn tools(target: &Target, into: &Path, made: &Path) -> Result<Vec<PathBuf>> {
    let build = |(name, _): &(&str, u64)| {
        let mut cargo = compiler_of(target, into, &["rustc", "--package", name, "--bin", name, "--release"])?;
        run(cargo.args(["--target", &triple(target)]))?;
        let (tool, _) = stripped(target, &made.join(target.program(name)))?;
        Ok(tool)
    };
    TOOLS.iter().map(build).collect()
}

/// Signs a DLL in place by the command that `EPS_SIGN` names, so that every package has the signed
/// one.
fn sign(dll: &Path) -> Result {
    env::var_os("EPS_SIGN").map_or(Ok(()), |signer| run(Command::new(signer).arg(dll).current_dir(root())))
}

/// Writes a file without its symbols, and its symbols. Cargo's own file stays as it is: the next
/// packing reads its symbols again.
fn stripped(target: &Target, linked: &Path) -> Result<(PathBuf, PathBuf)> {
    let folder = linked.with_file_name("stripped");
    make(&folder)?;
    let file = folder.join(linked.file_name().unwrap_or_default());
    let symbols = file.with_extension("debug");
    run(target.binutils.tool("objcopy").arg("--only-keep-debug").arg(linked).arg(&symbols))?;
    // strip writes this time into the header of a DLL.
    let mut strip = target.binutils.tool("strip");
    run(strip.env("SOURCE_DATE_EPOCH", "0").arg("--strip-all").arg(linked).arg("-o").arg(&file))?;
    Ok((file, symbols))
}

/// Returns the package's time, the day of the commit, so that a later build gives the same bytes
/// (<https://reproducible-builds.org/specs/source-date-epoch/>).
fn built_on() -> Result<String> {
    if let Ok(given) = env::var("SOURCE_DATE_EPOCH") {
        return Ok(given);
    }
    let seconds = output(Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(root()))
        .map_err(|error| format!("The commit's time is not known. Outside a git clone, set SOURCE_DATE_EPOCH to the release's time: {error}"))?;
    let seconds: u64 = seconds.trim().parse().map_err(|_| format!("git printed {seconds:?} instead of a time"))?;
    Ok((seconds / 86_400 * 86_400).to_string())
}

/// Returns cargo's folder of crate sources.
pub fn registry() -> PathBuf {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    home.unwrap_or_default().join("registry/src")
}

/// Builds the objects that begin and end a 32-bit Windows program's unwinding tables; no package
/// has them.
fn startup_objects(target: &Target) -> Result<PathBuf> {
    let folder = target_folder().join("package").join("startup").join(target.triple);
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

/// Makes the import library of MSVC's linker.
fn import_library(target: &Target, made: &Path) -> Result<PathBuf> {
    let (definitions, library) = (made.join("engage_point_shop.def"), made.join("engage_point_shop.lib"));
    let functions: Vec<String> = static_library::functions()?.into_iter().collect();
    write(&definitions, format!("LIBRARY engage_point_shop.dll\nEXPORTS\n{}\n", functions.join("\n")))?;
    let machine = if target.is_32_bit() { "i386" } else { "i386:x86-64" };
    let mut dlltool = Command::new(zig()?.join("python"));
    dlltool.args(["-m", "ziglang", "dlltool", "-m", machine, "-D", "engage_point_shop.dll", "-d"]).arg(&definitions);
    run(dlltool.arg("-l").arg(&library))?;
    Ok(library)
}

/// Reads the list of rustc. The C compiler links its own unwinder and the C library: a system
/// without `libgcc_s` has none to name, and a static program cannot have it.
fn native_libraries(list: &Path) -> Result<String> {
    let text = fs::read_to_string(list).map_err(|error| format!("{}: {error}", list.display()))?;
    let named = text.split_whitespace().filter(|library| !["-lgcc_s", "-lc"].contains(library));
    Ok(named.collect::<Vec<_>>().join(" "))
}

/// Returns the debug build of this machine, for a quick test of a package's layout. Never shipped.
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
    let native = native_libraries(&native)?;
    let shared = made.join("libengage_point_shop.so");
    let without_symbols = |(name, _): &(&str, u64)| {
        let tool = into.join(name);
        run(target.binutils.tool("strip").arg(made.join(name)).arg("-o").arg(&tool)).map(|()| tool)
    };
    let tools = TOOLS.iter().map(without_symbols).collect::<Result<_>>()?;
    Ok(Built { target, shared, archive: Some(archive), native, imports: Vec::new(), symbols: None, site: None, tools })
}
