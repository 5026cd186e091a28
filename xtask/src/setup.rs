//! Installs missing tools through the system's packages.
//! Without the permission it names the command and fails. No step is skipped.

use crate::run::{Result, run};
use std::process::{Command, Stdio};

/// A tool that must be installed, a command that checks for it, and its Debian package.
pub struct Need {
    name: &'static str,
    package: &'static str,
    check: &'static [&'static str],
}

pub const fn need(name: &'static str, package: &'static str, check: &'static [&'static str]) -> Need {
    Need { name, package, check }
}

/// The tools of the demo.
pub const DEMO: &[Need] = &[
    need("a C compiler", "gcc", &["cc", "--version"]),
    need("the C library's headers", "libc6-dev", &["sh", "-c", "echo '#include <stdio.h>' | cc -E - -o /dev/null"]),
    need("pkg-config", "pkg-config", &["pkg-config", "--version"]),
    need("cJSON", "libcjson-dev", &["pkg-config", "--exists", "libcjson"]),
];

/// The further tools of the tests.
pub const TEST: &[Need] = &[
    need("a C++ compiler", "g++", &["c++", "--version"]),
    need("binutils (nm, readelf)", "binutils", &["readelf", "--version"]),
    need(
        "nlohmann-json",
        "nlohmann-json3-dev",
        &["sh", "-c", "echo '#include <nlohmann/json.hpp>' | c++ -E -x c++ - -o /dev/null"],
    ),
    need("the C# compiler (mcs)", "mono-mcs", &["mcs", "--version"]),
    need("mono", "mono-runtime", &["mono", "--version"]),
    need("Python", "python3", &["python3", "--version"]),
    need("Python's venv", "python3-venv", &["python3", "-c", "import ensurepip, venv"]),
    need("OpenSSL's tool", "openssl", &["openssl", "version"]),
    need("nginx", "nginx-light", &["sh", "-c", "PATH=$PATH:/usr/sbin nginx -v"]),
    need("tinyproxy", "tinyproxy", &["tinyproxy", "-v"]),
    need("valgrind", "valgrind", &["valgrind", "--version"]),
    need("Chromium", "chromium", &["chromium", "--version"]),
    need("curl", "curl", &["curl", "--version"]),
    need("kill", "procps", &["kill", "-l"]),
    need(
        "SQLite's static library",
        "libsqlite3-dev",
        &["sh", "-c", "echo 'int main(void){}' | cc -x c - -l:libsqlite3.a -lm -o /dev/null"],
    ),
    need("abidiff", "abigail-tools", &["abidiff", "--version"]),
];

/// The tools of the Java binding. Maven's plugins and JNA are Debian's too.
pub const JAVA: &[Need] = &[
    need("a JDK of 16 or newer", "default-jdk-headless", &["javac", "--release", "16", "--version"]),
    need("JNA", "libjna-java", &["test", "-e", "/usr/share/java/jna.jar"]),
    need("JNA's native part", "libjna-jni", &["sh", "-c", "ls /usr/lib/*/jni/libjnidispatch*.so"]),
    need("Maven", "maven", &["mvn", "--version"]),
    need(
        "Maven's dependency plugin",
        "libmaven-dependency-plugin-java",
        &["test", "-d", "/usr/share/maven-repo/org/apache/maven/plugins/maven-dependency-plugin"],
    ),
];

/// The tools of the Node.js binding. koffi and TypeScript come from npm.
pub const NODE: &[Need] = &[
    need("Node.js of 18 or newer", "nodejs", &["node", "-e", "process.exit(typeof fetch === 'function' ? 0 : 1)"]),
    need("npm", "npm", &["npm", "--version"]),
];

/// The tools of the dashboard's look. axe-core comes from npm.
pub const DASHBOARD: &[Need] = &[
    need("Chromium", "chromium", &["chromium", "--version"]),
    need(
        "the fonts of the reference pictures",
        "fonts-dejavu-core",
        &["test", "-e", "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf"],
    ),
    need("Node.js", "nodejs", &["node", "--version"]),
    need("npm", "npm", &["npm", "--version"]),
];

/// The tools of the Pascal unit.
pub const PASCAL: &[Need] = &[
    need("Free Pascal", "fp-compiler", &["fpc", "-iV"]),
    need("Free Pascal's units", "fp-units-fcl", &["sh", "-c", "ls /usr/lib/*/fpc/*/units/*/fcl-base/syncobjs.ppu"]),
];

