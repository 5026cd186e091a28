#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| engage_point_shop_fuzz::responses::run(data));
