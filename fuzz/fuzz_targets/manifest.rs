//! See `lakeward_fuzz::manifest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lakeward_fuzz::manifest::run(bytes));
