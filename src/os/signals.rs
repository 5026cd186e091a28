//! Keeps signals away from the library's threads: a signal to the process belongs to the POS.

use std::io;

/// Runs `spawn` with all signals blocked on this thread: a new thread inherits the mask, so a
/// signal never reaches it. A POS that reads SIGTERM by `signalfd` or `sigwait` would be killed
/// if any thread had the signal unblocked.
///
/// The signals of a fault stay unblocked: the kernel ends the process without a crash report if
/// they are blocked in the thread that faults.
#[cfg(unix)]
pub(crate) fn with_signals_blocked<T>(spawn: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    use nix::sys::signal::{SigSet, SigmaskHow, Signal};

    let mut signals = SigSet::all();
    for fault in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGFPE, Signal::SIGILL, Signal::SIGTRAP, Signal::SIGSYS] {
        signals.remove(fault);
    }
    let before = signals.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let spawned = spawn();
    before.thread_set_mask()?;
    spawned
}

/// Unblocks the signals by which language runtimes suspend a thread. A thread that calls the POS's
/// function is attached to the POS's runtime, and Mono's garbage collector waits until every
/// attached thread has handled its signal.
#[cfg(unix)]
pub(crate) fn unblock_runtime_signals() {
    use nix::sys::signal::{SigSet, Signal};

    // nix has no names for real-time signals: they are all signals but the named ones.
    let mut signals = SigSet::all();
    for named in Signal::iterator() {
        signals.remove(named);
    }
    for used in [Signal::SIGXCPU, Signal::SIGPROF, Signal::SIGURG] {
        signals.add(used);
    }
    #[cfg(target_os = "linux")]
    signals.add(Signal::SIGPWR);
    // The call fails only for an invalid argument.
    let _ = signals.thread_unblock();
}

/// Does nothing: Windows has no signals.
#[cfg(not(unix))]
pub(crate) const fn unblock_runtime_signals() {}

/// Runs `spawn`. Windows has no signals.
#[cfg(not(unix))]
pub(crate) fn with_signals_blocked<T>(spawn: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    spawn()
}
