//! Keeps a thread of the POS from ending inside of a call.

/// Runs `call` on a thread that `pthread_cancel` does not end before the return. The C library
/// would unwind this library's frames, which belong to an unwinder of their own, and the thread
/// would leave locks behind.
#[cfg(target_os = "linux")]
pub(crate) fn without_cancellation<T>(call: impl FnOnce() -> T) -> T {
    use std::ffi::c_int;

    /// The same number in glibc and musl.
    const DISABLE: c_int = 1;

    unsafe extern "C" {
        fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
    }

    let mut before = 0;
    // SAFETY: `before` is valid for the call.
    unsafe { pthread_setcancelstate(DISABLE, &raw mut before) };
    let result = call();
    // SAFETY: the state is the one that the first call returned, and NULL is allowed.
    unsafe { pthread_setcancelstate(before, std::ptr::null_mut()) };
    result
}

/// Runs `call`. Only Linux's C libraries end a thread by unwinding it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn without_cancellation<T>(call: impl FnOnce() -> T) -> T {
    call()
}
