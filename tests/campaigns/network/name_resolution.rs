//! Runs a test again in a process of its own, where the test controls name resolution and sending
//! (`shim.c`). The library uses only its ordinary interfaces of the operating system.

use std::fs::OpenOptions;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder that controls the shim.
pub struct Shim {
    folder: PathBuf,
    /// The folder of the process that made it.
    _kept: Option<tempfile::TempDir>,
}

const FOLDER: &str = "EPS_SHIM";
const LIBRARY: &str = "shim.so";

impl Shim {
    /// Returns the shim in the controlled process. Elsewhere it runs `test` in such a process,
    /// prints its output, and returns `None`.
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

    /// Makes a shim for other processes.
    pub fn beside() -> Self {
        let folder = tempfile::tempdir().unwrap();
        compile(folder.path());
        Self { folder: folder.path().to_owned(), _kept: Some(folder) }
    }

    /// Puts a process under this shim.
    pub fn preload<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env(FOLDER, &self.folder).env("LD_PRELOAD", self.folder.join(LIBRARY))
    }

    /// Makes every look-up of `localhost` hang from now on.
    pub fn hang_resolution(&self) {
        assert!(Command::new("mkfifo").arg(self.folder.join("resolve")).status().unwrap().success());
    }

    /// Ends the hanging look-ups. Later ones do not hang.
    pub fn end_hanging_resolution(&self) {
        let gate = self.folder.join("resolve");
        // The file is opened for both, because a mere writer would wait for a reader.
        let opened = OpenOptions::new().read(true).write(true).open(&gate).unwrap();
        std::fs::remove_file(&gate).unwrap();
        drop(opened);
    }

    /// Sets the addresses of `localhost`.
    pub fn set_addresses(&self, addresses: &[IpAddr]) {
        let lines: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
        std::fs::write(self.folder.join("addresses"), lines.join("\n")).unwrap();
    }

    /// Blocks all sending to a port from now on.
    pub fn block_sending(&self, port: u16) {
        std::fs::write(self.folder.join(format!("send-{port}")), "").unwrap();
    }

    pub fn end_blocked_sending(&self, port: u16) {
        std::fs::remove_file(self.folder.join(format!("send-{port}"))).unwrap();
    }
}

fn compile(into: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/campaigns/network/shim.c");
    crate::till::compile(&source, &into.join(LIBRARY), &["-shared", "-fPIC", "-ldl"]);
}
