//! See `lakeward_fuzz::files`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lakeward_fuzz::files::run(bytes));
