//! Recognises that the process ends.

/// Returns whether the process ends and its other threads are ended already. Windows calls the
/// destructors of a DLL's global objects only then. A lock that another thread held is never given
/// back, and no other thread finishes its work.
#[cfg(windows)]
pub(crate) fn is_process_ending() -> bool {
    #[link(name = "ntdll")]
    unsafe extern "system" {
        fn RtlDllShutdownInProgress() -> u8;
    }
    // SAFETY: the function takes nothing and only reads a flag of the loader.
    unsafe { RtlDllShutdownInProgress() != 0 }
}

/// Returns false: elsewhere all threads run until the last destructor has returned.
#[cfg(not(windows))]
pub(crate) const fn is_process_ending() -> bool {
    false
}
