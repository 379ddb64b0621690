#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| posthouse_tests::fuzz::config(data));
