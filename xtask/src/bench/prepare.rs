//! Builds the shipped form of the library, and the peers from packaged libraries.

use super::lab::Peer;
use crate::run::{Result, cargo, output, root, run, target};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's Json.NET.
const JSON_NET: &str = "/usr/lib/cli/Newtonsoft.Json-5.0/Newtonsoft.Json.dll";

pub struct Built {
    /// The folder of the built programs.
    pub folder: PathBuf,
    /// The shipped form of the shared library.
    pub library: PathBuf,
    /// The same library with its symbols.
    pub named: PathBuf,
    /// The versions of the peers.
    pub versions: Vec<(&'static str, String)>,
}

impl Built {
    /// Returns a program of `benches/peers`.
    pub fn peer(&self, name: &str) -> PathBuf {
        self.folder.join("peers/release").join(name)
    }

    /// Returns the library, called through its C ABI.
    pub fn shop(&self) -> Peer {
        Peer::new("this library", [self.folder.join("shop")])
    }

    /// Returns the usual client of a POS in C.
    pub fn curl(&self) -> Peer {
        Peer::new("libcurl + cJSON (C)", [self.folder.join("curl")])
    }

    pub fn floor(&self) -> Peer {
        Peer::new("floor: socket + rustls", [self.peer("floor")])
    }

    /// Returns all peers, the floor first.
    pub fn peers(&self) -> Vec<Peer> {
        let python = |library: &'static str, name| {
            let script = root().join("benches/peers/python/peer.py");
            Peer::new(name, [self.folder.join("venv/bin/python"), script, library.into()])
        };
        vec![
            self.floor(),
            self.shop(),
            self.shop().with("EPS_BENCH_PARSE", "1").named("this library, list read with cJSON"),
            self.curl(),
            Peer::new("ureq + serde_json (Rust)", [self.peer("ureq")]),
            Peer::new("reqwest + serde_json (Rust)", [self.peer("reqwest")]),
            python("requests", "requests (Python)"),
            python("httpx", "httpx (Python)"),
            Peer::new("HttpClient + Json.NET (C#, Mono)", ["mono".into(), self.folder.join("Peer.exe")]),
        ]
    }
}

pub fn build() -> Result<Built> {
    let folder = target().join("bench");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    println!("building the library");
    let mut build = cargo();
    // The symbols show each dependency's size. The shipped form has none.
    build.env("CARGO_TARGET_DIR", folder.join("library")).env("CARGO_PROFILE_RELEASE_STRIP", "none");
    run(build.args(["build", "--release", "--package", "engage-point-shop"]))?;
    let named = folder.join("library/release/libengage_point_shop.so");
    let library = folder.join("libengage_point_shop.so.1");
    run(Command::new("strip").arg("--strip-all").arg(&named).arg("-o").arg(&library))?;

    println!("building the peers");
    let peers = root().join("benches/peers");
    let mut rust = cargo();
    rust.current_dir(&peers).env("CARGO_TARGET_DIR", folder.join("peers"));
    run(rust.args(["build", "--release", "--locked"]))?;
    c_peer(&folder, "curl", &[], &["libcurl", "libcjson"])?;
    c_peer(&folder, "shop", std::slice::from_ref(&library), &["libcjson"])?;
    run(Command::new("mcs").arg("-nologo").arg("-optimize+").arg("-warn:0").args([
        format!("-out:{}", folder.join("Peer.exe").display()),
        "-r:System.Net.Http.dll".into(),
        format!("-r:{JSON_NET}"),
        peers.join("csharp/Peer.cs").display().to_string(),
    ]))?;
    fs::copy(JSON_NET, folder.join("Newtonsoft.Json.dll")).map_err(|error| format!("{JSON_NET}: {error}"))?;
    let python = folder.join("venv/bin/python");
    if !python.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder.join("venv")))?;
    }
    let requirements = peers.join("python/requirements.txt");
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(requirements))?;
    let versions = versions(&peers)?;
    Ok(Built { folder, library, named, versions })
}

fn c_peer(folder: &Path, name: &str, libraries: &[PathBuf], packages: &[&str]) -> Result {
    let flags = output(Command::new("pkg-config").args(["--cflags", "--libs"]).args(packages))?;
    let mut cc = Command::new("cc");
    cc.args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"]).arg(folder.join(name));
    cc.arg(root().join("benches/peers/c").join(format!("{name}.c"))).arg("-I").arg(root().join("include"));
    cc.args(libraries).arg(format!("-Wl,-rpath,{}", folder.display())).args(flags.split_whitespace());
    run(&mut cc)
}

/// Returns the versions of the peers.
fn versions(peers: &Path) -> Result<Vec<(&'static str, String)>> {
    let lock = fs::read_to_string(peers.join("Cargo.lock")).map_err(|error| error.to_string())?;
    let locked = |name: &str| {
        let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).unwrap_or_default();
        rest.split('"').next().unwrap_or_default().to_owned()
    };
    let packaged = |name: &str| {
        Ok::<_, String>(output(Command::new("pkg-config").args(["--modversion", name]))?.trim().to_owned())
    };
    let requirements = fs::read_to_string(peers.join("python/requirements.txt")).map_err(|error| error.to_string())?;
    let pinned = |name: &str| {
        let line = requirements.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("=="));
        line.unwrap_or_default().to_owned()
    };
    let mono = output(Command::new("mono").arg("--version"))?;
    Ok(vec![
        ("libcurl", packaged("libcurl")?),
        ("cJSON", packaged("libcjson")?),
        ("ureq", locked("ureq")),
        ("reqwest", locked("reqwest")),
        ("rustls", locked("rustls")),
        ("requests", pinned("requests")),
        ("httpx", pinned("httpx")),
        ("Mono", mono.split_whitespace().nth(4).unwrap_or_default().to_owned()),
    ])
}
