//! Tests a package as a POS vendor uses it: installs it into an empty folder, builds programs
//! from it, and lets the programs buy a reward from the sandbox.

use super::target::Target;
use super::{copy, from_debug, layout, make, pack, packs_the_same, page, python_sources, same_bytes};
use crate::demo::Sandbox;
use crate::run::{Result, cargo, output, root, run, target as target_folder};
use crate::setup;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A way to run a target's programs: the command before the program, and environment variables.
#[derive(Default)]
pub struct Runner {
    pub before: Vec<String>,
    pub settings: Vec<(String, String)>,
}

/// Tests the package's layout with the debug library, which takes seconds.
pub fn try_debug() -> Result {
    setup::install(&[setup::DEMO, setup::TEST, setup::CONSUMER])?;
    run(cargo().args(["build", "--workspace"]))?;
    let work = fresh("debug")?;
    let built = from_debug(&work.join("built"))?;
    layout::tree(&built, &work.join("made"))?;
    // An installed package may be moved.
    let installed = work.join("installed somewhere else");
    fs::rename(work.join("made"), &installed).map_err(|error| error.to_string())?;
    use_installed(built.target, &installed, &work, &Runner::default())?;
    page::follow(&installed, &work)?;
    page::follow_readme(&installed, &work)?;
    let (once, twice) = (work.join("once"), work.join("twice"));
    let packages = pack(&built, &once)?;
    packs_the_same(&built, &once, &twice)?;
    python_from_sources(&built.shared, &work)?;
    in_pytest(&packages, &work)?;
    with_package_managers(&installed, &packages, &work)
}

/// Installs Python's source distribution as on a platform without a wheel: without the native
/// library it says what it needs, and with it the package works.
fn python_from_sources(library: &Path, work: &Path) -> Result {
    let sources = python_sources(&work.join("sdist"))?;
    same_bytes(&python_sources(&work.join("sdist-again"))?, &work.join("sdist"))?;
    let venv = work.join("from-sources");
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    let pip = || {
        let mut pip = Command::new(venv.join("bin/pip"));
        pip.args(["install", "--quiet", "--no-index", "--disable-pip-version-check"]).arg(&sources);
        pip
    };
    let problem = output(&mut pip()).err().unwrap_or_default();
    if !problem.contains("set ENGAGE_POINT_SHOP_LIBRARY to its path") {
        return Err(format!("pip did not say what the source distribution needs: {problem}"));
    }
    output(pip().env("ENGAGE_POINT_SHOP_LIBRARY", library))?;
    let printed = output(Command::new(venv.join("bin/python")).args(["-m", "engage_point_shop"]).current_dir(work))?;
    if printed.ends_with("engage_point_shop works\n") {
        Ok(())
    } else {
        Err(format!("the package from sources: {printed}"))
    }
}

const PYTEST: &str = "pytest==9.0.1";

/// Installs both wheels beside pytest, and runs tests that use the sandbox's fixture: those of the
/// readme, and others.
fn in_pytest(packages: &[PathBuf], work: &Path) -> Result {
    let venv = target_folder().join("pytest");
    if !venv.join("bin/pytest").exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        run(Command::new(venv.join("bin/pip")).args(["install", "--quiet", "--disable-pip-version-check", PYTEST]))?;
    }
    let mut pip = Command::new(venv.join("bin/pip"));
    pip.args(["install", "--quiet", "--no-index", "--no-deps", "--force-reinstall", "--disable-pip-version-check"]);
    run(pip.args(packages.iter().filter(|package| package.extension().is_some_and(|end| end == "whl"))))?;
    let tests = work.join("pytest");
    make(&tests)?;
    copy(&root().join("tests/packages/test_sandbox.py"), &tests.join("test_sandbox.py"))?;
    let readme = fs::read_to_string(root().join("sandbox/python/README.md")).map_err(|error| error.to_string())?;
    let test = readme.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap_or_default();
    super::write(&tests.join("test_till.py"), test)?;
    let mut pytest = Command::new(venv.join("bin/pytest"));
    let printed = output(pytest.args(["-q", "-p", "no:cacheprovider", "--strict-config"]).current_dir(&tests))?;
    let last = printed.lines().last().filter(|last| last.starts_with("7 passed in"));
    println!("engage-sandbox's wheel: {}", last.ok_or_else(|| format!("7 tests were due to pass:\n{printed}"))?);
    Ok(())
}

/// The conan that reads the recipe.
const CONAN: &str = "conan==2.34.0";

