//! Another vendor's Rust library in the same program. The library panics and catches the panic.

#[unsafe(no_mangle)]
pub extern "C" fn other_catches_a_panic() -> i32 {
    let caught = std::panic::catch_unwind(|| {
        let nothing: Vec<u8> = Vec::new();
        nothing[std::hint::black_box(3)]
    });
    i32::from(caught.is_err())
}
