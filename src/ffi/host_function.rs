//! Calls of the POS's functions. On Linux an unwinder's walk of the stack ends here.
//!
//! A function of the POS may end its thread: by `pthread_exit`, or in Python, where the interpreter
//! ends while the function runs. The C library then unwinds the stack with the program's unwinder,
//! which must not meet the frames of this library: they belong to an unwinder of its own. A frame
//! without unwind tables ends the walk, and the thread ends.

use std::ffi::{c_char, c_void};

/// The function of an `eps_log_fn`.
pub(super) type LogFunction = unsafe extern "C-unwind" fn(*mut c_void, i32, *const c_char, usize);
/// The function of an `eps_notify_fn`.
pub(super) type NotifyFunction = unsafe extern "C-unwind" fn(*mut c_void, *const c_char, usize);

/// Makes a function that calls its last argument with the others. On Linux these stay in their
/// registers, and the last one is in the register that is named.
macro_rules! outermost {
    ($name:ident($($argument:ident: $kind:ty),*), $function:ty, $x86_64:literal, $aarch64:literal) => {
        /// Calls `function` with the other arguments.
        ///
        /// # Safety
        /// As for the function.
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn $name($($argument: $kind,)* function: $function) {
            std::arch::naked_asm!("push rbp", "mov rbp, rsp", concat!("call ", $x86_64), "pop rbp", "ret")
        }

        /// Calls `function` with the other arguments.
        ///
        /// # Safety
        /// As for the function.
        #[cfg(all(target_os = "linux", target_arch = "aarch64"))]
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn $name($($argument: $kind,)* function: $function) {
            std::arch::naked_asm!(
                "stp x29, x30, [sp, -16]!",
                "mov x29, sp",
                concat!("blr ", $aarch64),
                "ldp x29, x30, [sp], 16",
                "ret"
            )
        }

        /// Calls `function` with the other arguments.
        ///
        /// # Safety
        /// As for the function.
        #[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
        pub(super) unsafe fn $name($($argument: $kind,)* function: $function) {
            // SAFETY: the same promise.
            unsafe { function($($argument),*) }
        }
    };
}

outermost!(call_log(user: *mut c_void, level: i32, line: *const c_char, len: usize), LogFunction, "r8", "x4");
outermost!(call_notify(user: *mut c_void, json: *const c_char, len: usize), NotifyFunction, "rcx", "x3");
