//! Runs a test once more, in a process of its own whose name resolution and sending the test controls (`shim.c`).
//! Nothing but the library's ordinary way to the operating system is used for it.

use std::fs::OpenOptions;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder that tells the shim what to do.
pub struct Shim {
    folder: PathBuf,
    /// Of the process that made it.
    _kept: Option<tempfile::TempDir>,
}

const FOLDER: &str = "EPS_SHIM";
const LIBRARY: &str = "shim.so";

impl Shim {
    /// In the controlled process: the shim. Outside of it: runs `test` there, passes on what it prints, and gives None.
    pub fn inside(test: &str) -> Option<Self> {
        if let Some(folder) = std::env::var_os(FOLDER) {
            return Some(Self { folder: folder.into(), _kept: None });
        }
        let shim = Self::beside();
        let mut again = Command::new(std::env::current_exe().unwrap());
        let output = shim.preload(&mut again).args(["--exact", test, "--nocapture"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        for line in said.lines().filter_map(|line| line.find("campaign ").map(|at| &line[at..])) {
            println!("{line}");
        }
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("1 passed"), "no test is named {test}: {said}");
        None
    }

    /// A shim for other processes.
    pub fn beside() -> Self {
        let folder = tempfile::tempdir().unwrap();
        compile(folder.path());
        Self { folder: folder.path().to_owned(), _kept: Some(folder) }
    }

    /// Has a process controlled by this shim.
    pub fn preload<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env(FOLDER, &self.folder).env("LD_PRELOAD", self.folder.join(LIBRARY))
    }

    /// From now on every look-up of `localhost` hangs.
    pub fn hang_resolving(&self) {
        assert!(Command::new("mkfifo").arg(self.folder.join("resolve")).status().unwrap().success());
    }

    /// Ends the look-ups that hang; later ones do not.
    pub fn lift_resolving(&self) {
        let gate = self.folder.join("resolve");
        // Opened for both, because only a writer would wait for a reader.
        let opened = OpenOptions::new().read(true).write(true).open(&gate).unwrap();
        std::fs::remove_file(&gate).unwrap();
        drop(opened);
    }

    /// What `localhost` resolves to.
    pub fn set_addresses(&self, addresses: &[IpAddr]) {
        let lines: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
        std::fs::write(self.folder.join("addresses"), lines.join("\n")).unwrap();
    }

    /// From now on nothing can be sent to a port.
    pub fn hang_sending(&self, port: u16) {
        std::fs::write(self.folder.join(format!("send-{port}")), "").unwrap();
    }

    pub fn lift_sending(&self, port: u16) {
        std::fs::remove_file(self.folder.join(format!("send-{port}"))).unwrap();
    }
}

fn compile(into: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/campaigns/network/shim.c");
    crate::till::compile(&source, &into.join(LIBRARY), &["-shared", "-fPIC", "-ldl"]);
}
