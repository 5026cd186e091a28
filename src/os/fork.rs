//! Recognises a process that was forked from one with an open client.

#[cfg(unix)]
pub(crate) use unix::{is_forked, watch_forks};

#[cfg(unix)]
mod unix {
    use crate::os::process_file::{fork_begins, fork_has_ended, give_up_all};
    use once_cell::sync::OnceCell;
    use std::ffi::c_int;
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Set in a child as it is forked. To compare process ids instead would cost each call a system
    /// call.
    static FORKED: AtomicBool = AtomicBool::new(false);

    type Handler = Option<extern "C" fn()>;

    unsafe extern "C" {
        fn pthread_atfork(prepare: Handler, parent: Handler, child: Handler) -> c_int;
    }

    extern "C" fn before() {
        fork_begins();
    }

    extern "C" fn in_parent() {
        fork_has_ended();
    }

    extern "C" fn in_child() {
        FORKED.store(true, Ordering::Relaxed);
        give_up_all();
    }

    /// Lets every child that is forked from now on recognise that it is one, and give up the files
    /// of its parent (see `process_file`).
    pub(crate) fn watch_forks() -> io::Result<()> {
        static WATCHED: OnceCell<()> = OnceCell::new();
        // SAFETY: the handlers use atomics, and system calls that are allowed in a forked child.
        let watch = || match unsafe { pthread_atfork(Some(before), Some(in_parent), Some(in_child)) } {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(error)),
        };
        WATCHED.get_or_try_init(watch).copied()
    }

    /// Returns whether this process was forked after [`watch_forks`].
    pub(crate) fn is_forked() -> bool {
        FORKED.load(Ordering::Relaxed)
    }
}

/// Does nothing: Windows has no fork.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps)]
pub(crate) fn watch_forks() -> std::io::Result<()> {
    Ok(())
}

/// Returns false: Windows has no fork.
#[cfg(not(unix))]
pub(crate) const fn is_forked() -> bool {
    false
}
