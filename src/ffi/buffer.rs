//! The one open struct of the ABI: bytes that the library allocates and the caller gives back.

use std::ffi::c_char;

/// What a call answers: UTF-8 JSON, NUL-terminated.
///
/// The caller owns the struct, the library owns what `data` points to until `eps_buffer_dispose`. A call that takes a buffer
/// sets it to `{NULL, 0, 0}` first, without reading it, so it need not be initialised; dispose of an answer before the struct is
/// used for another call. The layout never changes.
#[repr(C)]
#[derive(Debug)]
pub struct eps_buffer {
    /// The first byte, or NULL.
    pub data: *mut c_char,
    /// Bytes before the terminating NUL.
    pub len: usize,
    /// The library's own; do not touch.
    pub reserved: usize,
}

impl eps_buffer {
    pub(crate) const EMPTY: Self = Self { data: std::ptr::null_mut(), len: 0, reserved: 0 };

    /// Gives `bytes` to C. No copy: the vector's own memory is handed over.
    pub(crate) fn from_vec(mut bytes: Vec<u8>) -> Self {
        let len = bytes.len();
        bytes.reserve_exact(1);
        bytes.push(0);
        let mut bytes = std::mem::ManuallyDrop::new(bytes);
        Self { data: bytes.as_mut_ptr().cast(), len, reserved: bytes.capacity() }
    }

    /// Takes the memory back and frees it.
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
