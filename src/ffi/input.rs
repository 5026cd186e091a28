//! Reads the arguments of a call. Each is checked for NULL, UTF-8 and an empty text, and each fault
//! has a message of its own.

use crate::core::code::Code;
use crate::core::error::{Error, Result};
use std::ffi::{CStr, c_char};

/// Reads a required text.
///
/// # Safety
/// `text` is NULL or points to a NUL-terminated string that outlives `'a`.
pub(crate) unsafe fn required<'a>(text: *const c_char, argument: &str) -> Result<&'a str> {
    // SAFETY: the same promise.
    match unsafe { present(text, argument) }? {
        "" => Err(Error::new(Code::EmptyArgument, format!("{argument} is empty"))),
        text => Ok(text),
    }
}

/// Reads a text that may be empty.
///
/// # Safety
/// As for [`required`].
pub(crate) unsafe fn present<'a>(text: *const c_char, argument: &str) -> Result<&'a str> {
    // SAFETY: the same promise.
    unsafe { optional(text, argument) }?.ok_or_else(|| Error::new(Code::NullArgument, format!("{argument} is NULL")))
}

/// Reads a text that may be NULL.
///
/// # Safety
/// As for [`required`].
pub(crate) unsafe fn optional<'a>(text: *const c_char, argument: &str) -> Result<Option<&'a str>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, so by the caller's promise a NUL-terminated string.
    let bytes = unsafe { CStr::from_ptr(text) };
    match bytes.to_str() {
        Ok(text) => Ok(Some(text)),
        Err(error) => Err(Error::new(
            Code::BadUtf8,
            format!("{argument} is not UTF-8 (byte {}): convert it from the till's code page", error.valid_up_to()),
        )),
    }
}
