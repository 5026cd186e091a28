//! Shows that a command still works, on what takes longer than a second.

use std::io::IsTerminal;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Prints to standard error until it is dropped: a counter on a terminal, else one line.
#[derive(Debug)]
pub struct Progress {
    end: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    pub fn start(what: impl Into<String>) -> Self {
        let (what, (end, ended)) = (what.into(), mpsc::channel::<()>());
        let thread = thread::spawn(move || {
            let (began, on_terminal, mut shown) = (Instant::now(), std::io::stderr().is_terminal(), false);
            while ended.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
                match (on_terminal, shown) {
                    (true, _) => eprint!("\r{what} … {} s", began.elapsed().as_secs()),
                    (false, false) => eprintln!("{what} …"),
                    (false, true) => {}
                }
                shown = true;
            }
            if shown && on_terminal {
                eprint!("\r\x1b[K");
            }
        });
        Self { end: Some(end), thread: Some(thread) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
