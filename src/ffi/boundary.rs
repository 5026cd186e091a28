//! The boundary of the library: every export calls one function of this file, which clears the
//! buffer, catches panics and writes the problem object.

use super::buffer::eps_buffer;
use super::handle::{self, eps_client};
use super::input;
use crate::api;
use crate::client::Client;
use crate::core::code::Code;
use crate::core::error::{Error, Result};
use crate::os;
use crate::texts::Language;
use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a call whose result is JSON. `out` is required.
///
/// # Safety
/// `out` is NULL or points to memory for an `eps_buffer` that no other thread uses during the call.
pub(crate) unsafe fn json(name: &'static str, out: *mut eps_buffer, call: impl FnOnce() -> Result<Vec<u8>>) -> i32 {
    // SAFETY: the same promise.
    unsafe { run(name, out, |_| call()) }
}

/// Runs a call of a client whose result is JSON. The problem object has the client's language. A
/// client for the tests of a binding returns the function's name and its texts instead.
///
/// # Safety
/// As for [`json`], and each text is NULL or a NUL-terminated string.
pub(crate) unsafe fn of_client(
    name: &'static str,
    client: *const eps_client,
    texts: &[*const c_char],
    out: *mut eps_buffer,
    call: impl FnOnce(&Client) -> Result<Vec<u8>>,
) -> i32 {
    let call = |language: &mut Language| {
        let client = handle::get(client)?;
        *language = client.language();
        if !client.echoes() {
            return call(&client);
        }
        // SAFETY: the same promise.
        let texts = texts.iter().map(|text| unsafe { input::optional(*text, "an argument") });
        Ok(api::echo(name, &texts.collect::<Result<Vec<_>>>()?))
    };
    // SAFETY: the same promise.
    unsafe { run(name, out, call) }
}

/// Runs a call that may choose the language of its problem object.
///
/// # Safety
/// As for [`json`].
unsafe fn run(name: &'static str, out: *mut eps_buffer, call: impl FnOnce(&mut Language) -> Result<Vec<u8>>) -> i32 {
    if out.is_null() {
        return Code::NullArgument.number();
    }
    // SAFETY: not NULL, and valid for the time of the call. It is not read, because it may be
    // uninitialised.
    unsafe { out.write(eps_buffer::EMPTY) };
    if os::is_process_ending() {
        // Without a problem object: an ended thread may have held the allocator's lock.
        return Code::Closed.number();
    }
    let mut language = Language::default();
    let result = caught(injected(name, || call(&mut language))).unwrap_or_else(|| Err(Error::of(Code::Internal)));
    let (code, bytes) = match result {
        Ok(bytes) => (Code::Ok, bytes),
        Err(error) => (error.code(), caught(|| api::problem(&error, language)).unwrap_or_default()),
    };
    // SAFETY: as above.
    unsafe { out.write(eps_buffer::from_vec(bytes)) };
    code.number()
}

/// Runs a call that reads the buffer `from`. `out` is cleared first, so it must be another buffer:
/// the same one is left unchanged.
///
/// # Safety
/// As for [`json`]. `from` is NULL or points to a buffer whose bytes do not change during the call.
pub(crate) unsafe fn json_from(
    name: &'static str,
    from: *const eps_buffer,
    out: *mut eps_buffer,
    call: impl FnOnce(&[u8]) -> Result<Vec<u8>>,
) -> i32 {
    if !out.is_null() && std::ptr::eq(from, out) {
        return Code::BadOptions.number();
    }
    // SAFETY: the same promise.
    unsafe {
        json(name, out, || {
            let from = from.as_ref().ok_or_else(|| Error::new(Code::NullArgument, "buffer is NULL"))?;
            call(from.bytes())
        })
    }
}

/// Runs a call without a buffer. While the process ends, no call is made: it could wait for ever
/// for a thread that was ended.
pub(crate) fn code(name: &'static str, call: impl FnOnce() -> Result<()>) -> i32 {
    if os::is_process_ending() {
        return Code::Closed.number();
    }
    match caught(injected(name, call)) {
        Some(Ok(())) => Code::Ok.number(),
        Some(Err(error)) => error.code().number(),
        None => Code::Internal.number(),
    }
}

/// Runs a call that returns a plain value, or `fallback` after a panic.
pub(crate) fn value<T>(name: &'static str, fallback: T, call: impl FnOnce() -> T) -> T {
    caught(injected(name, call)).unwrap_or(fallback)
}

/// Runs `call` and catches its panic.
fn caught<T>(call: impl FnOnce() -> T) -> Option<T> {
    let quiet = crate::panics::quiet_thread();
    let result = os::without_cancellation(|| catch_unwind(AssertUnwindSafe(call)));
    drop(quiet);
    match result {
        Ok(value) => Some(value),
        Err(payload) => {
            // The payload's drop may panic too, so the payload is leaked.
            std::mem::forget(payload);
            None
        }
    }
}

/// Returns the call. In a build for tests, the export that the environment names panics instead.
fn injected<T>(name: &'static str, call: impl FnOnce() -> T) -> impl FnOnce() -> T {
    move || {
        let wanted = cfg!(feature = "fault-injection").then(|| std::env::var_os("EPS_TEST_PANIC")).flatten();
        assert!(wanted.is_none_or(|wanted| wanted != name), "injected into {name}");
        call()
    }
}
