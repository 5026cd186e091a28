//! The programs in each language, built once per test process in a vendor's way.

use crate::tools::{library, root, run, stdout};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::{fs, thread};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    C,
    Cpp,
    CSharp,
    Python,
    Java,
    Node,
    Pascal,
}

/// The languages of every test run. The others run with `cargo xtask test --target java`.
pub const ALL: [Language; 4] = [Language::C, Language::Cpp, Language::CSharp, Language::Python];

impl Language {
    /// Returns a program of `examples/` or of this folder, by its name in every language.
    pub fn program(self, name: &str) -> Command {
        match self {
            Language::Java => return java(name),
            Language::Node => return node(name),
            Language::Pascal => return Command::new(PASCAL.join(name)),
            _ => {}
        }
        let built = built();
        match self {
            Language::C => Command::new(built.join("c").join(name)),
            Language::Cpp => Command::new(built.join("cpp").join(name)),
            Language::CSharp => mono(&built.join("csharp").join(format!("{name}.exe"))),
            Language::Python => {
                let mut python = Command::new(built.join("venv/bin/python"));
                python.arg(source(&format!("{name}.py")));
                python
            }
            Language::Java | Language::Node | Language::Pascal => unreachable!("it has its own folder"),
        }
    }
}

/// The jar of JNA, as Debian installs it.
pub const JNA: &str = "/usr/share/java/jna.jar";

/// A Java program with the jar as it is shipped.
fn java(name: &str) -> Command {
    let mut java = Command::new("java");
    let folder = JAVA.display();
    java.args(["-XX:TieredStopAtLevel=1", "-cp"]).arg(format!("{folder}:{folder}/{}.jar:{JNA}", stem()));
    java.arg(name[..1].to_uppercase() + &name[1..]);
    java
}

/// A Node.js program beside the installed package.
fn node(name: &str) -> Command {
    let mut node = Command::new("node");
    node.arg("--expose-gc").arg(NODE.join(format!("{name}.js")));
    node
}

fn stem() -> String {
    format!("engage-point-shop-{}", engage_point_shop::VERSION)
}

/// A C# program, run by Mono.
pub fn mono(program: &Path) -> Command {
    let mut mono = Command::new("mono");
    mono.arg("--debug").arg(program);
    mono
}

/// Returns the folder of the programs.
pub fn built() -> &'static Path {
    &BUILT
}

/// The built programs of every language.
const PROGRAMS: &[&str] = &["till", "cases", "lifetimes"];

/// Makes an empty folder beside this test.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::current_exe().unwrap().with_extension(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The jar, and the programs that were compiled against it.
pub static JAVA: LazyLock<PathBuf> = LazyLock::new(|| {
    let built = folder("java");
    let mut jar = Command::new("python3");
    jar.arg(root().join("bindings/java/build_jar.py")).args(["--jna", JNA]);
    jar.arg(format!("--library=linux-x64={}", library("libengage_point_shop.so").display())).arg("--out").arg(&built);
    let jar = stdout(&mut jar);
    let mut javac = Command::new("javac");
    // Programs for Java 8, with every warning an error.
    javac.args(["--release", "8", "-Xlint:all,-options", "-Werror", "-encoding", "UTF-8", "-cp"]);
    javac.arg(format!("{}:{JNA}", jar.trim())).arg("-d").arg(&built);
    run(javac.args(["Till.java", "Cases.java", "Lifetimes.java"].map(source)));
    built
});

/// A folder in which npm has installed the package, with the programs.
pub static NODE: LazyLock<PathBuf> = LazyLock::new(|| {
    let built = folder("node");
    let mut pack = Command::new("node");
    pack.arg(root().join("bindings/node/pack.js")).arg("--out").arg(&built);
    pack.arg(format!("--library=linux-x64={}", library("libengage_point_shop.so").display()));
    let package = stdout(&mut pack);
    fs::write(built.join("package.json"), "{\"private\": true}").unwrap();
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error", "typescript@5.9", "@types/node@20"]);
    run(npm.arg(package.trim()).current_dir(&built));
    for name in PROGRAMS.iter().map(|name| format!("{name}.js")) {
        fs::copy(source(&name), built.join(name)).unwrap();
    }
    built
});

