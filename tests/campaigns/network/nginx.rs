//! A real nginx with a configuration of the test. Dropping it ends the process.

use crate::support::eventually;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

pub struct Nginx {
    process: Child,
    pub port: u16,
    folder: TempDir,
}

/// Returns a port that is free now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Nginx {
    /// Starts nginx. `http` is the content of nginx's http context, which listens on `port`. The
    /// named files lie in `folder`.
    pub fn start(folder: TempDir, port: u16, http: &str) -> Self {
        let here = folder.path().display();
        let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|of| format!("{of}_temp_path {here}/{of};\n"))
            .concat();
        // One process in the foreground: the test can end it, and it needs no other user.
        let text = format!(
            "daemon off;\nmaster_process off;\npid nginx.pid;\nevents {{}}\nhttp {{\naccess_log off;\n{temp}\n{http}\n}}\n"
        );
        std::fs::write(folder.path().join("nginx.conf"), text).unwrap();
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
        let errors = std::fs::File::create(folder.path().join("stderr")).unwrap();
        let mut process = Command::new("nginx")
            .env("PATH", path)
            .arg("-p")
            .arg(folder.path())
            .args(["-c", "nginx.conf", "-e", "stderr"])
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .expect("nginx is installed: cargo xtask test sees to it");
        eventually("nginx listens", || {
            let said = || std::fs::read_to_string(folder.path().join("stderr")).unwrap();
            assert!(process.try_wait().unwrap().is_none(), "nginx has ended: {}", said());
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Self { process, port, folder }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
