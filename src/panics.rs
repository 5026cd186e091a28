//! Keeps a panic of the library from printing to the POS's stderr (invariant 9). The panic hook is
//! the process's: the library's hook passes on every panic of a thread that is not inside the
//! library.

use std::cell::Cell;
use std::sync::Once;

thread_local! {
    /// How many calls of the library the thread is in.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// A guard: while it exists, a panic of this thread prints nothing.
pub(crate) struct Quiet(());

impl Drop for Quiet {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Lets the panics of this thread print nothing while the guard lives.
pub(crate) fn quiet_thread() -> Quiet {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // A thread without its locals is ending, and not inside a call of the library.
            if DEPTH.try_with(Cell::get).unwrap_or(0) == 0 {
                previous(panic);
            }
        }));
    });
    DEPTH.set(DEPTH.get() + 1);
    Quiet(())
}