/// The compiled programs, with the library beside them.
pub static PASCAL: LazyLock<PathBuf> = LazyLock::new(|| {
    let built = folder("pascal");
    fs::copy(library("libengage_point_shop.so"), built.join("libengage_point_shop.so")).unwrap();
    for name in PROGRAMS {
        let mut fpc = Command::new("fpc");
        // Every warning and hint is an error too.
        fpc.args(["-l-", "-v0ewh", "-Sehw", "-O1", "-gl"]);
        fpc.arg(format!("-Fu{}", root().join("bindings/pascal").display())).arg(format!("-FE{}", built.display()));
        run(fpc.arg(source(&format!("{name}.pas"))));
    }
    built
});

static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
    let built = folder("programs");
    // Under the name of its ABI, as it is installed.
    fs::create_dir_all(built.join("lib")).unwrap();
    fs::copy(library("libengage_point_shop.so"), built.join("lib/libengage_point_shop.so.1")).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| build_c_and_cpp(&built));
        scope.spawn(|| build_csharp(&built));
        scope.spawn(|| build_python(&built));
    });
    built
});

/// Returns a source of `examples/`, or of this folder.
fn source(name: &str) -> PathBuf {
    let extension = Path::new(name).extension().and_then(OsStr::to_str).unwrap();
    let language = match extension {
        "cs" => "csharp",
        "py" => "python",
        "js" => "node",
        "pas" => "pascal",
        other => other,
    };
    let places = [root().join("examples").join(language).join(name), root().join("tests/hosts").join(name)];
    places.into_iter().find(|place| place.exists()).unwrap_or_else(|| panic!("{name} is in no folder"))
}

fn build_c_and_cpp(built: &Path) {
    let cjson = stdout(Command::new("pkg-config").args(["--cflags", "--libs", "libcjson"]));
    for (language, compiler, standard) in [("c", "cc", "-std=c99"), ("cpp", "c++", "-std=c++17")] {
        let folder = built.join(language);
        fs::create_dir_all(&folder).unwrap();
        for name in PROGRAMS {
            let mut command = Command::new(compiler);
            command.args([standard, "-Wall", "-Wextra", "-pedantic", "-Werror", "-pthread", "-I"]);
            command
                .arg(root().join("include"))
                .arg(source(&format!("{name}.{language}")))
                .arg("-o")
                .arg(folder.join(name));
            command
                .arg(built.join("lib/libengage_point_shop.so.1"))
                .arg("-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lib");
            // The C++ binding promises to work without exceptions.
            if (language, *name) == ("cpp", "cases") {
                command.arg("-fno-exceptions");
            }
            run(command.args(cjson.split_whitespace()));
        }
    }
}

fn build_csharp(built: &Path) {
    let folder = built.join("csharp");
    fs::create_dir_all(&folder).unwrap();
    // The folder layout of NuGet.
    let native = folder.join("runtimes/linux-x64/native");
    fs::create_dir_all(&native).unwrap();
    fs::copy(library("libengage_point_shop.so"), native.join("libengage_point_shop.so")).unwrap();
    let mut sources: Vec<PathBuf> =
        fs::read_dir(root().join("bindings/csharp")).unwrap().map(|entry| entry.unwrap().path()).collect();
    sources.retain(|path| path.extension().is_some_and(|extension| extension == "cs"));
    let binding = folder.join("EngagePointShop.dll");
    mcs(&binding, &["-target:library"], &sources);
    let reference = format!("-r:{}", binding.display());
    for name in PROGRAMS {
        mcs(&folder.join(format!("{name}.exe")), &[&reference], &[source(&format!("{name}.cs"))]);
    }
}

/// Compiles C# of the version that netstandard2.0 allows, with every warning an error.
pub fn mcs(out: &Path, more: &[&str], sources: &[PathBuf]) {
    let mut mcs = Command::new("mcs");
    mcs.args(["-langversion:7.2", "-warn:4", "-warnaserror+"]).arg(format!("-out:{}", out.display()));
    run(mcs.args(more).args(sources));
}

fn build_python(built: &Path) {
    let wheels = built.join("wheels");
    let mut python = Command::new("python3");
    python.arg(root().join("bindings/python/build_wheel.py")).args(["--platform", "linux_x86_64"]);
    python.arg("--library").arg(library("libengage_point_shop.so")).arg("--out").arg(&wheels);
    let wheel = stdout(&mut python);
    let venv = built.join("venv");
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
    let mut pip = Command::new(venv.join("bin/pip"));
    // The package installs without a compiler, and none is available.
    pip.args(["install", "--quiet", "--no-index", "--disable-pip-version-check"]).arg(wheel.trim());
    run(pip.env("CC", "false").env("PATH", venv.join("bin")));
}
