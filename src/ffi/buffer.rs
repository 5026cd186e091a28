//! The only open struct of the ABI: bytes that the library allocates and the caller returns.

use std::ffi::c_char;

/// The result of a call: UTF-8 JSON, NUL-terminated.
///
/// The caller owns the struct. The library owns the bytes at `data` until `eps_buffer_dispose`. A
/// call that takes a buffer sets it to `{NULL, 0, 0}` first and does not read it, so it need not be
/// initialised. Dispose of a result before the struct is used for another call. The layout never
/// changes.
#[repr(C)]
#[derive(Debug)]
pub struct eps_buffer {
    /// The first byte, or NULL.
    pub data: *mut c_char,
    /// Bytes before the terminating NUL.
    pub len: usize,
    /// Reserved for the library: do not change it.
    pub reserved: usize,
}

impl eps_buffer {
    pub(crate) const EMPTY: Self = Self { data: std::ptr::null_mut(), len: 0, reserved: 0 };

    /// Passes `bytes` to C without a copy.
    pub(crate) fn from_vec(mut bytes: Vec<u8>) -> Self {
        let len = bytes.len();
        bytes.reserve_exact(1);
        bytes.push(0);
        let mut bytes = std::mem::ManuallyDrop::new(bytes);
        Self { data: bytes.as_mut_ptr().cast(), len, reserved: bytes.capacity() }
    }

    /// Returns the bytes; none where `data` is NULL.
    ///
    /// # Safety
    /// `data` is NULL or points to `len` bytes that outlive `'a` and do not change.
    pub(crate) unsafe fn bytes<'a>(&self) -> &'a [u8] {
        if self.data.is_null() {
            return &[];
        }
        // SAFETY: not NULL, so by the caller's promise valid for `len` bytes.
        unsafe { std::slice::from_raw_parts(self.data.cast::<u8>(), self.len) }
    }

    /// Frees the memory.
    ///
    /// # Safety
    /// The fields are as `from_vec` or `EMPTY` made them.
    pub(crate) unsafe fn free(self) {
        if self.data.is_null() || self.reserved == 0 {
            return;
        }
        // SAFETY: `from_vec` took these three from a vector of `len + 1` bytes and this capacity.
        drop(unsafe { Vec::from_raw_parts(self.data.cast::<u8>(), self.len + 1, self.reserved) });
    }
}
