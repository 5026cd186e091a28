//! Keeps a panic of ours from printing to the POS's stderr (invariant 9), without silencing anybody else's.
//! The hook is the process's, so ours asks first whether the panicking thread is inside this library, and passes all others on.

use std::cell::Cell;
use std::sync::Once;

thread_local! {
    static OURS: Cell<u32> = const { Cell::new(0) };
}

/// While it lives, a panic of this thread prints nothing.
pub(crate) struct Quiet(());

impl Drop for Quiet {
    fn drop(&mut self) {
        OURS.set(OURS.get() - 1);
    }
}

pub(crate) fn quiet_thread() -> Quiet {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // A thread whose locals are gone is ending; it is not inside a call of ours.
            if OURS.try_with(Cell::get).unwrap_or(0) == 0 {
                others(panic);
            }
        }));
    });
    OURS.set(OURS.get() + 1);
    Quiet(())
}
