//! The C boundary: calls in any order with NULL, garbage and unusual texts. Every call returns a
//! code of the table. The buffer then holds NUL-terminated JSON, which may be disposed of twice.

use engage_point_shop::Code;
use engage_point_shop::ffi::*;
use std::ffi::{CStr, CString, c_char};
use std::ptr::{null, null_mut};

const CONFIG: &CStr =
    c"{\"baseUrl\":\"http://127.0.0.1:9\",\"userAgent\":\"Fuzz/1.0\",\"journal\":\"memory\",\"preconnect\":false,\
\"waitMs\":30,\"requestTimeoutMs\":300,\"startupJitterMs\":3600000,\"retryScheduleMs\":[86400000]}";
const GUIDS: [&CStr; 3] = [
    c"a0000000-0000-4000-8000-000000000001",
    c"b0000000-0000-4000-8000-000000000001",
    c"C0000000-0000-4000-8000-000000000001",
];
/// A single call is fast. Very many calls are not.
const MOST_CALLS: usize = 24;

/// Reads the input as calls and their arguments.
struct Input<'a> {
    bytes: &'a [u8],
    texts: Vec<CString>,
}

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        *first
    }

    /// NULL, a GUID, a fixed text, or bytes of the input.
    fn text(&mut self) -> *const c_char {
        match self.byte() {
            0..32 => null(),
            form @ 32..96 => GUIDS[usize::from(form) % GUIDS.len()].as_ptr(),
            96..112 => c"{}".as_ptr(),
            112..128 => c"email".as_ptr(),
            length => {
                let (text, rest) = self.bytes.split_at(self.bytes.len().min(usize::from(length - 128)));
                self.bytes = rest;
                let text = text.iter().copied().filter(|byte| *byte != 0).collect::<Vec<_>>();
                self.texts.push(CString::new(text).unwrap());
                self.texts.last().unwrap().as_ptr()
            }
        }
    }
}

/// Checks that the code is in the table and the buffer is as promised. Disposes of the buffer.
fn check(code: i32, out: &mut eps_buffer) {
    assert!(Code::from_number(code).is_some(), "{code} is in no table");
    assert!(!out.data.is_null(), "{code} with an empty buffer");
    // SAFETY: the library has just filled it.
    let text = unsafe { CStr::from_ptr(out.data) };
    assert_eq!(text.count_bytes(), out.len);
    let json: serde_json::Value = serde_json::from_slice(text.to_bytes()).expect("a buffer holds JSON");
    if code != 0 {
        assert_eq!(json["code"], code);
    }
    for _ in 0..2 {
        // SAFETY: once with the result, once empty. Both are allowed.
        unsafe { eps_buffer_dispose(out) };
        assert!(out.data.is_null());
    }
}

pub fn run(data: &[u8]) {
    let mut input = Input { bytes: data, texts: Vec::new() };
    let mut out = eps_buffer { data: null_mut(), len: 0, reserved: 0 };
    let mut client: *mut eps_client = null_mut();
    // SAFETY: every pointer is NULL or lives until the end of this function. A handle may be any
    // number.
    unsafe {
        let code = eps_client_open(EPS_ABI_VERSION, CONFIG.as_ptr(), &raw mut client, &raw mut out);
        check(code, &mut out);
        let open = client;
        for _ in 0..MOST_CALLS {
            if input.bytes.is_empty() {
                break;
            }
            let which = input.byte();
            let handle = match input.byte() {
                0..200 => open,
                200..210 => null_mut(),
                odd => std::ptr::without_provenance_mut(usize::from(odd) * usize::from(input.byte())),
            };
            let at = &raw mut out;
            let code = match which % 28 {
                0 => eps_list_items(handle, input.text(), input.text(), at),
                1 => eps_list_points(handle, input.text(), input.text(), at),
                2 => eps_list_rewards(handle, input.text(), input.text(), at),
                3 => eps_list_purchases(handle, input.text(), input.text(), at),
                4 => eps_purchase(handle, input.text(), input.text(), input.text(), at),
                5 => eps_redeem_reward(handle, input.text(), input.text(), input.text(), at),
                6 => eps_find_reward(handle, input.text(), input.text(), at),
                7 => eps_find_contact(handle, input.text(), input.text(), input.text(), at),
                8 => eps_list_unacknowledged(handle, input.text(), at),
                9 => eps_get_operation(handle, input.text(), at),
                10 => eps_resolve_pending(handle, input.text(), at),
                11 => eps_acknowledge(handle, input.text(), at),
                12 => eps_read_stats(handle, at),
                13 => eps_new_id(at),
                26 => {
                    let code = eps_read_metrics(handle, at);
                    // The text is not JSON.
                    if code == 0 {
                        assert_eq!(*out.data.add(out.len), 0);
                        eps_buffer_dispose(at);
                        continue;
                    }
                    code
                }
                27 => eps_check(handle, input.text(), at),
                14 => {
                    let (abi, config) = (u32::from(input.byte()) % 3, input.text());
                    let mut second: *mut eps_client = null_mut();
                    // A configuration from the input might name a file.
                    let names_none = config.is_null() || !CStr::from_ptr(config).to_bytes().contains(&b'{');
                    let config = if names_none { config } else { CONFIG.as_ptr() };
                    let code = eps_client_open(abi, config, &raw mut second, at);
                    assert_eq!(code == 0, !second.is_null());
                    assert_eq!(eps_client_close(second), 0);
                    code
                }
                15 => {
                    let code = eps_client_close(handle);
                    assert!(Code::from_number(code).is_some());
                    continue;
                }
                16 => {
                    let code = eps_set_log(handle, i32::from(input.byte()) - 100, None, null_mut());
                    assert!(Code::from_number(code).is_some());
                    continue;
                }
                17 => {
                    let number = i32::from_le_bytes(std::array::from_fn(|_| input.byte()));
                    assert!((0..4).contains(&eps_outcome(number)));
                    assert!(!eps_code_name(number).is_null());
                    assert!(!eps_code_action(number).is_null() && !eps_code_meaning(number).is_null());
                    continue;
                }
                19 => eps_list_operations(handle, input.text(), at),
                20 => eps_resolve_review(handle, input.text(), input.text(), input.text(), at),
                21 => eps_acknowledge_reference(handle, input.text(), input.text(), at),
                22 => eps_json_quote(input.text(), at),
                // A path from the input might name a file.
                24 => eps_backup_journal(handle, null_mut(), input.text(), at),
                23 => {
                    let (text, pointer) = (input.text(), input.text());
                    let len = if text.is_null() { 0 } else { CStr::from_ptr(text).count_bytes() };
                    let from = eps_buffer { data: text.cast_mut(), len, reserved: 0 };
                    let code = eps_json_get(&raw const from, pointer, at);
                    // A string is unquoted, so that it need not be JSON.
                    if code == 0 {
                        assert_eq!(*out.data.add(out.len), 0);
                        eps_buffer_dispose(at);
                        continue;
                    }
                    code
                }
                18 => {
                    let code = eps_list_items(handle, input.text(), input.text(), null_mut());
                    assert_eq!(code, Code::NullArgument.number());
                    continue;
                }
                _ => {
                    let code = eps_cancel(handle);
                    assert!(Code::from_number(code).is_some());
                    continue;
                }
            };
            check(code, &mut out);
        }
        assert_eq!(eps_client_close(open), 0);
        assert_eq!(eps_client_close(open), 0, "closing twice is allowed");
    }
}
