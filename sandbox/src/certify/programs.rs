//! The programs that a certification has started. Each is killed with all that it has started, and
//! an interrupted certification leaves none.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The running programs.
#[derive(Debug, Default)]
pub struct Programs(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    running: BTreeSet<u32>,
    /// The folder of the certification.
    folder: Option<PathBuf>,
    stopped: bool,
}

impl Programs {
    /// Kills every program, removes the certification's folder, and starts no further program.
    pub fn stop(&self) {
        let mut state = self.state();
        state.stopped = true;
        for id in std::mem::take(&mut state.running) {
            kill_tree(id);
        }
        if let Some(folder) = state.folder.take() {
            // A killed program may still close a file.
            let began = Instant::now();
            while fs::remove_dir_all(&folder).is_err() && folder.exists() && began.elapsed() < Duration::from_secs(5) {
                thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// Returns whether the programs were stopped.
    pub fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    pub(super) fn set_folder(&self, folder: &Path) {
        self.state().folder = Some(folder.to_owned());
    }

    /// Starts a program. A file receives its output.
    pub(super) fn start(self: &Arc<Programs>, command: &mut Command, output: &Path) -> io::Result<Running> {
        let file = File::create(output)?;
        self.spawn(command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file), output)
    }

    /// Starts a program that reads lines and prints lines. A file receives its error output.
    pub(super) fn start_lines(
        self: &Arc<Programs>,
        command: &mut Command,
        output: &Path,
    ) -> io::Result<(Running, ChildStdin, ChildStdout)> {
        let file = File::create(output)?;
        let mut running = self.spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file), output)?;
        let pipes = (running.child.stdin.take(), running.child.stdout.take());
        let (Some(stdin), Some(stdout)) = pipes else { return Err(io::Error::other("the pipes are missing")) };
        Ok((running, stdin, stdout))
    }

    fn spawn(self: &Arc<Programs>, command: &mut Command, output: &Path) -> io::Result<Running> {
        let mut state = self.state();
        if state.stopped {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "the certification was interrupted"));
        }
        // The process group makes it possible to kill the program's children too.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let child = command.spawn()?;
        state.running.insert(child.id());
        let programs = Arc::clone(self);
        Ok(Running { child, programs, began: Instant::now(), output: output.to_owned(), read: 0, is_killed: false })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Kills a program and all that it has started.
fn kill_tree(id: u32) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    #[cfg(windows)]
    {
        let mut taskkill = Command::new("taskkill");
        taskkill.args(["/T", "/F", "/PID", &id.to_string()]);
        let _ = taskkill.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// A running program. Dropping it kills it.
pub(super) struct Running {
    child: Child,
    programs: Arc<Programs>,
    began: Instant,
    output: PathBuf,
    /// The length of the output that was read already.
    read: usize,
    /// Its id may be another program's by now.
    is_killed: bool,
}

impl Running {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn programs(&self) -> Arc<Programs> {
        Arc::clone(&self.programs)
    }

    pub fn began(&self) -> Instant {
        self.began
    }

    /// Returns the exit status, if the program has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits until the program ends, for at most `limit` since its start.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if self.began.elapsed() < limit => thread::sleep(Duration::from_millis(5)),
                _ => return None,
            }
        }
    }

    /// Kills the program with all that it has started.
    pub fn kill(&mut self) {
        if std::mem::replace(&mut self.is_killed, true) {
            return;
        }
        kill_tree(self.child.id());
        let _ = self.child.kill();
        self.programs.state().running.remove(&self.child.id());
        let _ = self.child.wait();
    }

    /// Returns the end of the output since the last call.
    pub fn printed(&mut self) -> String {
        let printed = fs::read(&self.output).unwrap_or_default();
        let new = printed.get(self.read..).unwrap_or_default();
        let tail = &new[new.len().saturating_sub(4096)..];
        self.read = printed.len();
        String::from_utf8_lossy(tail).trim_end().to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}
