//! Builds the library as its package has it, and the peers from packaged libraries.

use super::lab::Peer;
use crate::package::{self, target::Target};
use crate::run::{Result, cargo, output, root, run, target as target_folder};
use crate::setup;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's Json.NET.
const JSON_NET: &str = "/usr/lib/cli/Newtonsoft.Json-5.0/Newtonsoft.Json.dll";

/// The library as its package has it, with the server and the program in C that calls it.
pub struct Shipped {
    /// The folder of the built programs.
    pub folder: PathBuf,
    /// The shared library of the package.
    pub library: PathBuf,
    /// Its SHA-256.
    pub checksum: String,
}

/// The library and all peers.
pub struct Built {
    pub shipped: Shipped,
    /// The same library with its symbols.
    pub named: PathBuf,
    /// The versions of the peers.
    pub versions: Vec<(&'static str, String)>,
}

impl Shipped {
    /// Returns a program of `benches/peers`.
    pub fn peer(&self, name: &str) -> PathBuf {
        self.folder.join("peers/release").join(name)
    }

    /// Returns the library, called through its C ABI.
    pub fn shop(&self) -> Peer {
        Peer::new("this library", [self.folder.join("shop")])
    }
}

impl Built {
    /// Returns the usual client of a POS in C.
    pub fn curl(&self) -> Peer {
        Peer::new("libcurl + cJSON (C)", [self.shipped.folder.join("curl")])
    }

    pub fn floor(&self) -> Peer {
        Peer::new("floor: socket + rustls", [self.shipped.peer("floor")])
    }

    fn python(&self, library: &'static str, name: &'static str) -> Peer {
        let script = root().join("benches/peers/python/peer.py");
        Peer::new(name, [self.shipped.folder.join("venv/bin/python"), script, library.into()])
    }

    fn csharp(&self) -> Peer {
        Peer::new("HttpClient + Json.NET (C#, Mono)", ["mono".into(), self.shipped.folder.join("Peer.exe")])
    }

    /// Returns all peers, the floor first.
    pub fn peers(&self) -> Vec<Peer> {
        vec![
            self.floor(),
            self.shipped.shop(),
            self.shipped.shop().with("EPS_BENCH_PARSE", "1").named("this library, list read with cJSON"),
            self.curl(),
            Peer::new("ureq + serde_json (Rust)", [self.shipped.peer("ureq")]),
            Peer::new("reqwest + serde_json (Rust)", [self.shipped.peer("reqwest")]),
            self.python("requests", "requests (Python)"),
            self.python("httpx", "httpx (Python)"),
            self.csharp(),
        ]
    }

    /// Returns the peers that make a whole sale. The first two have a journal.
    pub fn sellers(&self) -> [Peer; 5] {
        let python = self.python("requests", "requests (Python)");
        [self.floor(), self.shipped.shop(), self.curl(), self.csharp(), python]
    }
}

pub fn shipped() -> Result<Shipped> {
    let folder = target_folder().join("bench");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let target = Target::named("linux-x64")?;
    setup::install(&[target.needs])?;
    let made = package::build(target)?.shared;
    // The peers load it by its SONAME.
    let library = folder.join("libengage_point_shop.so.1");
    fs::copy(&made, &library).map_err(|error| format!("{}: {error}", made.display()))?;
    let checksum = output(Command::new("sha256sum").arg(&library))?;
    let checksum = checksum.split_whitespace().next().unwrap_or_default().to_owned();
    rust_peers(&folder)?;
    c_peer(&folder, "shop", std::slice::from_ref(&library), &["libcjson"])?;
    Ok(Shipped { folder, library, checksum })
}

pub fn build() -> Result<Built> {
    let shipped = shipped()?;
    let folder = shipped.folder.clone();
    let named = package::with_symbols(Target::named("linux-x64")?)?;

    println!("building the peers");
    let peers = root().join("benches/peers");
    c_peer(&folder, "curl", &[], &["libcurl", "libcjson"])?;
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
    Ok(Built { shipped, named, versions })
}

fn rust_peers(folder: &Path) -> Result {
    let mut rust = cargo();
    rust.current_dir(root().join("benches/peers")).env("CARGO_TARGET_DIR", folder.join("peers"));
    run(rust.args(["build", "--release", "--locked"]))
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