/// Uses the package as CMake's FetchContent, Debian's dpkg and Conan install it.
fn with_package_managers(installed: &Path, packages: &[PathBuf], work: &Path) -> Result {
    let sandbox = Sandbox::start(&target_folder().join("debug/engage-sandbox"), work)?;
    let bought = |program: &mut Command, journal: &str| -> Result {
        program.arg(&sandbox.https).arg(&sandbox.ca).arg(&sandbox.key).arg(work.join(journal)).current_dir(work);
        let printed = output(program)?;
        let due = format!("bought with {}", super::VERSION);
        if printed.trim_end().ends_with(&due) { Ok(()) } else { Err(format!("{due:?} was due, not {printed:?}")) }
    };
    let fetched = fetch(&packages[0], work)?;
    for name in ["fetched-shared", "fetched-static"] {
        bought(&mut Command::new(fetched.join(name)), &format!("{name}.db"))?;
    }
    bought(&mut in_debian(packages, work)?, "debian.db")?;
    conan(installed, work)?;
    println!("linux-x64: FetchContent, dpkg and Conan installed the package");
    Ok(())
}

/// Builds a program whose CMake project takes the archive.
fn fetch(archive: &Path, work: &Path) -> Result<PathBuf> {
    let build = work.join("fetch");
    let mut configure = Command::new("cmake");
    configure.args(["-G", "Ninja", "-S"]).arg(root().join("tests/packages/fetch")).arg("-B").arg(&build);
    output(configure.arg(format!("-DARCHIVE={}", archive.display())))?;
    output(Command::new("cmake").arg("--build").arg(&build))?;
    Ok(build)
}

/// Returns a command that installs the Debian packages, builds a program and runs it. What it
/// installs is in a layer over the system, which ends with the command. It needs root.
fn in_debian(packages: &[PathBuf], work: &Path) -> Result<Command> {
    const SCRIPT: &str = r#"set -e
layer=$1 source=$2; shift 2
mount -t tmpfs layer "$layer"
for folder in usr etc var; do
    mkdir -p "$layer/$folder" "$layer/$folder-work"
    mount -t overlay layer -o "lowerdir=/$folder,upperdir=$layer/$folder,workdir=$layer/$folder-work" "/$folder"
done
dpkg -i "$1" "$2" "$3" >&2; shift 3
eps codes EPS_OK >&2
engage-sandbox --version >&2
cc "$source" $(pkg-config --cflags --libs engage_point_shop) -o "$layer/installed"
"$layer/installed" "$@"
dpkg -r libengage-point-shop-dev libengage-point-shop1 engage-point-shop-tools >&2
test ! -e /usr/lib/libengage_point_shop.so.1 -a ! -e /usr/bin/eps
"#;
    let layer = work.join("layer");
    make(&layer)?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", SCRIPT, "sh"]).arg(layer).arg(source());
    command.args(packages.iter().filter(|package| package.extension().is_some_and(|end| end == "deb")));
    Ok(command)
}

/// Installs the unpacked archive by the recipe into an empty cache. Its test package runs programs.
fn conan(installed: &Path, work: &Path) -> Result {
    let venv = target_folder().join("conan");
    if !venv.join("bin/conan").exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        run(Command::new(venv.join("bin/pip")).args(["install", "--quiet", "--disable-pip-version-check", CONAN]))?;
    }
    let conan = || {
        let mut conan = Command::new(venv.join("bin/conan"));
        conan.env("CONAN_HOME", work.join("conan")).current_dir(work);
        conan
    };
    // The recipe makes folders beside itself.
    let recipe = work.join("recipe");
    run(Command::new("cp").arg("-r").arg(root().join("packaging/conan")).arg(&recipe))?;
    output(conan().args(["profile", "detect"]))?;
    let mut export = conan();
    export.arg("export-pkg").arg(&recipe).args(["--version", super::VERSION, "-vwarning", "-o"]);
    let ended = export.arg(format!("&:archive={}", installed.display())).output().map_err(|error| error.to_string())?;
    let printed = [ended.stdout, ended.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    let works = printed.matches(&format!("engage-point-shop {} works", super::VERSION)).count();
    if works == 2 { Ok(()) } else { Err(format!("The test package of Conan printed {printed}")) }
}

/// Makes an empty folder below the target folder.
pub fn fresh(name: &str) -> Result<PathBuf> {
    let work = target_folder().join("consumer").join(name);
    let _ = fs::remove_dir_all(&work);
    make(&work)?;
    Ok(work)
}

/// Builds a program from the installed package in each documented way, and lets each buy a reward.
pub fn use_installed(target: &Target, installed: &Path, work: &Path, runner: &Runner) -> Result {
    let mut programs = Vec::new();
    if !target.is_windows() {
        programs.extend(with_pkg_config(target, installed, work)?);
    }
    programs.extend(with_cmake(target, installed, work)?);
    if target.is_windows() {
        programs.push(with_import_library(target, installed, &work.join("cmake"))?);
    }
    let sandbox = Sandbox::start(&target_folder().join("debug/engage-sandbox"), work)?;
    for (at, program) in programs.iter().enumerate() {
        let journal = seen(target, &work.join(format!("points-{at}.db")));
        let mut command = run_by(runner, program);
        command.arg(&sandbox.https).arg(&sandbox.ca).arg(&sandbox.key).arg(&journal).current_dir(work);
        let printed = output(&mut command)?;
        if !printed.trim_end().ends_with(&format!("bought with {}", super::VERSION)) {
            return Err(format!("{} printed {printed:?}", program.display()));
        }
    }
    let bought = sandbox.ledger()?.iter().filter(|entry| entry["kind"] == "deduct").count();
    if bought != programs.len() {
        return Err(format!("{} programs bought, but the ledger has {bought} deductions", programs.len()));
    }
    let names: Vec<_> = programs.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
    println!("{}: programs from the package bought: {}", target.name, names.join(", "));
    Ok(())
}