/// The tools of the page about other languages.
pub const OTHER: &[Need] = &[need("Go", "golang-go", &["go", "version"]), need("LuaJIT", "luajit", &["luajit", "-v"])];

/// The further tools of packaging.
pub const PACKAGE: &[Need] = &[
    need("zip", "zip", &["zip", "-v"]),
    need("unzip", "unzip", &["unzip", "-v"]),
    need("dpkg-deb", "dpkg", &["dpkg-deb", "--version"]),
];

/// The tools that build a program from an installed package.
pub const CONSUMER: &[Need] = &[
    need("CMake", "cmake", &["cmake", "--version"]),
    need("ninja", "ninja-build", &["ninja", "--version"]),
    need("dpkg-deb", "dpkg", &["dpkg-deb", "--version"]),
    need("unshare", "util-linux", &["unshare", "--version"]),
    need("ip", "iproute2", &["sh", "-c", "PATH=$PATH:/usr/sbin ip -V"]),
    need("Python's venv", "python3-venv", &["python3", "-c", "import ensurepip, venv"]),
];

/// The further tools of the gate.
pub const GATE: &[Need] = &[
    need("valgrind", "valgrind", &["valgrind", "--version"]),
    need("taskset", "util-linux", &["taskset", "--version"]),
    need("the system's root certificates", "ca-certificates", &["test", "-e", "/etc/ssl/certs/ca-certificates.crt"]),
];

/// The further tools of the bench.
pub const BENCH: &[Need] = &[
    need("libcurl's headers", "libcurl4-openssl-dev", &["pkg-config", "--exists", "libcurl"]),
    need("binutils (nm)", "binutils", &["nm", "--version"]),
    need("strace", "strace", &["strace", "--version"]),
    need("the C# compiler (mcs)", "mono-mcs", &["mcs", "--version"]),
    need("mono", "mono-runtime", &["mono", "--version"]),
    need(
        "mono's HttpClient",
        "libmono-system-net-http4.0-cil",
        &["sh", "-c", "test -e /usr/lib/mono/4.5/System.Net.Http.dll"],
    ),
    need(
        "Json.NET",
        "libnewtonsoft-json5.0-cil",
        &["test", "-e", "/usr/lib/cli/Newtonsoft.Json-5.0/Newtonsoft.Json.dll"],
    ),
    need("Python's venv", "python3-venv", &["python3", "-c", "import ensurepip, venv"]),
    need("the system's root certificates", "ca-certificates", &["test", "-e", "/etc/ssl/certs/ca-certificates.crt"]),
    need("taskset", "util-linux", &["taskset", "--version"]),
];

/// Installs the missing tools.
pub fn install(needs: &[&[Need]]) -> Result {
    let missing: Vec<&Need> = needs.iter().flat_map(|needs| needs.iter()).filter(|need| !works(need.check)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|need| need.name).collect();
    let packages: Vec<_> = missing.iter().map(|need| need.package).collect();
    let by_hand = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
    println!("missing: {}", names.join(", "));
    if !works(&["apt-get", "--version"]) {
        return Err(format!(
            "Missing: {}. Install them with this system's package manager (on Debian: {by_hand}).",
            names.join(", ")
        ));
    }
    let prefix: &[&str] = if works(&["sh", "-c", "test \"$(id -u)\" = 0"]) {
        &[]
    } else if works(&["sudo", "-n", "true"]) {
        &["sudo", "-n"]
    } else {
        return Err(format!("This user may not install packages. Run: sudo {by_hand}"));
    };
    let apt = |arguments: &[&str]| {
        let command: Vec<&str> = prefix.iter().copied().chain(["apt-get"]).chain(arguments.iter().copied()).collect();
        run(Command::new(command[0]).args(&command[1..]).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null()))
    };
    println!("installing: {}", packages.join(" "));
    apt(&["update", "-q"])?;
    let mut install = vec!["install", "-y", "-q", "--no-install-recommends"];
    install.extend(packages);
    apt(&install)?;
    match missing.iter().find(|need| !works(need.check)) {
        None => Ok(()),
        Some(need) => Err(format!("The package {} was installed, but {} is still missing.", need.package, need.name)),
    }
}

/// Returns whether a command succeeds.
fn works(command: &[&str]) -> bool {
    let status = Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}