/// Returns a path as the programs of a target see it: Wine's drive Z is this machine's root.
pub fn seen(target: &Target, path: &Path) -> PathBuf {
    if target.is_windows() { format!("Z:{}", path.display()).into() } else { path.to_owned() }
}

/// Returns the command that runs a target's program.
pub fn run_by(runner: &Runner, program: &Path) -> Command {
    let mut parts = runner.before.iter().map(AsRef::as_ref).chain([program.as_os_str()]);
    let mut command = Command::new(parts.next().unwrap_or_default());
    command.args(parts).envs(runner.settings.iter().map(|(name, value)| (name, value)));
    // Another system has its root certificates elsewhere.
    for name in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        command.env_remove(name);
    }
    command
}

fn with_pkg_config(target: &Target, installed: &Path, work: &Path) -> Result<Vec<PathBuf>> {
    let mut programs = Vec::new();
    for (arguments, name) in [
        ("engage_point_shop", "pkg-config-shared"),
        ("engage_point_shop-static", "pkg-config-static"),
        // Without any shared library, also of the system.
        ("--static engage_point_shop", "pkg-config-all-static"),
    ] {
        let mut pkg_config = Command::new("pkg-config");
        pkg_config.env("PKG_CONFIG_LIBDIR", installed.join("lib/pkgconfig")).env("PKG_CONFIG_PATH", "");
        let flags = output(pkg_config.args(["--cflags", "--libs"]).args(arguments.split(' ')))?;
        // Systems without libgcc_s have no library of that name, and the compiler links its own
        // part. An old C library needs its parts named.
        if flags.contains("gcc_s") || (name != "pkg-config-shared" && !flags.contains("-lpthread")) {
            return Err(format!("pkg-config {arguments} gives {flags}"));
        }
        let flags = if arguments.starts_with("--static") { format!("-static {flags}") } else { flags };
        let program = work.join(name);
        // Like a Makefile: the shell removes the quotes.
        let line =
            format!("{} -Wall -Wextra -Werror '{}' -o '{}' {flags}", target.cc, source().display(), program.display());
        let rpath = format!("-Wl,-rpath,'{}'", installed.join("lib").display());
        run(Command::new("sh").arg("-c").arg(format!("{} {rpath}", line.trim_end())))?;
        programs.push(program);
    }
    Ok(programs)
}

fn with_cmake(target: &Target, installed: &Path, work: &Path) -> Result<Vec<PathBuf>> {
    let build = work.join("cmake");
    let mut configure = Command::new("cmake");
    configure
        .args(["-G", "Ninja", "--no-warn-unused-cli", "-S"])
        .arg(root().join("tests/packages"))
        .arg("-B")
        .arg(&build);
    configure
        .arg(format!("-DCMAKE_PREFIX_PATH={}", installed.display()))
        .arg(format!("-DCMAKE_C_COMPILER={}", target.cc));
    let system = if target.is_windows() { "Windows" } else { "Linux" };
    // CMake searches other systems' packages only in its root path, unless this is set.
    if !target.binutils.prefix.is_empty() {
        configure.arg(format!("-DCMAKE_SYSTEM_NAME={system}")).arg("-DCMAKE_FIND_ROOT_PATH_MODE_PACKAGE=NEVER");
    }
    output(&mut configure)?;
    output(Command::new("cmake").arg("--build").arg(&build))?;
    if target.is_windows() {
        copy(&installed.join("bin/engage_point_shop.dll"), &build.join("engage_point_shop.dll"))?;
        return Ok(vec![build.join("shop-shared.exe")]);
    }
    Ok(vec![build.join("shop-shared"), build.join("shop-static")])
}

/// Links with the import library of MSVC, which MinGW's linker reads too.
fn with_import_library(target: &Target, installed: &Path, folder: &Path) -> Result<PathBuf> {
    let program = folder.join("import-library.exe");
    let mut cc = Command::new(target.cc);
    cc.arg("-I").arg(installed.join("include")).arg(source()).arg(installed.join("lib/engage_point_shop.lib"));
    run(cc.arg("-o").arg(&program))?;
    Ok(program)
}

fn source() -> PathBuf {
    root().join("tests/packages/shop.c")
}
